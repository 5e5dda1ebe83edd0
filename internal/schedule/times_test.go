// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package schedule

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

func TestThousandChecksAreSpreadOverTheMinute(t *testing.T) {
	for name, pattern := range patterns {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var checks []probe.Check
				for i := range 1000 {
					checks = append(checks, check(pattern(i+1), time.Minute))
				}
				b := newBench(Options{Concurrency: 1000}, checks...)
				b.begin(t)
				time.Sleep(3*time.Minute - 1)
				b.stop()
				var starts []time.Duration
				perCheck := map[string]int{}
				for _, r := range b.rounds {
					starts = append(starts, r.start)
					perCheck[r.check]++
				}
				for name, n := range perCheck {
					if n != 3 {
						t.Errorf("check %q ran %d times in 3 minutes, want 3", name, n)
					}
				}
				if got := most(starts, time.Hour); len(perCheck) != 1000 || got > 40 {
					t.Errorf("%d checks, %d starts in one second, want 1000 and at most 40", len(perCheck), got)
				}
			})
		})
	}
}

func TestTenThousandChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks []probe.Check
		for i := range 10_000 {
			checks = append(checks, check(patterns["counted"](i), time.Minute))
		}
		b := newBench(Options{}, checks...)
		b.took = func(probe.Check) time.Duration { return 100 * time.Millisecond }
		b.begin(t)
		time.Sleep(2*time.Minute + 10*time.Second)
		missed := b.missed()
		b.stop()
		if len(b.rounds) < 20_000 || b.peak() > probe.DefaultConcurrency {
			t.Errorf("%d rounds, %d at the same time, want 2 of each check and at most %d", len(b.rounds), b.peak(), probe.DefaultConcurrency)
		}
		for name, n := range missed {
			if n > 0 {
				t.Errorf("check %q missed %d ticks, want none", name, n)
			}
		}
	})
}

// startsOf runs a fresh scheduler, as a new process would, and gives the wall clock times of starts.
func startsOf(t *testing.T, lasting time.Duration, checks ...probe.Check) (starts []time.Time) {
	b := newBench(Options{}, checks...)
	b.begin(t)
	time.Sleep(lasting)
	b.stop()
	for _, r := range b.of("watched") {
		starts = append(starts, b.began.Add(r.start))
	}
	return starts
}

func TestPhaseIsEqualAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := startsOf(t, 5*time.Minute, check("watched", time.Minute))
		time.Sleep(7*time.Minute + 13*time.Second)
		second := startsOf(t, 5*time.Minute, check("other", time.Second), check("watched", time.Minute))
		if len(first) != 5 || len(second) != 5 {
			t.Fatalf("%d and %d starts in 5 minutes, want 5 and 5", len(first), len(second))
		}
		if apart := second[0].Sub(first[0]) % time.Minute; apart != 0 {
			t.Errorf("after the restart the phase differs by %s, want 0s", apart)
		}
	})
}

func TestClockStepNeverMovesPhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		b := newBench(Options{Now: func() time.Time {
			reads++
			return time.Now().Add(time.Duration(reads) * 17 * time.Second)
		}}, check("a", 10*time.Second))
		b.begin(t)
		time.Sleep(time.Minute)
		b.Apply([]probe.Check{check("a", 10*time.Second), check("b", 10*time.Second)})
		time.Sleep(time.Minute)
		b.stop()
		rounds := b.of("a")
		if reads != 1 || len(rounds) != 12 {
			t.Fatalf("the wall clock was read %d times for %d rounds, want 1 and 12", reads, len(rounds))
		}
		for i, r := range rounds {
			if want := rounds[0].start + time.Duration(i)*10*time.Second; r.start != want {
				t.Errorf("round %d at %s, want %s", i, r.start, want)
			}
		}
	})
}

func TestShortestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{}, check("a", time.Second))
		b.begin(t)
		time.Sleep(time.Hour)
		b.stop()
		if got := len(b.of("a")); got != 3600 {
			t.Errorf("%d rounds in an hour, want 3600", got)
		}
	})
}

func TestTicksBeforeRunAreNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{}, check("a", time.Second), check("b", time.Second))
		time.Sleep(time.Hour)
		b.begin(t)
		time.Sleep(time.Minute)
		b.stop()
		if diff := cmp.Diff(map[string]uint64{"a": 0, "b": 0}, b.missed()); diff != "" {
			t.Errorf("missed ticks (-want +got):\n%s", diff)
		}
		if got := len(b.of("a")); got != 60 {
			t.Errorf("%d rounds in a minute, want 60", got)
		}
	})
}

func TestProcessThatStoodStillMissesTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{}, check("a", time.Second))
		b.start = b.start.Add(-10 * time.Second) // as if the dispatcher had not been run for 10 s
		starts, wait := b.advance()
		if len(starts) != 1 || wait <= 0 || wait > time.Second {
			t.Errorf("%d starts, then %s to the next, want 1 and at most 1s", len(starts), wait)
		}
		if got := b.missed()["a"]; got < 9 || got > 10 {
			t.Errorf("%d ticks missed, want 9 or 10", got)
		}
	})
}

func BenchmarkDispatch10000(b *testing.B) {
	var checks []probe.Check
	for i := range 10000 {
		checks = append(checks, check(fmt.Sprintf("Website-%d", i), time.Minute))
	}
	s := New(Options{Concurrency: 1 << 30})
	s.Apply(checks)
	b.ReportAllocs()
	for b.Loop() { // one tick of every check
		s.start = s.start.Add(-time.Minute)
		starts, _ := s.advance()
		for _, e := range starts {
			s.end(e.entry, 1)
			s.end(e.entry, 0)
		}
	}
}

func TestNothingToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{})
		b.begin(t)
		time.Sleep(3 * idleWait)
		synctest.Wait()
		b.Apply([]probe.Check{check("late", time.Second)})
		time.Sleep(10 * time.Second)
		if err := b.stop(); err != nil || len(b.of("late")) != 10 {
			t.Errorf("Run gave %v after %d rounds, want nil and 10", err, len(b.of("late")))
		}
	})
}
