// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"skywatch/internal/probe"
)

func TestRangesNameTheSlotsOfSequences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := ring{slots: rapid.Int64Range(0, 20).Draw(t, "slots")}
		if r.slots > 0 {
			r.next = rapid.Int64Range(0, 100).Draw(t, "next")
		}
		from, to := rapid.Int64Range(-5, 110).Draw(t, "from"), rapid.Int64Range(-5, 110).Draw(t, "to")
		var want, got []int64
		for seq := max(from, r.oldest(), 0); seq < min(to, r.next); seq++ {
			want = append(want, r.slot(seq))
		}
		for _, part := range r.ranges(from, to) {
			for slot := part.first; slot <= part.last; slot++ {
				got = append(got, slot)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v: slots of [%d, %d): %v, want %v", r, from, to, got, want)
		}
	})
}

// seqs gives the sequences that are stored, in order.
func seqs(t testing.TB, s *Store, table string) (list []int64) {
	t.Helper()
	rows, err := s.db.Query("SELECT seq FROM " + table + " ORDER BY seq")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			t.Fatal(err)
		}
		list = append(list, seq)
	}
	return list
}

// A ring keeps the newest results through any order of filling, restarts and changes of its size, and goes on counting.
func TestRingKeepsTheNewest(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	rapid.Check(t, func(rt *rapid.T) {
		d := newDisk(t)
		o.Config.Path = t.TempDir() + "/ring.db"
		stored := int64(0)
		kept := int64(0) // at most so many of them
		for range rapid.IntRange(1, 6).Draw(rt, "rounds") {
			s := newPatient(o, d.engine())
			slots := rapid.Int64Range(1, 40).Draw(rt, "slots")
			s.geo.slots = slots
			if err := s.Open(t.Context()); err != nil {
				rt.Fatal(err)
			}
			kept = min(kept, slots)
			for range rapid.IntRange(0, 60).Draw(rt, "results") {
				s.Observe(t.Context(), up(fmt.Sprint("check", stored%3), clock.step(time.Second)))
				stored++
				kept = min(kept+1, slots)
			}
			if err := s.flush(t.Context()); err != nil {
				rt.Fatal(err)
			}
			var want []int64
			for seq := stored - kept; seq < stored; seq++ {
				want = append(want, seq)
			}
			if got := seqs(t, s, "result"); !slices.Equal(got, want) || s.results.next != stored {
				rt.Fatalf("%d slots hold %v, want %v; next %d, want %d", slots, got, want, s.results.next, stored)
			}
			list, err := s.Recent(t.Context(), 100)
			if err != nil || len(list) != int(kept) {
				rt.Fatalf("recent: %d results, %v, want %d", len(list), err, kept)
			}
			if err := s.Close(); err != nil {
				rt.Fatal(err)
			}
		}
	})
}

// A crash in the middle of a change of size loses nothing: the next start goes on, even with another size.
func TestResizeGoesOnAfterACrash(t *testing.T) {
	clock := newTestClock()
	d := newDisk(t)
	o := testOptions(t, clock)
	s := newPatient(o, d.engine())
	s.geo.slots = 1000
	must(t, s.Open(t.Context()))
	for range 1500 {
		s.Observe(t.Context(), up("a", clock.step(time.Second)))
	}
	flushNow(t, s)
	must(t, s.Close())

	s = newPatient(o, d.engine())
	s.geo.slots, s.geo.txn = 800, 20 // small chunks
	commits := 0
	s.eng.commits = func() {
		if commits++; commits == 3 {
			d.setFailing(errTest)
		}
	}
	if err := s.Open(t.Context()); err == nil {
		t.Fatal("the start succeeded, want it interrupted")
	}
	s.Close()
	d.setFailing(nil)

	s = newPatient(o, d.engine())
	s.geo.slots = 700
	must(t, s.Open(t.Context()))
	defer s.Close()
	got := seqs(t, s, "result")
	if len(got) != 700 || got[0] != 800 || got[699] != 1499 || s.results.next != 1500 {
		t.Errorf("%d results, next %d, want the newest 700 of 1500", len(got), s.results.next)
	}
	if moving, err := s.exists("result_old"); moving || err != nil {
		t.Errorf("old table still there: %v, %v", moving, err)
	}
}

// Time ranges stay right when the clock steps: nothing is keyed by time.
func TestTalliesSurviveClockSteps(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	begin := clock.Now()
	for _, step := range []time.Duration{0, 90 * time.Minute, -5 * time.Hour, 24 * time.Hour, -24 * time.Hour, 45 * time.Minute} {
		clock.step(step)
		for i := range 10 {
			r := up("a", clock.step(time.Second))
			if i == 9 {
				r = down("a", clock.Now(), "refused")
			}
			s.Observe(t.Context(), r)
		}
		flushNow(t, s)
	}
	for i := range 2 {
		all, err := s.Tallies(t.Context(), begin.Add(-240*time.Hour), begin.Add(240*time.Hour))
		if err != nil || len(all) != 1 || all[0].Up != 54 || all[0].Down != 6 || all[0].Attempts != 54+30 || all[0].TookMax != 12*time.Millisecond {
			t.Errorf("pass %d: tally of all: %+v, %v", i, all, err)
		}
		first, err := s.Tallies(t.Context(), begin, begin.Add(time.Minute))
		if err != nil || len(first) != 1 || first[0].Up != 9 || first[0].Down != 1 {
			t.Errorf("pass %d: tally of the first minute: %+v, %v", i, first, err)
		}
		s = reopenStore(t, s)
	}
}

func TestQueueDropsTheOldest(t *testing.T) {
	clock := newTestClock()
	s := New(testOptions(t, clock)) // never opened: everything waits
	for i := range queueSize + 5 {
		s.Observe(t.Context(), down(fmt.Sprint(i), clock.Now(), "x"))
	}
	rows, base := s.waiting(queueSize + 10)
	if len(rows) != queueSize || base != 5 || rows[0].check != "5" {
		t.Errorf("%d wait from position %d (%s), want %d from 5", len(rows), base, rows[0].check, queueSize)
	}
	if err := s.Err(); err == nil {
		t.Error("a store that was never opened takes writes")
	}
}

func TestQueueBoundsTraces(t *testing.T) {
	var q queue
	for range 5 {
		q.push(pending{trace: make([]byte, queueTraceBytes/2)})
	}
	if q.traces > queueTraceBytes || q.rows[4].trace != nil {
		t.Errorf("%d bytes of traces wait, want at most %d", q.traces, queueTraceBytes)
	}
	q.drop(10)
	if q.traces != 0 || q.rows != nil || q.base != 5 {
		t.Errorf("after dropping all: %+v", q)
	}
}

func TestVerdictsAreStored(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	for _, v := range probe.Verdicts() {
		r := up("a", clock.Now())
		r.Verdict = v
		s.Observe(t.Context(), r)
	}
	flushNow(t, s)
	list, err := s.Results(t.Context(), "a", 10)
	if err != nil || len(list) != 3 {
		t.Fatalf("%d results, %v", len(list), err)
	}
	for i, v := range []probe.Verdict{probe.Inconclusive, probe.Down, probe.Up} {
		if list[i].Verdict != v {
			t.Errorf("result %d is %s, want %s", i, list[i].Verdict, v)
		}
	}
}
