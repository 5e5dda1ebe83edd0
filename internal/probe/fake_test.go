// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// fakeProber is a prober made of a function.
type fakeProber func(ctx context.Context, t Target, r *Recorder) error

func (fakeProber) Validate() error { return nil }

func (f fakeProber) Probe(ctx context.Context, t Target, r *Recorder) error { return f(ctx, t, r) }

// script gives a prober whose n-th attempt ends with the n-th error, and how often it was called.
func script(errs ...error) (fakeProber, *int) {
	calls := new(int)
	return func(context.Context, Target, *Recorder) error {
		*calls++
		return errs[*calls-1]
	}, calls
}

// checkOf is a check of one attempt, whose timeout nobody waits for: a busy machine may stop for seconds.
func checkOf(p Prober) Check {
	return Check{
		Name: "Web", Module: &Module{Name: "web", Kind: "fake", Prober: p}, Target: NewTarget("host:80"),
		Origin: OriginSchedule, Timeout: time.Minute, Attempts: 1,
	}
}

// counted is an Env that counts.
type counted struct {
	Env
	strays atomic.Int64
	ended  atomic.Int64
}

func newCounted() *counted {
	c := new(counted)
	c.Strays = &c.strays
	c.Ended = func() { c.ended.Add(1) }
	return c
}

func (c *counted) want(t *testing.T, strays, ended int64) {
	t.Helper()
	if c.strays.Load() != strays || c.ended.Load() != ended {
		t.Errorf("%d strays and Ended called %d times, want %d and %d", c.strays.Load(), c.ended.Load(), strays, ended)
	}
}
