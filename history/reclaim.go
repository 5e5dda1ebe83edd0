// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import "database/sql"

// reclaim frees pages until so many fit: oldest traces first, then what alerting is done with, then the oldest results.
func (s *Store) reclaim(pages int64) error {
	for _, step := range []func() (bool, error){s.dropOldestTraces, s.dropFinished, s.dropOldestResults} {
		for !s.roomFor(pages) {
			more, err := step()
			if err != nil {
				return err
			}
			if !more {
				break
			}
		}
	}
	if !s.roomFor(pages) {
		return errNoRoom
	}
	return nil
}

// erase runs one deleting step in a transaction of its own. It goes past the room check: deleting needs a few pages of the log only.
func (s *Store) erase(f func(*sql.Tx) error) error {
	if !s.fits(reservePages) {
		if err := s.checkpoint(); err != nil {
			return err
		}
		if !s.fits(reservePages) {
			return errBlocked
		}
	}
	if err := s.transact(f); err != nil {
		return err
	}
	s.account()
	return nil
}

// dropOldestTraces removes the oldest traces. The newest stays, so that ids are never given twice.
func (s *Store) dropOldestTraces() (more bool, err error) {
	const atOnce = 4
	var gone int64
	err = s.erase(func(tx *sql.Tx) error {
		const oldest = "(SELECT id FROM trace WHERE id < (SELECT max(id) FROM trace) ORDER BY id LIMIT ?)"
		if err := tx.QueryRow("SELECT coalesce(sum(cost), 0) FROM trace WHERE id IN "+oldest, atOnce).Scan(&gone); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM trace WHERE id IN "+oldest, atOnce)
		return err
	})
	if err != nil {
		return false, err
	}
	s.traces -= gone
	return gone > 0, nil
}

// finished selects the oldest transitions that are told to everyone and belong to no open incident.
const finished = `SELECT id FROM transition t
	WHERE NOT EXISTS (SELECT 1 FROM delivery d LEFT JOIN message m ON m.id = d.message
		WHERE d.transition = t.id AND (d.message = 0 OR m.state IN (1, 4)))
	AND t.id NOT IN (SELECT incident FROM state WHERE incident <> 0)
	AND t.incident NOT IN (SELECT incident FROM state WHERE incident <> 0)
	ORDER BY id LIMIT 4`

// dropFinished removes the oldest transitions that alerting is done with, their deliveries, and messages that nothing refers to.
func (s *Store) dropFinished() (more bool, err error) {
	var before, after int64
	err = s.erase(func(tx *sql.Tx) error {
		if err := tx.QueryRow(outboxBytes).Scan(&before); err != nil {
			return err
		}
		var ids []any
		err := each(tx, finished, nil, func(rows *sql.Rows) error {
			var id int64
			defer func() { ids = append(ids, id) }()
			return rows.Scan(&id)
		})
		if err != nil {
			return err
		}
		for _, id := range ids {
			for _, del := range []string{"DELETE FROM transition WHERE id = ?", "DELETE FROM delivery WHERE transition = ?"} {
				if _, err := tx.Exec(del, id); err != nil {
					return err
				}
			}
		}
		_, err = tx.Exec(`DELETE FROM message WHERE id IN (SELECT id FROM message m WHERE state NOT IN (1, 4)
			AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = m.id) ORDER BY id LIMIT 8)`)
		if err != nil {
			return err
		}
		return tx.QueryRow(outboxBytes).Scan(&after)
	})
	if err != nil {
		return false, err
	}
	s.outbox = after
	return after < before, nil
}

const outboxBytes = "SELECT (SELECT coalesce(sum(cost), 0) FROM transition) + (SELECT coalesce(sum(cost), 0) FROM message)"

// dropOldestResults empties the oldest slots of both rings, about two pages of each.
func (s *Store) dropOldestResults() (more bool, err error) {
	const atOnce = 200
	rings := []*ring{&s.requests, &s.results}
	err = s.erase(func(tx *sql.Tx) error {
		for _, r := range rings {
			for _, part := range r.ranges(r.first, max(r.first, r.oldest())+atOnce) {
				if _, err := tx.Exec("DELETE FROM "+r.table+" WHERE slot BETWEEN ? AND ?", part.first, part.last); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	for _, r := range rings {
		r.first = max(r.first, r.oldest()) + atOnce
		more = more || r.first < r.next
	}
	return more, nil
}

// trim keeps traces and finished alerts within their shares.
func (s *Store) trim() error {
	for s.traces > s.geo.traces {
		if more, err := s.dropOldestTraces(); err != nil || !more {
			return err
		}
	}
	if s.outbox > s.geo.outbox { // what was added is an upper bound
		if err := s.db.QueryRow(outboxBytes).Scan(&s.outbox); err != nil {
			return err
		}
	}
	for s.outbox > s.geo.outbox {
		if more, err := s.dropFinished(); err != nil || !more {
			return err
		}
	}
	return nil
}
