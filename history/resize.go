// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"database/sql"
	"errors"
	"fmt"
)

// resultColumns are those of both tables of raw results.
const resultColumns = "slot, seq, at, series, origin, verdict, reason, attempts, took, timeout, text, trace"

// resize opens a ring with the wanted number of slots. When the table has another number its newest rows move into a new table, chunk
// by chunk, each moved and removed in one transaction: a crash leaves something to go on from, and the file does not grow.
func (s *Store) resize(table string, slots int64) (ring, error) {
	r := ring{table: table, slots: slots}
	had, err := s.metaInt(table+"_slots", -1)
	if err != nil {
		return r, err
	}
	moving, err := s.exists(table + "_old")
	if err != nil {
		return r, err
	}
	if moving {
		if err := s.move(ring{table: table, slots: had}); err != nil {
			return r, err
		}
	}
	switch had {
	case slots:
	case -1:
		err = s.write(2, func(tx *sql.Tx) error { return setMeta(tx, table+"_slots", slots) })
	default:
		if err = s.startMove(table, slots); err == nil {
			err = s.move(r)
		}
	}
	if err != nil {
		return r, err
	}
	r.next, err = r.findNext(s.db)
	return r, err
}

func (s *Store) exists(table string) (bool, error) {
	var n int
	err := s.db.QueryRow("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?", table).Scan(&n)
	return n > 0, err
}

func (s *Store) startMove(table string, slots int64) error {
	return s.write(6, func(tx *sql.Tx) error {
		var create string
		if err := tx.QueryRow("SELECT sql FROM sqlite_schema WHERE name = ?", table).Scan(&create); err != nil {
			return err
		}
		for _, change := range []string{
			"DROP VIEW IF EXISTS results_readable",
			fmt.Sprintf("ALTER TABLE %s RENAME TO %s_old", table, table),
			create,
		} {
			if _, err := tx.Exec(change); err != nil {
				return err
			}
		}
		return setMeta(tx, table+"_slots", slots)
	})
}

// move empties the old table into the ring, which keeps the newest rows.
func (s *Store) move(r ring) error {
	old := r.table + "_old"
	var end int64
	err := s.db.QueryRow(fmt.Sprintf("SELECT coalesce(max((SELECT max(seq) FROM %s), (SELECT max(seq) FROM %s)), (SELECT max(seq) FROM %s), -1) + 1",
		old, r.table, old)).Scan(&end)
	if err != nil {
		return err
	}
	chunk := s.geo.txn / 4 * (pageSize / slotSize)
	for more := true; more; {
		err := s.write(s.geo.txn/2+reservePages, func(tx *sql.Tx) (err error) {
			more, err = moveChunk(tx, r, old, max(0, end-r.slots), chunk)
			return err
		})
		if err != nil {
			return err
		}
	}
	return s.write(4, func(tx *sql.Tx) error {
		_, err := tx.Exec("DROP TABLE " + old)
		return err
	})
}

func moveChunk(tx *sql.Tx, r ring, old string, from, chunk int64) (more bool, err error) {
	var last int64
	err = tx.QueryRow(fmt.Sprintf("SELECT slot FROM %s ORDER BY slot LIMIT 1 OFFSET ?", old), chunk-1).Scan(&last)
	if more = err == nil; errors.Is(err, sql.ErrNoRows) {
		last, err = 1<<62, nil
	}
	if err != nil {
		return false, err
	}
	if r.slots > 0 {
		_, err = tx.Exec(fmt.Sprintf(`INSERT OR REPLACE INTO %s SELECT seq %% %d, seq, at, series, origin, verdict, reason, attempts, took,
			timeout, text, trace FROM %s WHERE slot <= ? AND seq >= ?`, r.table, r.slots, old), last, from)
		if err != nil {
			return false, err
		}
	}
	_, err = tx.Exec(fmt.Sprintf("DELETE FROM %s WHERE slot <= ?", old), last)
	return more, err
}

// metaInt reads a number of the meta table.
func (s *Store) metaInt(key string, absent int64) (v int64, err error) {
	err = s.db.QueryRow("SELECT value FROM meta WHERE key = ?", key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return absent, nil
	}
	return v, err
}

// setMeta writes only what changes: a page saved.
func setMeta(tx *sql.Tx, key string, value any) error {
	_, err := tx.Exec(`INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value
		WHERE value IS NOT excluded.value`, key, value)
	return err
}
