// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package schedule

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"skywatch/internal/probe"
)

// Run starts checks at their ticks until ctx ends. Then running probes are cancelled, and Run returns when they and their fan-out
// have ended. A prober that ignores its context is not waited for.
func (s *Scheduler) Run(ctx context.Context) error {
	var started sync.WaitGroup
	defer started.Wait()
	s.skip()
	s.rouse() // for the first look
	timer := time.NewTimer(idleWait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.wake:
		}
		starts, wait := s.advance()
		for _, e := range starts {
			started.Go(func() { s.run(ctx, e.entry, e.check) })
		}
		timer.Reset(wait)
	}
}

// skip moves ticks that passed before Run to the future; nobody missed them.
func (s *Scheduler) skip() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, e := range s.due {
		e.due = nextTick(now, e.due, e.check.Every)
	}
	heap.Init(&s.due)
}

// start is a check to be run now, as it is configured now.
type start struct {
	entry *entry
	check probe.Check
}

// idleWait is how long the dispatcher sleeps without checks.
const idleWait = time.Hour

// advance takes note of all ticks that have come, gives what to start, and how long it is to the next tick.
func (s *Scheduler) advance() (starts []start, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for len(s.due) > 0 && s.due[0].due <= now {
		s.tick(s.due[0], now)
		heap.Fix(&s.due, 0)
	}
	for s.free > 0 && len(s.ready) > 0 {
		e := s.ready[0]
		s.ready[0] = nil
		s.ready = s.ready[1:]
		if e.gone {
			e.progress = idle
			s.forget(e)
			continue
		}
		s.free--
		e.progress, e.parts = running, 2
		s.lateness.Observe((now - e.tick).Seconds())
		starts = append(starts, start{e, e.check})
	}
	if len(s.due) == 0 {
		return starts, idleWait
	}
	return starts, s.due[0].due - now
}

// tick deals with the latest tick of an entry that is due: it counts if the check is free, else it is missed. So are those before it,
// which pass unseen only when the whole process stood still.
func (s *Scheduler) tick(e *entry, now time.Duration) {
	every := e.check.Every
	passed := (now - e.due) / every
	latest := e.due + passed*every
	e.due = latest + every
	e.missed += uint64(passed)
	if e.progress != idle {
		e.missed++
		return
	}
	e.progress, e.tick = waiting, latest
	s.ready = append(s.ready, e)
}

// run makes one round of a check: probe, judge, observers. The slot is held for the probe alone; the check is busy until all ended.
func (s *Scheduler) run(ctx context.Context, e *entry, c probe.Check) {
	defer s.end(e, 0)
	result := s.o.Run(ctx, c, sync.OnceFunc(func() { s.end(e, 1) }))
	if result.Verdict == probe.Aborted {
		return
	}
	if s.o.Judge != nil {
		result = s.o.Judge.Judge(ctx, result)
	}
	if result.Verdict == probe.Aborted || s.isGone(e) {
		return
	}
	lasting := context.WithoutCancel(ctx) // what was found out before the end is still recorded
	for _, o := range s.o.Observers {
		o.Observe(lasting, result)
	}
}

// end notes that a part of a running check has ended, and how many slots that frees.
func (s *Scheduler) end(e *entry, slots int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += slots
	if slots > 0 && len(s.ready) > 0 {
		s.rouse()
	}
	if e.parts--; e.parts == 0 {
		e.progress = idle
		s.forget(e)
	}
}

func (s *Scheduler) isGone(e *entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.gone
}
