// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package schedule

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

func TestMain(m *testing.M) { probetest.Main(m) }

// round is a probe that ran.
type round struct {
	check      string
	module     string
	start, end time.Duration // on the time line of the bench
}

// bench is a scheduler in virtual time with a scripted probe.
type bench struct {
	*Scheduler
	began time.Time
	took  func(c probe.Check) time.Duration // of a probe
	stray time.Duration                     // how much longer the prober runs than its probe

	mu      sync.Mutex
	rounds  []round
	active  int
	busiest int
	strays  sync.WaitGroup

	cancel context.CancelFunc
	done   chan error
}

func newBench(o Options, checks ...probe.Check) *bench {
	b := &bench{began: time.Now(), took: func(probe.Check) time.Duration { return 0 }, done: make(chan error, 1)}
	if o.Run == nil {
		o.Run = b.probe
	}
	b.Scheduler = New(o)
	b.Apply(checks)
	return b
}

func (b *bench) begin(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b.cancel = cancel
	go func() { b.done <- b.Run(ctx) }()
}

// missed gives the missed ticks of all checks.
func (b *bench) missed() map[string]uint64 {
	b.Scheduler.mu.Lock()
	names := slices.Collect(maps.Keys(b.entries))
	b.Scheduler.mu.Unlock()
	all := make(map[string]uint64)
	for _, name := range names {
		all[name] = b.Missed(name)
	}
	return all
}

// stop ends the scheduler and waits for it.
func (b *bench) stop() error {
	b.cancel()
	err := <-b.done
	b.strays.Wait()
	return err
}

func (b *bench) probe(ctx context.Context, c probe.Check, ended func()) probe.Result {
	result := probe.Result{Check: c.Name, Module: c.Module.Name, Verdict: probe.Up}
	b.enter(+1)
	start := time.Since(b.began)
	if !wait(ctx, b.took(c)) {
		result.Verdict = probe.Aborted
	}
	leave := func() {
		b.enter(-1)
		ended()
	}
	if b.stray > 0 {
		b.strays.Go(func() { time.Sleep(b.stray); leave() })
	} else {
		leave()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rounds = append(b.rounds, round{c.Name, c.Module.Name, start, time.Since(b.began)})
	return result
}

// wait lets a time pass, and tells whether ctx did not end first. No time needs no timer: those of a bubble that are due at once crash the race
// detector of Go 1.26 now and then.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (b *bench) enter(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.active += n
	b.busiest = max(b.busiest, b.active)
}

// peak is the largest number of probers that ran at the same time.
func (b *bench) peak() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.busiest
}

// of gives the rounds of a check.
func (b *bench) of(check string) (rounds []round) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.rounds {
		if r.check == check {
			rounds = append(rounds, r)
		}
	}
	return rounds
}

func check(name string, every time.Duration) probe.Check {
	return probe.Check{Name: name, Every: every, Module: &probe.Module{Name: "first"}, Timeout: time.Second}
}

// observed collects the results an observer gets.
type observed struct {
	mu   sync.Mutex
	all  []probe.Result
	hook func(ctx context.Context, r probe.Result)
}

func (o *observed) Observe(ctx context.Context, r probe.Result) {
	if o.hook != nil {
		o.hook(ctx, r)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, r)
}

func (o *observed) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.all)
}
