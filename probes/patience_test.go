// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"skywatch/internal/probe"
)

// patiently runs a test that waits for a deadline, which must find the prober in a certain place, or at once after which the prober must end.
// A machine that stands still meanwhile lets the deadline find it elsewhere, so the test is made again with more time when it fails: only the
// last failure counts, with a minute.
func patiently(t testing.TB, f func(t testing.TB, timeout time.Duration)) {
	t.Helper()
	for timeout := short; timeout < long; timeout *= 4 {
		if try(t, func(t testing.TB) { f(t, timeout) }) {
			return
		}
		t.Logf("with a timeout of %s it fails, once more", timeout)
	}
	f(t, long)
}

// inTime is patiently where the deadline is what is waited for; else f gets a timeout that passes only when it fails.
func inTime(t testing.TB, reason probe.Reason, f func(t testing.TB, timeout time.Duration)) {
	t.Helper()
	if reason == probe.ReasonTimeout {
		patiently(t, f)
		return
	}
	f(t, long)
}

// try runs f, and tells whether it passed. A failure of f is no failure of t.
func try(t testing.TB, f func(t testing.TB)) bool {
	t.Helper()
	r := &trial{TB: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f(r)
	}()
	<-ended
	return r.pass()
}

// trial is a test that may fail.
type trial struct {
	testing.TB

	mu     sync.Mutex
	failed bool
	passed bool
}

// pass ends the trial. What a server of one that passed says later is said of the test; that of one that failed is of no interest.
func (r *trial) pass() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.passed = !r.failed
	return r.passed
}

func (r *trial) fail(text string) {
	r.TB.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.passed {
		r.TB.Error(text)
		return
	}
	r.failed = true
	r.TB.Log(text)
}

func (r *trial) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed || r.TB.Failed()
}

func (r *trial) Error(args ...any) { r.TB.Helper(); r.fail(fmt.Sprintln(args...)) }
func (r *trial) Errorf(format string, args ...any) {
	r.TB.Helper()
	r.fail(fmt.Sprintf(format, args...))
}
func (r *trial) Fail()             { r.TB.Helper(); r.fail("failed") }
func (r *trial) FailNow()          { r.Fail(); runtime.Goexit() }
func (r *trial) Fatal(args ...any) { r.TB.Helper(); r.Error(args...); runtime.Goexit() }
func (r *trial) Fatalf(format string, args ...any) {
	r.TB.Helper()
	r.Errorf(format, args...)
	runtime.Goexit()
}

// TestPatiently: what fails with little time passes with more, and a failure of a server counts as long as its trial does.
func TestPatiently(t *testing.T) {
	var timeouts []time.Duration
	patiently(t, func(t testing.TB, timeout time.Duration) {
		if timeouts = append(timeouts, timeout); len(timeouts) == 1 {
			t.Fatalf("no time")
		}
		if len(timeouts) == 2 {
			t.Error("too little time")
		}
		if t.Failed() != (len(timeouts) == 2) {
			t.Error("a trial knows of the one before")
		}
	})
	if len(timeouts) != 3 || timeouts[0] != short || timeouts[2] <= timeouts[1] {
		t.Errorf("tried with %v, want three, each longer", timeouts)
	}
	if try(t, func(t testing.TB) { t.FailNow() }) || !try(t, func(testing.TB) {}) {
		t.Error("want the first to fail, and the second to pass")
	}
}
