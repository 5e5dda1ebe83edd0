// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What a prober gets to end after its deadline: first its reads fail, then its connections are closed.
const (
	graceRead  = 50 * time.Millisecond
	graceClose = 50 * time.Millisecond
)

// The bounds of foreign text in a result.
const (
	maxErrBytes  = 2000
	maxFactBytes = 1000
)

// Env is what a run needs from outside. The zero value works.
type Env struct {
	Now    func() time.Time // wall clock; nil = time.Now
	Log    slog.Handler     // where probers' records go besides the trace; nil = nowhere
	Store  Store            // nil = a memory that ends with the run
	Cache  Store            // nil = a memory that ends with the run
	Shared Store            // nil = a memory that ends with the run
	Alone  sync.Locker      // of all runs that have memories in common, see Recorder.Alone; nil = this run has its own
	Gate   Gate             // asked before secrets are sent; nil = nobody is
	Grace  time.Duration    // how long, each time, a prober gets to end after its deadline; 0 = graceRead and graceClose. For tests on busy machines
	Strays *atomic.Int64    // counts probers that still run after their deadline; nil = not counted
	Ended  func()           // called once, when everything the run started has ended: at return, or later for a stray; nil = nothing
}

// Run makes the attempts of a check and gives their one result. It is the one choke point: deadline, attempts, panic capture,
// duration, trace and masking are here and nowhere else.
//
// Each attempt has c.Timeout. A failure is tried again after c.RetryDelay, c.Attempts times in all, if its reason is Retryable.
// When ctx ends first the verdict is Aborted. Run returns at most 100 ms after the deadline (without env.Grace) even if the prober ignores its
// context; such a prober is counted in env.Strays until it ends, and is not tried again.
func Run(ctx context.Context, c Check, env Env) Result {
	if env.Now == nil {
		env.Now = time.Now
	}
	if env.Store == nil {
		env.Store = new(MemoryStore)
	}
	if env.Cache == nil {
		env.Cache = new(MemoryStore)
	}
	if env.Shared == nil {
		env.Shared = new(MemoryStore)
	}
	if env.Alone == nil {
		env.Alone = new(sync.Mutex)
	}
	if env.Ended == nil {
		env.Ended = func() {}
	}
	trace := &traceBuffer{start: time.Now(), secrets: c.Module.Secrets, head: make([]Line, 0, 6)}
	trace.hide(c.Target.Secrets()...)
	res := Result{
		Check: c.Name, Module: c.Module.Name, Prober: c.Module.Kind, Target: c.Target.String(), Origin: c.Origin,
		Start: env.Now(), Timeout: c.Timeout, Trace: Trace{trace},
	}
	stray := false
	for {
		start := env.Now()
		res.Attempts++
		stray = attempt(ctx, c, env, trace, &res)
		if res.Verdict == Up || res.Verdict == Aborted {
			break
		}
		if res.Failing.IsZero() {
			res.Failing = start
		}
		if stray || !res.Reason.Retryable() || res.Attempts >= c.Attempts {
			break
		}
		if !pause(ctx, c.RetryDelay) {
			res.Verdict, res.Reason, res.Err = Aborted, ReasonNone, ""
			break
		}
		trace.add(Line{At: time.Since(trace.start), Text: "attempt " + strconv.Itoa(res.Attempts+1) + " of " + strconv.Itoa(c.Attempts)})
	}
	if !stray {
		env.Ended()
	}
	return res
}

// attempt makes one try and writes its outcome into res. It tells whether the prober still runs.
func attempt(ctx context.Context, c Check, env Env, trace *traceBuffer, res *Result) (stray bool) {
	r := &Recorder{trace: trace, store: env.Store, cache: env.Cache, shared: env.Shared, alone: env.Alone, number: res.Attempts, samples: make([]Sample, 0, 16), facts: make([]Fact, 0, 4)}
	r.Log = slog.New(&traceHandler{recorder: r, next: env.Log})
	start := time.Now()
	within, cancel := context.WithDeadline(ctx, start.Add(c.Timeout))
	defer cancel()
	if env.Gate != nil {
		r.gate, r.within = env.Gate, within
		defer func() { env.Gate.Leave(res.Verdict == Aborted || res.Reason == ReasonTimeout) }()
	}
	done := make(chan error, 1)
	go func() {
		done <- call(within, c, r)
		r.mu.Lock()
		ended := r.ended
		r.mu.Unlock()
		if ended != nil {
			ended()
		}
	}()
	var err error
	select {
	case err = <-done:
	case <-within.Done():
		err, stray = wait(within, c, env, r, done)
	}
	res.Took = time.Since(start)
	if stray {
		stray = r.leave(done, env)
	}
	res.Logins = append(res.Logins, r.loginOutcomes()...)
	res.Samples, res.Facts = r.seal()
	settle(ctx, res, err, trace)
	return stray
}

// call runs the prober and turns a panic into an internal failure.
func call(ctx context.Context, c Check, r *Recorder) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.Error("prober panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = Failf(ReasonInternal, "probing %q: prober %s panicked: %v, want an outcome", c.Target, c.Module.Kind, p)
		}
	}()
	return c.Module.Prober.Probe(ctx, c.Target, r)
}

// wait gives a prober whose time is over the chance to say where it was.
func wait(within context.Context, c Check, env Env, r *Recorder, done <-chan error) (err error, stray bool) {
	past := time.Unix(1, 0)
	for _, step := range []struct {
		end   func(net.Conn)
		grace time.Duration
	}{
		{func(conn net.Conn) { conn.SetDeadline(past) }, cmp.Or(env.Grace, graceRead)},
		{func(conn net.Conn) { conn.Close() }, cmp.Or(env.Grace, graceClose)},
	} {
		r.eachConn(step.end)
		timer := time.NewTimer(step.grace)
		select {
		case err := <-done:
			timer.Stop()
			return late(within, c, err), false
		case <-timer.C:
		}
	}
	return late(within, c, nil), true
}

// late is the failure of an attempt whose deadline has passed, whatever the prober made of it.
func late(within context.Context, c Check, err error) error {
	if ReasonOf(err) == ReasonTimeout {
		return err
	}
	if err == nil {
		return Failf(ReasonTimeout, "probing %q: no outcome within %s: %w", c.Target, c.Timeout, within.Err())
	}
	return Failf(ReasonTimeout, "probing %q: no outcome within %s: %w", c.Target, c.Timeout, err)
}

// leave counts a prober that does not end, and arranges for its end. It tells whether the prober does in fact still run.
func (r *Recorder) leave(done <-chan error, env Env) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-done: // it ended just now
		return false
	default:
	}
	if env.Strays != nil {
		env.Strays.Add(1)
	}
	r.ended = func() {
		if env.Strays != nil {
			env.Strays.Add(-1)
		}
		env.Ended()
	}
	return true
}

func settle(ctx context.Context, res *Result, err error, trace *traceBuffer) {
	res.Reason, res.Err = ReasonOf(err), ""
	hideSecrets(res, trace)
	switch {
	case err == nil:
		res.Verdict = Up
	case ctx.Err() != nil:
		res.Verdict, res.Reason = Aborted, ReasonNone
		return
	case res.Reason == ReasonConfig || res.Reason == ReasonInternal:
		res.Verdict = Inconclusive
	default:
		res.Verdict = Down
	}
	if err != nil {
		res.Err = trace.mask(err.Error())
		if len(res.Err) > maxErrBytes {
			res.Err = strings.ToValidUTF8(res.Err[:maxErrBytes], "") + "..."
		}
		trace.add(Line{At: time.Since(trace.start), Level: slog.LevelError, Text: "failed", Attrs: []slog.Attr{
			slog.String("reason", res.Reason.String()), slog.String("err", res.Err),
		}})
	}
}

// hideSecrets masks what a server may have echoed into facts and labels, and then bounds the facts.
func hideSecrets(res *Result, trace *traceBuffer) {
	for i := range res.Facts {
		value := trace.mask(res.Facts[i].Value)
		res.Facts[i].Value = strings.ToValidUTF8(value[:min(len(value), maxFactBytes)], "\uFFFD")
	}
	for i := range res.Samples {
		s := &res.Samples[i]
		for j, label := range s.Labels {
			if masked := trace.mask(label); masked != label {
				s.Labels = slices.Clone(s.Labels) // the prober may share them among probes
				s.Labels[j] = masked
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
