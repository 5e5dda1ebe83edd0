// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// pastOf stores what waits and gives what a process that opened the file now would be told.
func pastOf(t testing.TB, s *Store) (past []record.Counters) {
	t.Helper()
	flushNow(t, s)
	must(t, s.acquire(t.Context()))
	defer s.release()
	s.past = func(told []record.Counters) { past = told }
	s.tellPast()
	return past
}

// Counters are the same whatever was flushed, folded, overwritten or restarted in between.
func TestCountersCountEverythingOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		clock, d := newTestClock(), newDisk(t)
		o := testOptions(t, clock)
		s := newPatient(o, d.engine())
		s.geo.slots = rapid.Int64Range(2, 50).Draw(rt, "slots")
		slots := s.geo.slots
		must(t, s.Open(t.Context()))
		defer func() { s.Close() }()
		want := map[string]*record.Counters{}
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			switch rapid.IntRange(0, 12).Draw(rt, "step") {
			case 0:
				must(t, s.flush(t.Context()))
			case 1:
				must(t, s.Close())
				s = newPatient(o, d.engine())
				s.geo.slots = slots
				must(t, s.Open(t.Context()))
			case 2:
				clock.step(time.Hour)
			case 3:
				must(t, recordFall(s, clock.Now().UnixNano(), clock.Now(), ""))
			default:
				observeRandom(rt, s, clock, want)
			}
		}
		got := pastOf(t, s)
		list := []record.Counters{}
		for _, name := range []string{"a", "b", "c"} {
			if c := want[name]; c != nil {
				list = append(list, *c)
			}
		}
		if diff := cmp.Diff(list, got, cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })); diff != "" {
			rt.Fatalf("counters (-want +got):\n%s", diff)
		}
	})
}

// A file that opens late gives what was counted before this process, and nothing of what waits to be stored.
func TestPastIsToldOnceHoweverLate(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	first := openStore(t, o)
	first.Observe(background, up("a", clock.step(time.Second)))
	var told [][]record.Counters
	o.Past = func(past []record.Counters) { told = append(told, past) }
	late := New(o)
	if err := late.Open(background); err == nil || told != nil {
		t.Fatalf("opening beside another process: %v, told %v; want an error and nothing", err, told)
	}
	late.Observe(background, up("a", clock.step(time.Second)))
	must(t, first.Close())
	must(t, late.Open(background))
	must(t, late.Close())
	must(t, late.Open(background))
	defer late.Close()
	if len(told) != 1 || len(told[0]) != 1 || told[0][0].Results != [3]uint64{1, 0, 0} {
		t.Errorf("told %v, want once that one result of check a was up", told)
	}
}

func observeRandom(t *rapid.T, s *Store, clock *testClock, want map[string]*record.Counters) {
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "check")
	r := up(name, clock.step(time.Second))
	if rapid.Bool().Draw(t, "down") {
		r = down(name, clock.Now(), "refused")
	}
	r.Took = time.Duration(rapid.IntRange(0, 5000).Draw(t, "took")) * time.Millisecond
	c := want[name]
	if c == nil {
		c = &record.Counters{Check: name, Target: r.Target}
		want[name] = c
	}
	c.Count(r.Verdict, r.Reason, r.Attempts, r.Start, r.Took)
	s.Observe(background, r)
}

func TestCountersOfManyChecksInASmallFile(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	o.Config.MaxSize = 1 << 20
	s := openStore(t, o)
	for range 20 {
		for i := range 400 {
			s.Observe(t.Context(), up(fmt.Sprint("check", i), clock.step(time.Second)))
		}
		flushNow(t, s)
	}
	list := pastOf(t, s)
	for _, c := range list {
		if c.Results[0] != 20 {
			t.Errorf("%s: %d results, want 20", c.Check, c.Results[0])
		}
	}
	if len(list) < 100 {
		t.Errorf("%d checks are counted, want at least 100", len(list))
	}
}

func FuzzDecodeCounters(f *testing.F) {
	c := record.Counters{Attempts: 3, LastSuccess: time.Unix(1, 2)}
	c.Count(probe.Up, probe.ReasonNone, 1, time.Unix(5, 0), time.Second)
	f.Add(encodeCounters(c))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCounters(b)
		if err != nil {
			return
		}
		again, err := decodeCounters(encodeCounters(c))
		if err != nil || again.Attempts != c.Attempts || again.Results != c.Results || again.Failures != c.Failures {
			t.Errorf("%+v comes back as %+v, %v", c, again, err)
		}
	})
}
