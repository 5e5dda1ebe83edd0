// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"database/sql"
	"slices"
)

// foldRows is how many results one step of a folding reads: few enough that others need not wait long for their turn.
const foldRows = 20_000

// foldPages is how many pages one step writes at most, for the same reason.
const foldPages = 200

// folding moves the results below end into the saved counters, in steps between which others have their turn. Each series is saved with
// its own watermark, so one that is broken off, by a crash or an error, leaves nothing counted twice.
type folding struct {
	pos, end int64
	all      map[int64]*counted
	unsaved  []int64 // series, once all is counted
}

// fold brings the saved counters up to date.
func (s *Store) fold() error {
	for s.folded < s.results.next {
		if err := s.foldStep(); err != nil {
			return err
		}
	}
	return nil
}

// foldStep does the next step of the folding under way, or begins one when there is something to fold.
func (s *Store) foldStep() (err error) {
	if s.folding == nil && s.folded >= s.results.next {
		s.foldDue = false
		return nil
	}
	f := s.folding
	switch {
	case f == nil:
		f = &folding{pos: max(s.folded, s.results.oldest()), end: s.results.next}
		f.all, err = s.savedCounters()
		s.folding = f
	case f.pos < f.end:
		to := min(f.pos+foldRows, f.end)
		err = s.countRows(f.all, f.pos, to)
		if f.pos = to; to == f.end {
			f.settle()
		}
	case len(f.unsaved) > 0:
		f.unsaved, err = s.saveCounters(f.unsaved, f.all, f.end)
	default:
		err = s.endFolding(f.end)
	}
	if err != nil {
		s.folding = nil // what was counted is begun again
	}
	return err
}

// settle lists the series to be saved, in the order of their table.
func (f *folding) settle() {
	for id, c := range f.all {
		if c.changed {
			f.unsaved = append(f.unsaved, id)
		}
	}
	slices.Sort(f.unsaved)
}

func (s *Store) endFolding(end int64) error {
	if err := s.write(2, func(tx *sql.Tx) error { return setMeta(tx, "folded", end) }); err != nil {
		return err
	}
	s.folded, s.foldDue, s.folding = end, false, nil
	return nil
}

// saveCounters writes the first of the given series as far as one transaction goes, and gives the rest.
func (s *Store) saveCounters(ids []int64, all map[int64]*counted, end int64) (rest []int64, err error) {
	var bodies [][]byte
	bytes, pages := 0, min(s.geo.txn/2, foldPages)
	for _, id := range ids {
		body := encodeCounters(all[id].Counters)
		bytes += len(body) + 16
		bodies = append(bodies, body)
		if int64(2*bytes/pageFill+reservePages) > pages {
			break
		}
	}
	err = s.write(pages+reservePages, func(tx *sql.Tx) error {
		for i, body := range bodies {
			_, err := tx.Exec(`INSERT INTO counters (series, seq, body) VALUES (?, ?, ?)
				ON CONFLICT (series) DO UPDATE SET seq = excluded.seq, body = excluded.body`, ids[i], end, body)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return ids[len(bodies):], err
}
