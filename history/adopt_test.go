// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/record"
)

func TestAdopt(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	at := clock.Now()
	st, tr, ds := fallen(1, "old", at, "")
	must(t, s.Record(t.Context(), []record.CheckState{st}, []record.Transition{tr}, ds))
	s.Observe(t.Context(), up("old", at))
	flushNow(t, s)
	s.Observe(t.Context(), up("old", at)) // still waits
	s.Keep([]record.CheckState{st})
	must(t, s.Memory("old", "t").Put("k", []byte("v")))
	for range 2 {
		must(t, s.Adopt(t.Context(), map[string][]string{"new": {"older", "old", "new"}, "other": {"never"}}))
	}
	st.Check, st.LastSuccess = "new", at // results know it better
	flushNow(t, s)
	if diff := cmp.Diff([]record.CheckState{st}, loadStates(t, s)); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	s.Observe(t.Context(), up("new", at))
	if list, err := s.Results(t.Context(), "new", 10); err != nil || len(list) != 3 {
		t.Errorf("%d results, %v, want 3", len(list), err)
	}
	counters := pastOf(t, s)
	if len(counters) != 2 || counters[0].Check != "new" || counters[0].Results[0]+counters[1].Results[0] != 3 {
		t.Errorf("counters %+v", counters)
	}
	if list, err := s.Transitions(t.Context(), "new", 10); err != nil || len(list) != 1 {
		t.Errorf("%d transitions, %v, want 1", len(list), err)
	}
	if got, err := s.Memory("new", "t").Get("k"); err != nil || string(got) != "v" {
		t.Errorf("memory: %q, %v", got, err)
	}
}

// All renames of a configuration are one commit; with nothing to rename there is none.
func TestAdoptCommitsOnce(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	o.Config.MaxSize = 16 << 20
	s := openStore(t, o)
	was := map[string][]string{}
	for id := int64(1); id <= 20; id++ {
		must(t, recordFall(s, id, clock.Now(), ""))
		was[fmt.Sprint("new", id)] = []string{fmt.Sprint("check", id)}
	}
	bytes, commits := s.stateLen, 0
	s.eng.commits = func() { commits++ }
	for range 2 {
		must(t, s.Adopt(t.Context(), was))
	}
	if commits != 1 {
		t.Errorf("%d commits, want 1", commits)
	}
	if more := s.stateLen - bytes; more > 20*100 || more < -20*100 {
		t.Errorf("the states have %d bytes after the renames, %d before, want about as many", s.stateLen, bytes)
	}
}

// Renames that do not fit the log are stored in parts, each within the bound.
func TestAdoptOfMuch(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	o.Config.MaxSize = 1 << 20
	s := openOn(t, o, newDisk(t).engine())
	was := map[string][]string{"everything": {"much"}}
	for id := int64(1); id <= 150; id++ {
		st, tr, ds := fallen(id, "much", clock.Now(), "")
		if id%3 == 0 {
			st.Check = fmt.Sprint("check", id)
			tr.Check = st.Check
			was[fmt.Sprint("renamed to what is much longer than before ", id)] = []string{st.Check}
		}
		must(t, s.Record(t.Context(), []record.CheckState{st}, []record.Transition{tr}, ds))
	}
	w := &boundWatch{t: t, s: s}
	s.eng.commits = func() { w.look("after a commit") }
	must(t, s.Adopt(t.Context(), was))
	if list, err := s.Transitions(t.Context(), "everything", 1000); err != nil || len(list) != 100 {
		t.Errorf("%d transitions, %v, want 100", len(list), err)
	}
	for name := range was {
		if list, err := s.Transitions(t.Context(), name, 1); err != nil || len(list) != 1 {
			t.Errorf("%d transitions of %q, %v, want at least 1", len(list), name, err)
		}
	}
	if states := loadStates(t, s); len(states) != len(was) {
		t.Errorf("%d states, want %d", len(states), len(was))
	}
}

// What cannot be renamed now is renamed once the store takes writes, before the counters of earlier processes are told.
func TestAdoptLater(t *testing.T) {
	rename := map[string][]string{"new": {"check1"}}
	for name, adopt := range map[string]func(t *testing.T, d *disk, s *Store){
		"refused": func(t *testing.T, d *disk, s *Store) {
			d.setFailing(errTest)
			if err := s.Adopt(t.Context(), rename); err == nil {
				t.Error("renamed on a broken disk")
			}
			d.setFailing(nil)
		},
		"busy": func(t *testing.T, _ *disk, s *Store) {
			must(t, s.acquire(t.Context()))
			defer s.release()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.Adopt(ctx, rename); !errors.Is(err, context.Canceled) {
				t.Errorf("renaming beside another call: %v, want it given up", err)
			}
		},
		"closed": func(t *testing.T, _ *disk, s *Store) {
			must(t, s.Close())
			if err := s.Adopt(t.Context(), rename); !errors.Is(err, errClosed) {
				t.Errorf("renaming in a closed file: %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newTestClock()
			d := newDisk(t)
			s := openOn(t, testOptions(t, clock), d.engine())
			must(t, recordFall(s, 1, clock.Now(), ""))
			s.Observe(t.Context(), up("check1", clock.Now()))
			flushNow(t, s)
			s.Observe(t.Context(), up("check1", clock.Now()))
			adopt(t, d, s)
			var past []record.Counters
			s.past = func(told []record.Counters) { past = told }
			flushNow(t, s)
			if list, err := s.Results(t.Context(), "new", 10); err != nil || len(list) != 2 {
				t.Errorf("%d results, %v, want both", len(list), err)
			}
			if states := loadStates(t, s); len(states) != 1 || states[0].Check != "new" {
				t.Errorf("states %v, want one under the new name", states)
			}
			if len(past) > 0 && past[0].Check != "new" {
				t.Errorf("told of the past of %q, want the new name", past[0].Check)
			}
			if s.renamesWait() {
				t.Error("renames still wait")
			}
		})
	}
}
