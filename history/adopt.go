// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"database/sql"

	"skywatch/internal/record"
)

// Adopt gives a check what is stored under its former names: state, results, counters, transitions and memory. A state that it has
// under its present name stays.
func (s *Store) Adopt(ctx context.Context, name string, was []string) error {
	for _, old := range was {
		if old == name {
			continue
		}
		if err := s.commit(ctx, "renaming a check in history", func() error { return s.adopt(name, old) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) adopt(name, old string) error {
	if err := s.usable(); err != nil {
		return err
	}
	s.renameWaiting(name, old)
	var rows int64
	err := s.db.QueryRow(`SELECT (SELECT count(*) FROM state WHERE name = ?1) + (SELECT count(*) FROM series WHERE name = ?1) +
		(SELECT count(*) FROM transition WHERE name = ?1) + (SELECT count(*) FROM memory WHERE name = ?1)`, old).Scan(&rows)
	if err != nil || rows == 0 {
		return err
	}
	err = s.write(min(reservePages+6*rows, s.geo.txn), func(tx *sql.Tx) error {
		for _, rename := range []string{
			"UPDATE OR IGNORE state SET name = ?1 WHERE name = ?2",
			"UPDATE series SET name = ?1 WHERE name = ?2",
			"UPDATE transition SET name = ?1 WHERE name = ?2",
			"UPDATE OR IGNORE memory SET name = ?1 WHERE name = ?2",
			"DELETE FROM memory WHERE ?1 <> ?2 AND name = ?2",
			"DELETE FROM state WHERE ?1 <> ?2 AND name = ?2",
		} {
			if _, err := tx.Exec(rename, name, old); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.catalog, err = s.loadCatalog(); err != nil {
		return err
	}
	return s.loadStateNames()
}

// renameWaiting renames in what is not yet stored.
func (s *Store) renameWaiting(name, old string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.queue.rows {
		if s.queue.rows[i].check == old {
			s.queue.rows[i].check = name
		}
	}
	if st, ok := s.kept[old]; ok {
		delete(s.kept, old)
		if _, newer := s.kept[name]; !newer {
			st.Check = name
			s.kept[name] = st
		}
	}
	if last, ok := s.last[old]; ok {
		s.last[name] = last
		delete(s.last, old)
	}
}

var _ interface { // what alerting asks of a journal
	Load(ctx context.Context) (record.Saved, error)
	Record(ctx context.Context, states []record.CheckState, ts []record.Transition, ds []record.Delivery) error
	Seal(ctx context.Context, m record.Message, supersedes []int64) error
	Mark(ctx context.Context, m record.Message) error
	Keep(states []record.CheckState)
} = (*Store)(nil)
