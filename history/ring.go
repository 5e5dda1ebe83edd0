// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"database/sql"
	"errors"
	"sort"
)

// ring is a table of slots that are reused in turn: the row of sequence s lies in slot s modulo slots.
type ring struct {
	table string
	slots int64
	next  int64 // sequence of the next row
	first int64 // rows below were removed for want of room
}

func (r ring) slot(seq int64) int64 { return seq % r.slots }

// oldest is the smallest sequence whose slot has not been reused.
func (r ring) oldest() int64 { return max(0, r.next-r.slots) }

// slotRange is an inclusive range of slots whose sequences grow with the slot.
type slotRange struct{ first, last int64 }

// ranges gives the slots of the sequences [from, to) that can be there, in the order of the sequences.
func (r ring) ranges(from, to int64) []slotRange {
	from, to = max(from, r.oldest()), min(to, r.next)
	if r.slots == 0 || from >= to {
		return nil
	}
	first, last := r.slot(from), r.slot(to-1)
	if first <= last {
		return []slotRange{{first, last}}
	}
	return []slotRange{{first, r.slots - 1}, {0, last}}
}

// findNext finds the next sequence of a table. Slot 0 holds the start of the running round, and from there on the slots up to the
// newest row hold what belongs there, so halving finds it; without slot 0 all rows are looked at.
func (r ring) findNext(q querier) (int64, error) {
	if r.slots == 0 {
		return 0, nil
	}
	start, err := r.at(q, 0)
	if errors.Is(err, sql.ErrNoRows) {
		err = q.QueryRow("SELECT coalesce(max(seq) + 1, 0) FROM " + r.table).Scan(&start)
		return start, err
	}
	if err != nil {
		return 0, err
	}
	n := sort.Search(int(r.slots), func(i int) bool {
		if err != nil {
			return true
		}
		seq, e := r.at(q, int64(i))
		if e != nil && !errors.Is(e, sql.ErrNoRows) {
			err = e
		}
		return e != nil || seq != start+int64(i)
	})
	return start + int64(n), err
}

func (r ring) at(q querier, slot int64) (seq int64, err error) {
	err = q.QueryRow("SELECT seq FROM "+r.table+" WHERE slot = ?", slot).Scan(&seq)
	return seq, err
}
