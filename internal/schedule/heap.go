// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package schedule

import (
	"time"

	"skywatch/internal/probe"
)

// progress is where a check stands with its latest tick.
type progress uint8

const (
	idle    progress = iota
	waiting          // for a slot
	running          // its probe, a stray of it, judge or observers
)

// entry is a scheduled check. Scheduler.mu guards it.
type entry struct {
	check    probe.Check
	due      time.Duration // its next tick
	index    int           // in dueHeap
	tick     time.Duration // the tick that waits or runs
	progress progress
	parts    uint8 // of a running check, what has not ended: the probe, and the fan-out
	gone     bool  // no longer configured; kept until it has ended, so that it cannot overlap a namesake
	missed   uint64
}

// dueHeap implements heap.Interface: the entry that is due first comes first.
type dueHeap []*entry

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due < h[j].due }

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *dueHeap) Push(x any) {
	e := x.(*entry)
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
