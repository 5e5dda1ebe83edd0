// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package record

import (
	"time"

	"skywatch/internal/probe"
)

// Counters is what is counted of a series, a check at a target, since it was first seen. It survives a restart.
type Counters struct {
	Check, Target string
	Results       [3]uint64  // by probe.Verdicts
	Failures      [10]uint64 // by probe.Reason; index 0 is unused
	Attempts      uint64
	LastSuccess   time.Time // start of the last successful result
	Durations     Histogram // of the deciding attempts, seconds
}

// Count adds a result that is up, down or inconclusive; others change nothing.
func (c *Counters) Count(v probe.Verdict, reason probe.Reason, attempts int, at time.Time, took time.Duration) {
	if v < probe.Up || v > probe.Inconclusive {
		return
	}
	c.Results[v-probe.Up]++
	c.Attempts += uint64(attempts)
	c.Durations.Observe(took.Seconds())
	if v == probe.Up {
		c.LastSuccess = at
	} else if int(reason) < len(c.Failures) {
		c.Failures[reason]++
	}
}

// Merge adds what was counted elsewhere; Check and Target stay.
func (c *Counters) Merge(other Counters) {
	for i, n := range other.Results {
		c.Results[i] += n
	}
	for i, n := range other.Failures {
		c.Failures[i] += n
	}
	c.Attempts += other.Attempts
	c.Durations.Merge(other.Durations)
	if other.LastSuccess.After(c.LastSuccess) {
		c.LastSuccess = other.LastSuccess
	}
}
