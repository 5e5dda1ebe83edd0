// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package record

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

func TestStoredNumbersKeepTheirMeaning(t *testing.T) {
	states := map[State]string{0: "unknown", 1: "up", 2: "degraded", 3: "down", 9: "state9"}
	for number, want := range states {
		if got := number.String(); got != want {
			t.Errorf("state %d is %q, want %q", number, got, want)
		}
	}
	messages := map[MessageState]string{0: "open", 1: "sealed", 2: "sent", 3: "superseded", 4: "parked", 5: "expired", 9: "state9"}
	for number, want := range messages {
		if got := number.String(); got != want {
			t.Errorf("message state %d is %q, want %q", number, got, want)
		}
	}
	if KindAlert != 1 || KindSummary != 2 {
		t.Errorf("message kinds %d and %d, want 1 and 2", KindAlert, KindSummary)
	}
}

func TestCountersCount(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var c Counters
	c.Count(probe.Up, probe.ReasonNone, 2, at, 100*time.Millisecond)
	c.Count(probe.Down, probe.ReasonTLS, 5, at.Add(time.Minute), time.Second)
	c.Count(probe.Inconclusive, probe.ReasonConfig, 1, at.Add(2*time.Minute), 0)
	c.Count(probe.Aborted, probe.ReasonNone, 1, at.Add(3*time.Minute), time.Second)
	c.Count(0, probe.ReasonNone, 1, at, 0)
	want := Counters{Results: [3]uint64{1, 1, 1}, Attempts: 8, LastSuccess: at, Durations: c.Durations}
	want.Failures[probe.ReasonTLS] = 1
	want.Failures[probe.ReasonConfig] = 1
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if got := c.Durations.Count(); got != 3 {
		t.Errorf("%d durations, want 3: an aborted result counts nowhere", got)
	}
}

func TestCountersMerge(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	counts := []func(*Counters){
		func(c *Counters) { c.Count(probe.Up, probe.ReasonNone, 2, at, 100*time.Millisecond) },
		func(c *Counters) { c.Count(probe.Down, probe.ReasonTLS, 5, at.Add(time.Minute), 2*time.Second) },
		func(c *Counters) { c.Count(probe.Up, probe.ReasonNone, 1, at.Add(time.Hour), time.Second) },
		func(c *Counters) { c.Count(probe.Inconclusive, probe.ReasonConfig, 1, at.Add(2*time.Hour), 0) },
	}
	for parted := range 1 << len(counts) {
		want, a, b := Counters{Check: "a", Target: "t"}, Counters{Check: "a", Target: "t"}, Counters{Check: "b", Target: "u"}
		for i, count := range counts {
			count(&want)
			if parted>>i&1 == 1 {
				count(&a)
			} else {
				count(&b)
			}
		}
		before := b.Durations.Count()
		if a.Merge(b); !cmp.Equal(want, a, cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })) {
			t.Errorf("parted as %04b:\n%s", parted, cmp.Diff(want, a))
		}
		if b.Durations.Count() != before {
			t.Errorf("parted as %04b: what was merged has changed", parted)
		}
	}
}
