// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRunHoldsDeadlineAgainstDeafProber meets a prober that ignores everything and goes on writing.
func TestRunHoldsDeadlineAgainstDeafProber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := &Desc{Name: "probe_late"}
		near, far := net.Pipe()
		defer far.Close()
		c := checkOf(fakeProber(func(_ context.Context, _ Target, r *Recorder) error {
			time.Sleep(time.Minute)
			r.Set(late, 1)
			r.Add(late, 1)
			r.Phase(late, "x", time.Second)
			r.Fact("late", "1")
			r.Log.Error("late")
			tracked := r.Track(near, 0)
			if _, err := tracked.Write([]byte("x")); err == nil {
				t.Error("a connection opened after the deadline is open, want it closed")
			}
			return nil
		}))
		c.Attempts, c.Timeout = 5, time.Second
		start, env := time.Now(), newCounted()
		res := Run(t.Context(), c, env.Env)
		if took := time.Since(start); took != 1100*time.Millisecond {
			t.Errorf("took %s, want the deadline and 100 ms", took)
		}
		env.want(t, 1, 0)
		if res.Verdict != Down || res.Reason != ReasonTimeout || res.Attempts != 1 {
			t.Errorf("%s, %s after %d attempts, want one timeout", res.Verdict, res.Reason, res.Attempts)
		}
		if want := `probing "host:80": no outcome within 1s: context deadline exceeded`; res.Err != want {
			t.Errorf("err %q, want %q", res.Err, want)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		env.want(t, 0, 1)
		if strings.Contains(res.Trace.String(), "late") || len(res.Samples)+len(res.Facts) != 0 {
			t.Errorf("written after the deadline: %v %v\n%s", res.Samples, res.Facts, res.Trace)
		}
	})
}

// TestRunEndsReads: the deadline makes reads fail even if the prober's connection has none of its own.
func TestRunEndsReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		c := checkOf(fakeProber(func(_ context.Context, _ Target, r *Recorder) error {
			conn := r.Track(near, 0)
			defer conn.Close()
			_, err := conn.Read(make([]byte, 1))
			return Failf(ReasonProtocol, "reading the greeting: %w", err)
		}))
		c.Timeout = time.Second
		start, env := time.Now(), newCounted()
		res := Run(t.Context(), c, env.Env)
		env.want(t, 0, 1)
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s, want 1s", took)
		}
		if res.Reason != ReasonTimeout || !strings.Contains(res.Err, "reading the greeting") {
			t.Errorf("%s: %s, want a timeout that says where", res.Reason, res.Err)
		}
	})
}

// stubborn is a connection without deadlines: only closing ends a read.
type stubborn struct{ net.Conn }

func (stubborn) SetDeadline(time.Time) error { return nil }

func TestRunClosesConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		c := checkOf(fakeProber(func(_ context.Context, _ Target, r *Recorder) error {
			_, err := r.Track(stubborn{near}, 0).Read(make([]byte, 1))
			return err
		}))
		c.Timeout = time.Second
		start, env := time.Now(), newCounted()
		res := Run(t.Context(), c, env.Env)
		env.want(t, 0, 1)
		if took := time.Since(start); took != time.Second+graceRead || res.Reason != ReasonTimeout {
			t.Errorf("%s after %s, want a timeout after %s", res.Reason, took, time.Second+graceRead)
		}
	})
}

// TestRunInterruptsReads: a client that goes away ends a read that has no deadline yet.
func TestRunInterruptsReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		c := checkOf(fakeProber(func(_ context.Context, _ Target, r *Recorder) error {
			conn := r.Track(near, 0)
			conn.SetDeadline(time.Now().Add(time.Hour))
			_, err := io.ReadAll(conn)
			return err
		}))
		c.Timeout = time.Hour
		start := time.Now()
		res := Run(ctx, c, Env{})
		if took := time.Since(start); took != 200*time.Millisecond || res.Verdict != Aborted {
			t.Errorf("%s after %s, want aborted after 200ms", res.Verdict, took)
		}
	})
}

// TestRunGivesGrace: with more grace a prober that ends long after its deadline is no stray, and says where it was.
func TestRunGivesGrace(t *testing.T) {
	for grace, want := range map[time.Duration]struct {
		took   time.Duration
		strays int64
	}{11 * time.Second: {11 * time.Second, 0}, 6 * time.Second: {11 * time.Second, 0}, 4 * time.Second: {9 * time.Second, 1}, 0: {1100 * time.Millisecond, 1}} {
		synctest.Test(t, func(t *testing.T) {
			c := checkOf(fakeProber(func(context.Context, Target, *Recorder) error {
				time.Sleep(11 * time.Second)
				return Failf(ReasonTimeout, "deep in thought")
			}))
			c.Timeout = time.Second
			env := newCounted()
			env.Grace = grace
			res := Run(t.Context(), c, env.Env)
			env.want(t, want.strays, 1-want.strays)
			if res.Took != want.took || (res.Err == "deep in thought") != (want.strays == 0) {
				t.Errorf("with %s: %s after %s, want an end after %s and %d strays", grace, res.Err, res.Took, want.took, want.strays)
			}
			time.Sleep(time.Minute)
		})
	}
}
