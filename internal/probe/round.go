// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"sync"
	"sync/atomic"
)

// maxRoundTrace bounds the traces that are kept of a round of a scheduled check with many targets, in bytes.
const maxRoundTrace = 1 << 20

// Round makes one round of a check, whatever the number of its targets, and gives the one result of them all. run makes the attempts at
// one target, as Run does, and calls its last argument once everything that it started has ended. ended, nil = nothing, is called once
// that is so of all targets.
//
// Targets are probed side by side, PartsAtOnce of them at the same time, each with the check's own attempts and timeout. When ctx ends,
// those that were not begun are not begun any more.
func Round(ctx context.Context, c Check, run func(ctx context.Context, c Check, ended func()) Result, ended func()) Result {
	if ended == nil {
		ended = func() {}
	}
	if len(c.Parts) == 0 {
		return run(ctx, c, ended)
	}
	r := &round{check: c, results: make([]Result, len(c.Parts))}
	r.running.Store(int64(len(c.Parts)))
	var all sync.WaitGroup
	for range min(len(c.Parts), PartsAtOnce) {
		all.Go(func() {
			for i := r.next(); i < len(c.Parts); i = r.next() {
				r.part(ctx, i, run, ended)
			}
		})
	}
	all.Wait()
	return combine(c, r.results)
}

// round is a round of a check with many targets.
type round struct {
	check   Check
	begun   atomic.Int64 // parts
	running atomic.Int64 // parts that have not ended, those to come included

	mu      sync.Mutex
	results []Result
	traces  int // bytes of those that are kept
}

// next gives the index of a part that was not begun.
func (r *round) next() int { return int(r.begun.Add(1)) - 1 }

func (r *round) part(ctx context.Context, i int, run func(context.Context, Check, func()) Result, ended func()) {
	over := sync.OnceFunc(func() {
		if r.running.Add(-1) == 0 {
			ended()
		}
	})
	result := Result{Target: r.check.Parts[i].Target.String(), Verdict: Aborted}
	if ctx.Err() == nil {
		result = run(ctx, r.check.part(i), over)
	} else {
		over()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[i] = result
	if r.check.Origin != OriginCommand { // whoever runs it by hand wants to see all
		r.trim(i)
	}
}

// trim keeps the samples and traces of many targets in bounds: the traces of failures stay longest.
func (r *round) trim(i int) {
	r.results[i] = r.results[i].Keep(len(r.results))
	r.results[i].Samples = copySamples(r.results[i].Samples)
	r.traces += r.results[i].Trace.size()
	for _, spared := range []bool{true, false} {
		for j := len(r.results) - 1; j > 0 && r.traces > maxRoundTrace; j-- {
			if one := &r.results[j]; one.Success() || !spared {
				r.traces -= one.Trace.size()
				one.Trace = Trace{}
			}
		}
	}
}
