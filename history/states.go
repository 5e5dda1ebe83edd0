// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"database/sql"
	"encoding/json"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"skywatch/internal/record"
)

// statesEvery is how often states are written that only grew older: when they were last seen, or last succeeded.
const statesEvery = time.Hour

// Keep takes states to be written with a later flush; it never waits. A state in which only times moved on is written once an hour and
// at the end.
func (s *Store) Keep(states []record.CheckState) {
	if s.readOnly {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range states {
		s.kept[st.Check] = st
	}
}

// supersedeKept drops what Keep took before of states that were recorded since, so that no later flush brings the older ones back.
func (s *Store) supersedeKept(recorded []record.CheckState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range recorded {
		delete(s.kept, st.Check)
	}
}

// essence is a hash of what is written at once.
func (s *Store) essence(st record.CheckState) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	st.LastSuccess, st.LastSeen = time.Time{}, time.Time{}
	json.NewEncoder(&h).Encode(st) // plain values into memory
	return h.Sum64() | 1
}

// dueStates takes what is to be written now out of what is kept, in the order of the table.
func (s *Store) dueStates(everything bool) (due []record.CheckState) {
	s.mu.Lock()
	kept := s.kept
	s.kept = map[string]record.CheckState{}
	s.mu.Unlock()
	var later []record.CheckState
	for name, st := range kept {
		if everything || s.states[name] != s.essence(st) {
			due = append(due, st)
		} else {
			later = append(later, st)
		}
	}
	s.keepAgain(later)
	slices.SortFunc(due, func(a, b record.CheckState) int { return strings.Compare(a.Check, b.Check) })
	return due
}

// keepAgain puts back what was not written, unless something newer has come.
func (s *Store) keepAgain(states []record.CheckState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range states {
		if _, newer := s.kept[st.Check]; !newer {
			s.kept[st.Check] = st
		}
	}
}

// writeStates writes the kept states that are due. It needs the turn.
func (s *Store) writeStates(everything bool) error {
	now := s.now()
	hourly := now.Sub(s.statesAt).Abs() >= statesEvery
	due := s.dueStates(everything || hourly)
	for len(due) > 0 {
		n, pages := 0, int64(reservePages)
		for n < len(due) && (n == 0 || pages+statePages(due[n:n+1]) <= s.rawPages()) {
			pages += statePages(due[n : n+1])
			n++
		}
		part := due[:n]
		if err := s.write(pages, func(tx *sql.Tx) error { return s.storeStates(tx, part) }); err != nil {
			s.keepAgain(due)
			return err
		}
		s.statesWritten(part)
		due = due[n:]
	}
	if hourly {
		s.statesAt = now
	}
	return nil
}

func stateBytes(st record.CheckState) int {
	n := len(st.Check) + len(st.Module) + len(st.Target) + len(st.Err) + 64
	for _, f := range st.Facts {
		n += len(f.Key) + len(f.Value) + 20
	}
	return n + targetsBytes(st.Targets)
}

// targetsBytes is what the targets of a check with many take.
func targetsBytes(t record.Targets) int {
	if t.Total == 0 {
		return 0
	}
	n := 100 + len(t.Set)*4/3
	for _, name := range t.Names {
		n += len(name) + 4
	}
	return n
}

// statePages is a careful count of the pages that writing states dirties: they lie anywhere in their table.
func statePages(states []record.CheckState) (pages int64) {
	for _, st := range states {
		pages += 2 + int64(stateBytes(st))/pageFill
	}
	return pages
}

// storeStates writes states. Beyond their share of the file, those outside an incident go without facts, and new ones not at all.
func (s *Store) storeStates(tx *sql.Tx, states []record.CheckState) error {
	added := int64(0)
	for _, st := range states {
		_, known := s.states[st.Check]
		full := st.Incident == 0 && s.stateLen+added > s.geo.states
		if full && !known {
			continue
		}
		if full {
			st.Facts = nil
		}
		if !known {
			added += int64(stateBytes(st))
		}
		if err := storeState(tx, st); err != nil {
			return err
		}
	}
	return nil
}

// storeState writes a state.
func storeState(tx *sql.Tx, st record.CheckState) error {
	facts, err := json.Marshal(st.Facts)
	if err != nil {
		return err
	}
	targets := []byte(nil)
	if st.Targets.Total > 0 {
		if targets, err = json.Marshal(st.Targets); err != nil {
			return err
		}
	}
	_, err = tx.Exec(`INSERT OR REPLACE INTO state (name, module, target, state, since, last_success, last_seen, incident, reason, err, facts, targets)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, st.Check, st.Module, st.Target, int64(st.State), toNano(st.Since), toNano(st.LastSuccess),
		toNano(st.LastSeen), st.Incident, int64(st.Reason), st.Err, string(facts), string(targets))
	return err
}

// statesWritten remembers what was committed.
func (s *Store) statesWritten(states []record.CheckState) {
	for _, st := range states {
		if _, known := s.states[st.Check]; !known {
			if st.Incident == 0 && s.stateLen > s.geo.states {
				continue
			}
			s.stateLen += int64(stateBytes(st))
		}
		s.states[st.Check] = s.essence(st)
	}
}

func (s *Store) loadStateNames() error {
	s.states, s.stateLen, s.statesAt = map[string]uint64{}, 0, s.now()
	return each(s.db, "SELECT name, length(facts) + length(err) + length(target) + length(targets) + 100 FROM state", nil, func(rows *sql.Rows) error {
		var name string
		var n int64
		err := rows.Scan(&name, &n)
		s.states[name] = 0
		s.stateLen += n + int64(len(name))
		return err
	})
}
