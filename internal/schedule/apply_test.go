// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package schedule

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

func changed(c probe.Check) probe.Check {
	c.Module = &probe.Module{Name: "second"}
	return c
}

// waitFor lets virtual time pass until the number of running probes is n.
func (b *bench) waitFor(n int) {
	for {
		synctest.Wait()
		b.mu.Lock()
		active := b.active
		b.mu.Unlock()
		if active == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestRunningProbeEndsWithItsOldConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := new(observed)
		b := newBench(Options{Observers: []probe.Observer{results}}, check("a", 10*time.Second))
		b.took = func(probe.Check) time.Duration { return 3 * time.Second }
		b.begin(t)
		b.waitFor(1)
		b.Apply([]probe.Check{changed(check("a", 10*time.Second))})
		b.waitFor(0)
		b.waitFor(1)
		b.waitFor(0)
		b.stop()
		rounds := b.of("a")
		if rounds[0].module != "first" || rounds[1].module != "second" || rounds[1].start-rounds[0].start != 10*time.Second {
			t.Errorf("got %v, want first, then second at the next tick", rounds)
		}
		if results.count() != 2 {
			t.Errorf("%d results observed, want 2", results.count())
		}
	})
}

func TestResultOfVanishedCheckIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := new(observed)
		b := newBench(Options{Observers: []probe.Observer{results}}, check("a", 10*time.Second))
		b.took = func(probe.Check) time.Duration { return 3 * time.Second }
		b.begin(t)
		b.waitFor(1)
		b.Apply(nil)
		b.waitFor(0)
		time.Sleep(time.Minute)
		if len(b.of("a")) != 1 || results.count() != 0 || len(b.entries) != 0 {
			t.Errorf("%d rounds, %d results, %d entries, want 1, 0, 0", len(b.of("a")), results.count(), len(b.entries))
		}
		b.stop()
	})
}

func TestReturningCheckDoesNotOverlapItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{}, check("a", 2*time.Second))
		b.took = func(probe.Check) time.Duration { return 7 * time.Second }
		b.begin(t)
		b.waitFor(1)
		b.Apply(nil)
		b.Apply([]probe.Check{check("a", time.Second)})
		time.Sleep(time.Minute)
		b.stop()
		if len(b.of("a")) < 7 {
			t.Errorf("%d rounds, want at least 7", len(b.of("a")))
		}
		wantNoOverlap(t, b.of("a"))
	})
}

func TestVanishedWhileWaitingForSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{Concurrency: 1}, check("a", time.Second), check("b", time.Second))
		b.took = func(probe.Check) time.Duration { return 10 * time.Second }
		b.begin(t)
		time.Sleep(3 * time.Second)
		b.Apply(nil)
		time.Sleep(time.Minute)
		b.stop()
		if n := len(b.of("a")) + len(b.of("b")); n != 1 || len(b.entries) != 0 {
			t.Errorf("%d rounds, %d entries left, want 1 and 0", n, len(b.entries))
		}
	})
}

func TestChangedIntervalCountsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Options{}, check("a", 24*time.Hour), check("b", time.Second))
		b.begin(t)
		time.Sleep(5 * time.Second)
		b.Apply([]probe.Check{check("a", time.Second), check("b", 24*time.Hour)})
		n := len(b.of("b"))
		time.Sleep(10 * time.Second)
		b.stop()
		if len(b.of("a")) != 10 || len(b.of("b")) != n {
			t.Errorf("a ran %d times, b %d, want 10 and %d", len(b.of("a")), len(b.of("b")), n)
		}
	})
}

type judgeFunc func(context.Context, probe.Result) probe.Result

func (f judgeFunc) Judge(ctx context.Context, r probe.Result) probe.Result { return f(ctx, r) }

func TestJudgeOnceThenObserversInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		note := func(who string) probe.Observer {
			return &observed{hook: func(_ context.Context, r probe.Result) { order = append(order, who+" "+r.Verdict.String()) }}
		}
		judge := judgeFunc(func(_ context.Context, r probe.Result) probe.Result {
			order = append(order, "judge "+r.Verdict.String())
			r.Verdict = probe.Inconclusive
			return r
		})
		b := newBench(Options{Judge: judge, Observers: []probe.Observer{note("alerting"), note("history")}}, check("a", time.Minute))
		b.begin(t)
		time.Sleep(time.Minute)
		b.stop()
		if diff := cmp.Diff([]string{"judge up", "alerting inconclusive", "history inconclusive"}, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

func TestEndCancelsProbesAndShowsThemToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := new(observed)
		b := newBench(Options{Observers: []probe.Observer{results}}, check("a", time.Second))
		b.took = func(probe.Check) time.Duration { return time.Hour }
		b.begin(t)
		b.waitFor(1)
		asked := time.Now()
		if err := b.stop(); err != nil || time.Since(asked) != 0 {
			t.Errorf("Run gave %v after %s, want nil at once", err, time.Since(asked))
		}
		if len(b.of("a")) != 1 || results.count() != 0 {
			t.Errorf("%d rounds ended, %d observed, want 1 and 0", len(b.of("a")), results.count())
		}
	})
}

func TestObserverIsFinishedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone error
		results := &observed{hook: func(ctx context.Context, _ probe.Result) {
			time.Sleep(time.Second)
			gone = ctx.Err()
		}}
		b := newBench(Options{Observers: []probe.Observer{results}}, check("a", time.Minute))
		b.begin(t)
		for len(b.of("a")) == 0 {
			time.Sleep(100 * time.Millisecond)
		}
		b.stop()
		if results.count() != 1 || gone != nil {
			t.Errorf("%d results observed with context %v, want 1 and a live context", results.count(), gone)
		}
	})
}

func TestResultTheJudgeGaveUpIsShownToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := new(observed)
		judge := judgeFunc(func(ctx context.Context, r probe.Result) probe.Result {
			<-ctx.Done()
			r.Verdict = probe.Aborted
			return r
		})
		b := newBench(Options{Judge: judge, Observers: []probe.Observer{results}}, check("a", time.Second))
		b.begin(t)
		time.Sleep(5 * time.Second)
		b.stop()
		if results.count() != 0 {
			t.Errorf("%d results observed, want 0", results.count())
		}
	})
}
