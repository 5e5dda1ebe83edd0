// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"skywatch/internal/lockout"
	"skywatch/internal/probe"
)

// The number of module + target pairs whose memory is kept.
const (
	requestMemories = 1000
	checkMemories   = 20_000
)

// runner gives every probe its surroundings: memories that outlive reload, the log, the count of strays.
type runner struct {
	log     *slog.Logger
	durable func(check, target string) probe.Store // for checks; nil = in memory
	guard   *lockout.Guard                         // holds up logins; nil = nobody does
	strays  atomic.Int64

	requests     *memories // what probers of requests remember
	requestCache *memories // the same, of tokens and secrets
	checks       *memories // what probers of checks remember without a durable store
	checkCache   *memories
	shared       probe.Store // what all probers have in common
	alone        sync.Mutex  // held while a prober changes what it and others remember
}

func newRunner(log *slog.Logger, durable func(check, target string) probe.Store) *runner {
	r := &runner{
		log: log, durable: durable, shared: new(probe.MemoryStore),
		requests: newMemories(requestMemories), requestCache: newMemories(requestMemories),
		checks: newMemories(checkMemories), checkCache: newMemories(checkMemories),
	}
	if durable != nil {
		r.shared = durable("", "") // no check has an empty name
	}
	return r
}

// request runs the probe of a request; a *probe.Refused says why there is none.
func (r *runner) request(ctx context.Context, c probe.Check) (probe.Result, error) {
	p := pair{c.Module.Name, c.Target.String(), c.Target.Credential}
	env := r.env(c, r.requests.of(p), r.requestCache.of(p), nil)
	if hold := r.enter(&c, &env); hold != nil {
		return probe.Result{}, tooSoon(hold)
	}
	result := probe.Run(ctx, c, env)
	complain(env.Log, &result)
	if hold := leave(env.Gate, &result); hold != nil {
		return probe.Result{}, tooSoon(hold)
	}
	return result, nil
}

// check runs a check, whatever the number of its targets; ended is called when everything it started has ended.
func (r *runner) check(ctx context.Context, c probe.Check, ended func()) probe.Result {
	return probe.Round(ctx, c, r.target, ended)
}

// target runs a check at one target. What its prober remembers belongs to check and target.
func (r *runner) target(ctx context.Context, c probe.Check, ended func()) probe.Result {
	p := pair{c.Module.Name, c.Target.String(), c.Target.Credential}
	var store probe.Store
	if r.durable != nil {
		store = r.durable(c.Name, p.target) // by the name, so that it outlives a change of the module
	} else {
		store = r.checks.of(pair{c.Name, p.target, ""})
	}
	env := r.env(c, store, r.checkCache.of(p), ended)
	if hold := r.enter(&c, &env); hold != nil {
		return notMade(ctx, c, env, hold)
	}
	result := probe.Run(ctx, c, env)
	complain(env.Log, &result)
	if hold := leave(env.Gate, &result); hold != nil {
		result.Verdict = probe.Inconclusive
	}
	return result
}

// complain says in the log of the probers why a probe failed; nil is no log.
func complain(log slog.Handler, r *probe.Result) {
	if log != nil && !r.Success() && r.Verdict != probe.Aborted {
		slog.New(log).Error("probe failed", "duration_seconds", r.Took.Seconds(), "reason", r.Reason, "err", r.Err)
	}
}

func (r *runner) env(c probe.Check, store, cache probe.Store, ended func()) probe.Env {
	env := probe.Env{Store: store, Cache: cache, Shared: r.shared, Alone: &r.alone, Strays: &r.strays, Ended: ended}
	if r.log.Enabled(context.Background(), slog.LevelError) {
		log := r.log.With("module", c.Module.Name, "target", c.Target.String())
		if c.Name != "" {
			log = log.With("check", c.Name)
		}
		env.Log = log.Handler()
	}
	return env
}
