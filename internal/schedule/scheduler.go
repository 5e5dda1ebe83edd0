// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package schedule

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"skywatch/internal/probe"
)

// Options is what a Scheduler works with.
type Options struct {
	// Run makes the attempts of a check, as probe.Run does, and calls ended once when everything it started has ended: a stray
	// keeps its slot until then.
	Run         func(ctx context.Context, c probe.Check, ended func()) probe.Result
	Judge       probe.Judge           // sees every result first; nil = changes nothing
	Observers   []probe.Observer      // see every judged result, in this order; none sees an aborted one
	Concurrency int                   // probes at the same time; 0 = probe.DefaultConcurrency
	Now         func() time.Time      // wall clock, read once; nil = time.Now
	Registerer  prometheus.Registerer // nil = no metrics
}

// Scheduler runs checks at their times.
type Scheduler struct {
	o        Options
	wall     time.Duration // since 1970, at start
	start    time.Time     // monotonic
	wake     chan struct{} // the dispatcher has something to look at
	lateness prometheus.Histogram

	mu      sync.Mutex // guards what follows
	entries map[string]*entry
	due     dueHeap
	ready   []*entry // waiting for a slot, oldest first
	free    int      // slots; negative after the limit was lowered
	limit   int
}

// New makes a scheduler without checks.
//
// Ticks lie on a time line that is the wall clock at this moment plus monotonic time: the phase of a check is the same after a restart,
// and no step of the clock moves it in between.
func New(o Options) *Scheduler {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Scheduler{
		o: o, wall: time.Duration(o.Now().UnixNano()), start: time.Now(),
		wake: make(chan struct{}, 1), entries: make(map[string]*entry), lateness: newLateness(),
	}
	s.Limit(o.Concurrency)
	if o.Registerer != nil {
		o.Registerer.MustRegister(s.lateness)
	}
	return s
}

// Limit changes how many probes run at the same time; 0 means probe.DefaultConcurrency. Those that run are not stopped.
func (s *Scheduler) Limit(concurrency int) {
	if concurrency <= 0 {
		concurrency = probe.DefaultConcurrency
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += concurrency - s.limit
	s.limit = concurrency
	s.rouse()
}

// now is the present on the scheduler's time line.
func (s *Scheduler) now() time.Duration { return s.wall + time.Since(s.start) }

// rouse makes the dispatcher look again.
func (s *Scheduler) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Apply replaces the checks; names are unique and Every is positive. A check keeps its phase while name and interval stay, and a
// running probe ends with the check as it was. The result of a check that is gone by then is dropped.
func (s *Scheduler) Apply(checks []probe.Check) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	wanted := make(map[string]bool, len(checks))
	for _, c := range checks {
		wanted[c.Name] = true
		s.put(c, now)
	}
	for name, e := range s.entries {
		if !wanted[name] {
			s.drop(e)
		}
	}
	s.rouse()
}

func (s *Scheduler) put(c probe.Check, now time.Duration) {
	e := s.entries[c.Name]
	if e == nil {
		e = &entry{gone: true}
		s.entries[c.Name] = e
	}
	moved := e.gone || e.check.Every != c.Every
	e.check = c
	if !moved {
		return
	}
	e.due = nextTick(now, phase(c.Name, c.Every), c.Every)
	if e.gone {
		e.gone = false
		heap.Push(&s.due, e)
	} else {
		heap.Fix(&s.due, e.index)
	}
}

func (s *Scheduler) drop(e *entry) {
	if !e.gone {
		e.gone = true
		heap.Remove(&s.due, e.index)
	}
	s.forget(e)
}

// forget removes an entry that is gone and has ended.
func (s *Scheduler) forget(e *entry) {
	if e.gone && e.progress == idle {
		delete(s.entries, e.check.Name)
	}
}
