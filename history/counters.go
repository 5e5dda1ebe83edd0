// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"cmp"
	"database/sql"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// counted is the counters of a series, folded from its results below seq.
type counted struct {
	seq int64
	record.Counters
	changed bool
}

// countUntil gives the saved counters with the results up to end counted on top.
func (s *Store) countUntil(end int64) (map[int64]*counted, error) {
	all, err := s.savedCounters()
	if err != nil {
		return nil, err
	}
	return all, s.countRows(all, s.folded, end)
}

func (s *Store) savedCounters() (map[int64]*counted, error) {
	all := map[int64]*counted{}
	err := each(s.db, "SELECT series, seq, body FROM counters", nil, func(rows *sql.Rows) error {
		var id int64
		var body sql.RawBytes
		c := &counted{}
		if err := rows.Scan(&id, &c.seq, &body); err != nil {
			return err
		}
		var err error
		c.Counters, err = decodeCounters(body)
		all[id] = c
		return err
	})
	return all, err
}

// countRows counts the results [from, to) on top.
func (s *Store) countRows(all map[int64]*counted, from, to int64) error {
	for _, part := range s.results.ranges(from, to) {
		err := each(s.db, "SELECT seq, at, series, verdict, reason, attempts, took FROM result WHERE slot BETWEEN ? AND ? AND seq >= ?",
			[]any{part.first, part.last, from}, func(rows *sql.Rows) error { return countRow(rows, all) })
		if err != nil {
			return err
		}
	}
	return nil
}

func countRow(rows *sql.Rows, all map[int64]*counted) error {
	var seq, at, series, verdict, reason, attempts, took int64
	if err := rows.Scan(&seq, &at, &series, &verdict, &reason, &attempts, &took); err != nil {
		return err
	}
	c := all[series]
	if c == nil {
		c = &counted{}
		all[series] = c
	}
	if seq >= c.seq {
		c.changed = true
		c.Count(probe.Verdict(verdict), probe.Reason(reason), int(attempts), time.UnixMilli(at), time.Duration(took)*time.Microsecond)
	}
	return nil
}

// tellPast gives the counters in the file to who wants them, before anything of this process is stored. It needs the turn.
func (s *Store) tellPast() {
	if s.past == nil {
		return
	}
	byKey, err := s.storedCounters()
	if err != nil {
		s.log.Error("counters begin anew", "err", err)
	}
	s.past(s.listCounters(byKey))
	s.past = nil
}

func (s *Store) listCounters(byKey map[seriesKey]*record.Counters) []record.Counters {
	list := make([]record.Counters, 0, len(byKey))
	for key, c := range byKey {
		c.Check, c.Target = key.check, key.target
		if !c.LastSuccess.IsZero() {
			c.LastSuccess = c.LastSuccess.In(s.loc)
		}
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b record.Counters) int {
		return cmp.Or(cmp.Compare(a.Check, b.Check), cmp.Compare(a.Target, b.Target))
	})
	return list
}

// storedCounters gives the counters of all results in the file. A renamed check may have two series for one target.
func (s *Store) storedCounters() (map[seriesKey]*record.Counters, error) {
	byKey := map[seriesKey]*record.Counters{}
	all, err := s.countUntil(s.results.next)
	if err != nil {
		return nil, err
	}
	err = each(s.db, "SELECT id, name, target FROM series WHERE name <> ''", nil, func(rows *sql.Rows) error {
		var id int64
		var key seriesKey
		if err := rows.Scan(&id, &key.check, &key.target); err != nil {
			return err
		}
		if c := all[id]; c != nil {
			if byKey[key] == nil {
				byKey[key] = &record.Counters{}
			}
			byKey[key].Merge(c.Counters)
		}
		return nil
	})
	return byKey, err
}

func encodeCounters(c record.Counters) []byte {
	b := make([]byte, 0, 64+6*len(c.Durations.Buckets))
	for _, n := range c.Results {
		b = binary.AppendUvarint(b, n)
	}
	b = append(b, byte(len(c.Failures)))
	for _, n := range c.Failures {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendUvarint(b, c.Attempts)
	b = binary.AppendVarint(b, toNano(c.LastSuccess))
	return c.Durations.AppendBinary(b)
}

var errCounters = errors.New("reading counters: damaged, want counts and a histogram")

func decodeCounters(b []byte) (c record.Counters, err error) {
	next := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			err, b = errCounters, nil
			return 0
		}
		b = b[n:]
		return v
	}
	for i := range c.Results {
		c.Results[i] = next()
	}
	for i := range next() {
		if n := next(); i < uint64(len(c.Failures)) {
			c.Failures[i] = n
		}
		if err != nil {
			return c, err
		}
	}
	c.Attempts = next()
	ns, n := binary.Varint(b)
	if err != nil || n <= 0 {
		return c, errCounters
	}
	if ns != 0 {
		c.LastSuccess = time.Unix(0, ns)
	}
	c.Durations, _, err = record.ReadHistogram(b[n:])
	return c, err
}
