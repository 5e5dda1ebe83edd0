// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// plainRun runs a check at one target.
func plainRun(ctx context.Context, c Check, ended func()) Result {
	return Run(ctx, c, Env{Ended: ended})
}

// TestRoundSideBySide: at most eight at the same time, each with its own timeout and attempts.
func TestRoundSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most, ends atomic.Int64
		c := checkAt(fakeProber(func(ctx context.Context, target Target, _ *Recorder) error {
			n := running.Add(1)
			defer running.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			if target.String() == "host3:80" {
				<-ctx.Done()
				return ctx.Err()
			}
			time.Sleep(500 * time.Millisecond)
			return nil
		}), 20)
		c.Timeout, c.Attempts, c.RetryDelay = time.Second, 2, time.Second
		start := time.Now()
		r := Round(t.Context(), c, plainRun, func() { ends.Add(1) })
		if took := time.Since(start); took != 3*time.Second { // of the one that hangs: 1 s, 1 s pause, 1 s
			t.Errorf("took %s, want 3s", took)
		}
		if r.Verdict != Down || r.Reason != ReasonTimeout || r.Attempts != 21 || most.Load() != PartsAtOnce || ends.Load() != 1 {
			t.Errorf("%s, %s, %d attempts, %d at once, ended %d times", r.Verdict, r.Reason, r.Attempts, most.Load(), ends.Load())
		}
		if want := `1 of 20 targets fails: "host3:80": `; !strings.HasPrefix(r.Err, want) {
			t.Errorf("error %q, want it to begin %q", r.Err, want)
		}
	})
}

func TestRoundOfOneTarget(t *testing.T) {
	p, _ := script(nil)
	ends := 0
	r := Round(t.Context(), checkOf(p), plainRun, func() { ends++ })
	if r.Parts != nil || r.Target != "host:80" || !r.Success() || ends != 1 {
		t.Errorf("%+v, ended %d times", r, ends)
	}
}

// TestRoundIsAborted: what was not begun when the context ends is not begun.
func TestRoundIsAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls, ends atomic.Int64
		c := checkAt(fakeProber(func(ctx context.Context, _ Target, _ *Recorder) error {
			calls.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}), 20)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		r := Round(ctx, c, plainRun, func() { ends.Add(1) })
		if r.Verdict != Aborted || r.Err != "" || calls.Load() != PartsAtOnce || ends.Load() != 1 {
			t.Errorf("%s, %q, %d begun, ended %d times, want aborted, %d and 1", r.Verdict, r.Err, calls.Load(), ends.Load(), PartsAtOnce)
		}
	})
}

// TestRoundEndsWithItsStrays: the round has a result by then, but is not over while a prober still runs.
func TestRoundEndsWithItsStrays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var ends atomic.Int64
		c := checkAt(fakeProber(func(_ context.Context, target Target, _ *Recorder) error {
			if target.String() == "host1:80" {
				<-release
			}
			return nil
		}), 3)
		r := Round(t.Context(), c, plainRun, func() { ends.Add(1) })
		if r.Verdict != Down || ends.Load() != 0 {
			t.Errorf("%s, ended %d times, want down and 0", r.Verdict, ends.Load())
		}
		close(release)
		synctest.Wait()
		if ends.Load() != 1 {
			t.Errorf("ended %d times, want once", ends.Load())
		}
	})
}

// TestRoundKeepsLittle: of a thousand targets that say much, the traces of failures and ten samples of each are kept, within a bound.
func TestRoundKeepsLittle(t *testing.T) {
	d := &Desc{Name: "probe_x", Labels: []string{"n"}}
	var mu sync.Mutex
	failing := 0
	c := checkAt(fakeProber(func(_ context.Context, target Target, r *Recorder) error {
		for range 20 {
			r.Log.Info(strings.Repeat("x", 2000))
		}
		for n := range 15 {
			r.Set(d, 1, strconv.Itoa(n))
		}
		if !strings.HasSuffix(target.String(), "7:80") {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		failing++
		return errTest
	}), 1000)
	r := Round(t.Context(), c, plainRun, nil)
	size := 0
	for i, one := range r.Parts {
		size += one.Trace.size()
		if len(one.Samples) != 10 || one.LeftOut != 5 || one.Facts != nil || one.Logins != nil {
			t.Fatalf("part %d keeps %d samples and leaves out %d, want 10 and 5, and no facts or logins", i, len(one.Samples), one.LeftOut)
		}
	}
	if size == 0 || size > maxRoundTrace || failing != 100 || r.FirstFailing().Trace.Empty() {
		t.Errorf("%d bytes of traces, %d failing, first failing %q", size, failing, r.FirstFailing().Target)
	}
	c.Origin, c.Parts = OriginCommand, c.Parts[:100]
	for i, one := range Round(t.Context(), c, plainRun, nil).Parts {
		if one.Trace.Empty() || len(one.Samples) != 15 {
			t.Fatalf("part %d of a round by hand lacks its trace or samples", i)
		}
	}
}

func TestEach(t *testing.T) {
	one, many := checkOf(nil), checkAt(nil, 3)
	for c, want := range map[*Check]string{&one: "host:80 ", &many: "host0:80 host1:80 host2:80 "} {
		got := ""
		for m, target := range c.Each() {
			got += target.String() + " "
			if m.Name != "web" {
				t.Errorf("module %q, want web", m.Name)
			}
		}
		if got != want {
			t.Errorf("targets %q, want %q", got, want)
		}
	}
	for range many.Each() {
		break
	}
}

func TestWorstCaseOfMany(t *testing.T) {
	for targets, want := range map[int]time.Duration{0: 24 * time.Second, 1: 24 * time.Second, 8: 24 * time.Second, 9: 48 * time.Second, 1000: 125 * 24 * time.Second} {
		c := checkAt(nil, targets)
		c.Timeout, c.Attempts, c.RetryDelay = 4*time.Second, 5, time.Second
		if got := c.WorstCase(); got != want {
			t.Errorf("%d targets: %s, want %s", targets, got, want)
		}
	}
}

func BenchmarkRound(b *testing.B) {
	c := checkAt(fakeProber(func(_ context.Context, _ Target, r *Recorder) error {
		r.Log.Info("connected")
		return nil
	}), 100)
	b.ReportAllocs()
	for b.Loop() {
		if r := Round(b.Context(), c, plainRun, nil); !r.Success() {
			b.Fatal(r.Err)
		}
	}
}
