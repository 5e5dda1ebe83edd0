// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"database/sql"
	"hash/maphash"
	"slices"
	"strings"
)

// seriesKey names a series: a check at a target, or (no check) a module at a target.
type seriesKey struct{ check, module, target string }

func keyOf(p pending) seriesKey {
	if p.check != "" {
		return seriesKey{check: p.check, target: p.target}
	}
	return seriesKey{module: p.module, target: p.target}
}

type seriesEntry struct {
	id     int64
	module string
}

// catalog is the memory's copy of the tables that give names and texts their numbers.
type catalog struct {
	series     map[seriesKey]seriesEntry
	checks     int64            // series of checks
	requests   int64            // series of requests
	bytes      int64            // of all series
	lastSeries int64            // id
	texts      map[uint64]int64 // hash to id
	textBytes  int64
	lastText   int64 // id
}

func (c *catalog) addSeries(key seriesKey, e seriesEntry) {
	c.series[key] = e
	c.bytes += seriesBytes(key, e.module)
	c.lastSeries = max(c.lastSeries, e.id)
	if key.check == "" {
		c.requests++
	} else {
		c.checks++
	}
}

func seriesBytes(key seriesKey, module string) int64 {
	return int64(len(key.check) + len(key.target) + len(module) + 16)
}

func (c *catalog) addText(hash uint64, id int64, n int) {
	c.texts[hash] = id
	c.textBytes += int64(n) + 16
	c.lastText = max(c.lastText, id)
}

func (s *Store) loadCatalog() (catalog, error) {
	c := catalog{series: map[seriesKey]seriesEntry{}, texts: map[uint64]int64{}}
	err := each(s.db, "SELECT id, name, target, module FROM series", nil, func(rows *sql.Rows) error {
		var e seriesEntry
		var p pending
		if err := rows.Scan(&e.id, &p.check, &p.target, &p.module); err != nil {
			return err
		}
		e.module = p.module
		c.addSeries(keyOf(p), e)
		return nil
	})
	if err != nil {
		return c, err
	}
	err = each(s.db, "SELECT id, text FROM text", nil, func(rows *sql.Rows) error {
		var id int64
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			return err
		}
		c.addText(maphash.String(s.seed, text), id, len(text))
		return nil
	})
	return c, err
}

// trimTexts removes the oldest error texts when there are too many.
func (s *Store) trimTexts() error {
	for len(s.catalog.texts) > maxTexts || s.catalog.textBytes > s.geo.texts {
		var gone []string
		err := s.erase(func(tx *sql.Tx) error {
			gone = gone[:0]
			var last int64
			err := each(tx, "SELECT id, text FROM text ORDER BY id LIMIT 64", nil, func(rows *sql.Rows) error {
				var text string
				defer func() { gone = append(gone, text) }()
				return rows.Scan(&last, &text)
			})
			if err != nil {
				return err
			}
			_, err = tx.Exec("DELETE FROM text WHERE id <= ?", last)
			return err
		})
		if err != nil || len(gone) == 0 {
			return err
		}
		for _, text := range gone {
			delete(s.catalog.texts, maphash.String(s.seed, text))
			s.catalog.textBytes -= int64(len(text)) + 16
		}
	}
	return nil
}

// pruneSeries removes series without results when there is no room for more. It reads the whole ring, so it runs once an hour at most.
func (s *Store) pruneSeries() error {
	if s.catalog.checks < s.geo.series && s.catalog.requests < maxRequestSeries && s.catalog.bytes < s.geo.seriesBytes {
		return nil
	}
	if err := s.fold(); err != nil { // a folding under way would bring counters back
		return err
	}
	var idle []any
	err := each(s.db, `SELECT id FROM series WHERE id NOT IN (SELECT series FROM result UNION SELECT series FROM request)`, nil,
		func(rows *sql.Rows) error {
			var id int64
			defer func() { idle = append(idle, id) }()
			return rows.Scan(&id)
		})
	if err != nil {
		return err
	}
	for part := range slices.Chunk(idle, int(s.geo.txn/4)) {
		marks := strings.Repeat(",?", len(part))[1:]
		err := s.write(s.geo.txn/2+reservePages, func(tx *sql.Tx) error {
			if _, err := tx.Exec("DELETE FROM counters WHERE series IN ("+marks+")", part...); err != nil {
				return err
			}
			_, err := tx.Exec("DELETE FROM series WHERE id IN ("+marks+")", part...)
			return err
		})
		if err != nil {
			return err
		}
	}
	s.catalog, err = s.loadCatalog()
	return err
}
