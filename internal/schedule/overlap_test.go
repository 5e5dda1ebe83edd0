// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package schedule

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"skywatch/internal/probe"
)

func wantNoOverlap(t *testing.T, rounds []round) {
	t.Helper()
	for i := 1; i < len(rounds); i++ {
		if rounds[i].start < rounds[i-1].end {
			t.Errorf("round %d began at %s, before round %d ended at %s", i, rounds[i].start, i-1, rounds[i-1].end)
		}
	}
}

func TestSlowCheckSkipsTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{}, check("slow", 2*time.Second), check("fast", time.Second))
		b.took = func(c probe.Check) time.Duration {
			if c.Name == "slow" {
				return 5 * time.Second
			}
			return 0
		}
		b.begin(t)
		time.Sleep(time.Minute)
		missed := b.missed()
		b.stop()
		slow, fast := b.of("slow"), b.of("fast")
		wantNoOverlap(t, slow)
		for i := 1; i < len(slow); i++ {
			if apart := slow[i].start - slow[i-1].start; apart != 6*time.Second {
				t.Errorf("rounds are %s apart, want 6s: at its own ticks, never queued", apart)
			}
		}
		if len(slow) != 10 || missed["slow"] < 19 || missed["slow"] > 20 {
			t.Errorf("slow: %d rounds, %d missed, want 10 and 19 or 20", len(slow), missed["slow"])
		}
		if len(fast) != 60 || missed["fast"] != 0 {
			t.Errorf("fast: %d rounds, %d missed, want 60 and 0", len(fast), missed["fast"])
		}
	})
}

func TestStrayKeepsSlotAndCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{Concurrency: 1}, check("stray", time.Second), check("other", time.Second))
		b.stray = 10 * time.Second
		b.begin(t)
		time.Sleep(time.Minute)
		b.stop()
		if got := b.peak(); got != 1 {
			t.Errorf("%d probers at the same time, want 1", got)
		}
		if n := len(b.of("stray")) + len(b.of("other")); n < 5 || n > 7 {
			t.Errorf("%d rounds in a minute of 10 s each, want about 6", n)
		}
	})
}

func TestShutdownDoesNotWaitForStray(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{}, check("stray", time.Second))
		b.stray = time.Hour
		b.begin(t)
		time.Sleep(2 * time.Second)
		asked := time.Now()
		b.cancel()
		<-b.done
		if took := time.Since(asked); took != 0 {
			t.Errorf("Run ended %s after its context, want 0s", took)
		}
		b.strays.Wait()
	})
}

func TestConcurrencyIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks []probe.Check
		for i := range 50 {
			checks = append(checks, check(patterns["counted"](i), 10*time.Second))
		}
		b := newBench(Options{Concurrency: 3}, checks...)
		b.took = func(probe.Check) time.Duration { return time.Second }
		b.begin(t)
		time.Sleep(time.Minute)
		if got := b.peak(); got != 3 {
			t.Errorf("%d probes at the same time, want 3", got)
		}
		b.Limit(20)
		time.Sleep(time.Minute)
		b.stop()
		if got := b.peak(); got <= 3 || got > 20 {
			t.Errorf("%d probes at the same time, want more than 3 and at most 20", got)
		}
		for _, c := range checks {
			wantNoOverlap(t, b.of(c.Name))
			if len(b.of(c.Name)) == 0 {
				t.Errorf("check %q never ran, want a turn for each", c.Name)
			}
		}
	})
}

func TestSlowObserverHoldsItsCheckOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &observed{hook: func(_ context.Context, r probe.Result) {
			if r.Check == "a" {
				time.Sleep(1500 * time.Millisecond)
			}
		}}
		b := newBench(Options{Concurrency: 1, Observers: []probe.Observer{slow}}, check("a", time.Second), check("b", time.Second))
		b.begin(t)
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		missed := b.missed()
		b.stop()
		if missed["a"] < 4 || missed["b"] != 0 {
			t.Errorf("missed %v, want about half of a's ticks and none of b's", missed)
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		b := newBench(Options{Registerer: reg}, check("a", 10*time.Second))
		b.took = func(probe.Check) time.Duration { return 11 * time.Second }
		b.begin(t)
		time.Sleep(time.Minute)
		families, err := reg.Gather()
		b.stop()
		if err != nil || len(families) != 1 {
			t.Fatalf("%d families and %v, want 1 and no error", len(families), err)
		}
		if h := families[0]; h.GetName() != "skywatch_schedule_lateness_seconds" || h.Metric[0].Histogram.GetSampleCount() != 3 {
			t.Errorf("got %v, want 3 starts in skywatch_schedule_lateness_seconds", h)
		}
		if missed, unknown := b.Missed("a"), b.Missed("b"); missed != 3 || unknown != 0 {
			t.Errorf("%d ticks of a check missed, %d of one that is not there, want 3 and 0", missed, unknown)
		}
	})
}
