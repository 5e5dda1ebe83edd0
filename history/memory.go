// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"skywatch/internal/probe"
)

// Memory gives the durable memory of a check at a target. Put commits at once; it fails while the store refuses writes, and Get while it
// does not answer in time.
func (s *Store) Memory(check, target string) probe.Store { return &memory{s, check, target} }

type memory struct {
	store         *Store
	check, target string
}

func (m *memory) Get(key string) (value []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), m.store.patience)
	defer cancel()
	err = m.store.consult(ctx, "reading the memory of a check from history", func(q querier) error {
		return q.QueryRow("SELECT value FROM memory WHERE name = ? AND target = ? AND key = ?", m.check, m.target, key).Scan(&value)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return value, err
}

func (m *memory) Put(key string, value []byte) error {
	if len(value) > probe.StoreValueBytes {
		return fmt.Errorf("storing %q: value of %d bytes, want at most %d", key, len(value), probe.StoreValueBytes)
	}
	if value == nil {
		value = []byte{}
	}
	return m.store.commit(context.Background(), "storing the memory of a check in history", func() error {
		if err := m.room(key, len(value)); err != nil {
			return err
		}
		return m.store.write(reservePages+overflowPages(len(value)), func(tx *sql.Tx) error {
			_, err := tx.Exec("INSERT OR REPLACE INTO memory (name, target, key, value) VALUES (?, ?, ?, ?)", m.check, m.target, key, value)
			return err
		})
	})
}

// room checks the bounds: keys of this memory, bytes of all of them.
func (m *memory) room(key string, n int) error {
	if err := m.store.usable(); err != nil {
		return err
	}
	var others int
	var bytes int64
	err := m.store.db.QueryRow(`SELECT (SELECT count(*) FROM memory WHERE name = ?1 AND target = ?2 AND key <> ?3),
		(SELECT coalesce(sum(length(value) + length(key) + 64), 0) FROM memory WHERE (name, target, key) <> (?1, ?2, ?3))`,
		m.check, m.target, key).Scan(&others, &bytes)
	switch {
	case err != nil:
		return err
	case others >= probe.StoreKeys:
		return fmt.Errorf("storing %q: the store has %d keys, want at most %d", key, others+1, probe.StoreKeys)
	case bytes+int64(n) > m.store.geo.memory:
		return fmt.Errorf("storing %q: the memories of all checks have %d bytes, want at most %d", key, bytes+int64(n), m.store.geo.memory)
	}
	return nil
}

func (m *memory) Delete(key string) error {
	return m.store.commit(context.Background(), "deleting from the memory of a check in history", func() error {
		return m.store.write(reservePages, func(tx *sql.Tx) error {
			_, err := tx.Exec("DELETE FROM memory WHERE name = ? AND target = ? AND key = ?", m.check, m.target, key)
			return err
		})
	})
}
