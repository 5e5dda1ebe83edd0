// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"cmp"
	"slices"

	"skywatch/internal/record"
)

// event is what a message tells of an incident: its start, how the failing targets changed within it, its end, or some of these.
type event struct{ start, shift, end *record.Transition }

func (e event) last() *record.Transition { return cmp.Or(e.end, e.shift, e.start) }

// failure is what tells of the failures; nil if the message tells of an end alone.
func (e event) failure() *record.Transition {
	switch {
	case e.end == nil:
		return cmp.Or(e.shift, e.start)
	case e.end.Gone:
		return cmp.Or(e.start, e.end)
	}
	return e.start
}

// events pairs the transitions of each incident, by the order of their starts. Failing targets that changed and changed back are none.
func events(ts []record.Transition) []event {
	var all []event
	index := make(map[int64]int)
	for i := range ts {
		t := &ts[i]
		at, known := index[t.Incident]
		switch {
		case opens(*t):
			index[t.Incident] = len(all)
			all = append(all, event{start: t})
		case known && shifts(*t):
			all[at].shift = joinShifts(all[at].shift, t)
		case shifts(*t):
			index[t.Incident] = len(all)
			all = append(all, event{shift: t})
		case known:
			all[at].end = t
		default:
			all = append(all, event{end: t})
		}
	}
	return slices.DeleteFunc(all, event.empty)
}

func (e event) empty() bool {
	return e.start == nil && e.end == nil && e.shift != nil && e.shift.Failing != nil && e.shift.Failing.Unchanged()
}

// joinShifts makes one change of the failing targets of two.
func joinShifts(older, newer *record.Transition) *record.Transition {
	if older == nil || newer.Failing == nil {
		return newer
	}
	joined := *newer
	joined.Failing, joined.Note = newer.Failing.After(older.Failing), cmp.Or(newer.Note, older.Note)
	return &joined
}

// word begins the subject.
func (e event) word() string {
	switch {
	case e.end == nil && e.start == nil:
		return "CHANGED"
	case e.end == nil:
		return "DOWN"
	case e.end.Gone:
		return "GONE"
	}
	return "UP"
}

// note is the latest word on what was reconfigured.
func (e event) note() string {
	for _, t := range []*record.Transition{e.end, e.shift, e.start} {
		if t != nil && t.Note != "" {
			return t.Note
		}
	}
	return ""
}
