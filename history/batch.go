// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"database/sql"
	"hash/maphash"
)

// batch is a part of the queue as it will be stored. It is made without touching the file, and can be written more than once.
type batch struct {
	until            uint64 // position in the queue behind it
	left             int    // results left out, for want of room for their series
	rows             []row
	spans            []span
	series           map[seriesKey]seriesEntry // new ones, and those of which the module changed
	texts            map[string]int64          // new ones
	traces           []newTrace
	results          ring // as they will be
	request          ring
	hour             int64
	bytes            int64 // of series, texts and small traces
	pages            int64 // of traces
	changed          int64 // series that are not new
	checks, requests int64 // new series
}

type row struct {
	table             string
	slot, seq, series int64
	text, trace       int64
	pending
}

type newTrace struct {
	id   int64
	name string
	at   int64
	body []byte
}

// span is the results that arrived within an hour.
type span struct{ seq, hour int64 }

// plan takes results from the front of the queue as far as they dirty at most so many pages.
func (s *Store) plan(pages int64) *batch {
	room := min(pages*pageSize/slotSize, max(1, s.geo.slots/2), queueSize)
	waiting, base := s.waiting(int(max(0, room)))
	b := &batch{until: base, series: map[seriesKey]seriesEntry{}, texts: map[string]int64{}, results: s.results, request: s.requests, hour: s.hour}
	b.rows = make([]row, 0, len(waiting))
	for _, p := range waiting {
		if b.cost()+overflowPages(len(p.trace)) > pages {
			if len(b.rows) > 0 {
				break
			}
			p.trace = nil // it can never fit
		}
		b.until++
		if !s.add(b, p) {
			b.left++
		}
	}
	return b
}

// cost is a careful count of the pages the batch dirties.
func (b *batch) cost() int64 {
	if len(b.rows) == 0 {
		return reservePages
	}
	slots := 2 * int64(len(b.rows)) * slotSize / pageSize
	return reservePages + slots + b.bytes/pageFill + b.pages + b.changed + 3*int64(len(b.spans))
}

func (s *Store) add(b *batch, p pending) bool {
	id := s.seriesFor(b, p)
	if id == 0 {
		return false
	}
	r := row{table: "result", series: id, pending: p, trace: p.traceID}
	to := &b.results
	if p.check == "" {
		r.table, to = "request", &b.request
	}
	r.seq, r.slot = to.next, to.slot(to.next)
	to.next++
	r.text = s.textFor(b, p.err)
	if len(p.trace) > 0 {
		r.trace = s.traceID + int64(len(b.traces)) + 1
		b.traces = append(b.traces, newTrace{r.trace, p.check, p.at, p.trace})
		b.pages += overflowPages(len(p.trace))
	}
	if hour := p.seen / 3_600_000; p.check != "" && hour != b.hour {
		b.hour = hour
		b.spans = append(b.spans, span{r.seq, hour})
	}
	b.rows = append(b.rows, r)
	return true
}

// seriesFor gives the id of the result's series, a new one when there is room for it, else 0.
func (s *Store) seriesFor(b *batch, p pending) int64 {
	key := keyOf(p)
	e, known := b.series[key]
	if !known {
		e, known = s.catalog.series[key]
	}
	if known && e.module == p.module {
		return e.id
	}
	if known {
		e.module = p.module
		b.changed++
	} else {
		have, most, fresh := s.catalog.checks, s.geo.series, &b.checks
		if p.check == "" {
			have, most, fresh = s.catalog.requests, maxRequestSeries, &b.requests
		}
		if have+*fresh >= most || s.catalog.bytes+b.bytes >= s.geo.seriesBytes {
			return 0
		}
		*fresh++
		e = seriesEntry{s.catalog.lastSeries + b.checks + b.requests, p.module}
	}
	b.series[key] = e
	b.bytes += seriesBytes(key, e.module)
	return e.id
}

func (s *Store) textFor(b *batch, text string) int64 {
	if text == "" {
		return 0
	}
	if id := s.catalog.texts[maphash.String(s.seed, text)]; id != 0 {
		return id
	}
	id, known := b.texts[text]
	if !known {
		id = s.catalog.lastText + int64(len(b.texts)) + 1
		b.texts[text] = id
		b.bytes += int64(len(text)) + 16
	}
	return id
}

// store writes the batch.
func (b *batch) store(tx *sql.Tx) error {
	for key, e := range b.series {
		_, err := tx.Exec(`INSERT INTO series (id, name, target, module) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET module = excluded.module`,
			e.id, key.check, key.target, e.module)
		if err != nil {
			return err
		}
	}
	for text, id := range b.texts {
		if _, err := tx.Exec("INSERT INTO text (id, text) VALUES (?, ?)", id, text); err != nil {
			return err
		}
	}
	for _, t := range b.traces {
		if err := storeTrace(tx, t); err != nil {
			return err
		}
	}
	if err := b.storeRows(tx); err != nil {
		return err
	}
	for _, sp := range b.spans {
		if err := b.beginSpan(tx, sp); err != nil {
			return err
		}
	}
	return nil
}

func storeTrace(tx *sql.Tx, t newTrace) error {
	_, err := tx.Exec("INSERT INTO trace (id, name, at, cost, body) VALUES (?, ?, ?, ?, ?)", t.id, t.name, t.at, costOf(len(t.body)), t.body)
	return err
}

func (b *batch) storeRows(tx *sql.Tx) error {
	inserts := map[string]*sql.Stmt{}
	for i := range b.rows {
		r := &b.rows[i]
		insert := inserts[r.table]
		if insert == nil {
			var err error
			insert, err = tx.Prepare("INSERT OR REPLACE INTO " + r.table + " (" + resultColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
			if err != nil {
				return err
			}
			defer insert.Close()
			inserts[r.table] = insert
		}
		_, err := insert.Exec(r.slot, r.seq, r.at, r.series, int64(r.origin), int64(r.verdict), int64(r.reason), int64(r.attempts), r.took,
			r.timeout, r.text, r.trace)
		if err != nil {
			return err
		}
	}
	return nil
}

// beginSpan ends the running span, with the range of its times, and forgets the spans of which no slot is left.
func (b *batch) beginSpan(tx *sql.Tx, sp span) error {
	var first sql.NullInt64
	if err := tx.QueryRow("SELECT max(seq) FROM span WHERE seq < ?", sp.seq).Scan(&first); err != nil {
		return err
	}
	if first.Valid {
		var low, high sql.NullInt64
		for _, part := range b.results.ranges(first.Int64, sp.seq) {
			err := tx.QueryRow(`SELECT min(at, coalesce(?1, at)), max(high, coalesce(?2, high)) FROM (SELECT min(at) AS at, max(at) AS high
				FROM result WHERE slot BETWEEN ?3 AND ?4)`, low, high, part.first, part.last).Scan(&low, &high)
			if err != nil {
				return err
			}
		}
		if _, err := tx.Exec("UPDATE span SET low = ?, high = ? WHERE seq = ?", low, high, first.Int64); err != nil {
			return err
		}
	}
	if _, err := tx.Exec("INSERT OR REPLACE INTO span (seq, hour) VALUES (?, ?)", sp.seq, sp.hour); err != nil {
		return err
	}
	_, err := tx.Exec("DELETE FROM span WHERE seq < (SELECT max(seq) FROM span WHERE seq <= ?)", b.results.oldest())
	return err
}
