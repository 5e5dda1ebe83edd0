// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package schedule

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"skywatch/internal/probe"
)

// site is a prober whose targets take the time that their name says, and fail at its end if it is "5s".
type site struct{ b *bench }

func (site) Validate() error { return nil }

func (s site) Probe(ctx context.Context, t probe.Target, _ *probe.Recorder) error {
	s.b.enter(+1)
	defer s.b.enter(-1)
	var took time.Duration
	var n int
	fmt.Sscanf(t.String(), "%d-%ds", &n, &took)
	select {
	case <-time.After(took * time.Second):
		return nil
	case <-ctx.Done():
		return probe.Failf(probe.ReasonTimeout, "too slow")
	}
}

// TestSlowTargets: targets of a check go side by side in one slot, the check is down when one is too slow, and other checks go on.
func TestSlowTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &observed{}
		b := newBench(Options{Concurrency: 2, Observers: []probe.Observer{seen}, Run: func(ctx context.Context, c probe.Check, ended func()) probe.Result {
			return probe.Round(ctx, c, func(ctx context.Context, c probe.Check, ended func()) probe.Result {
				return probe.Run(ctx, c, probe.Env{Ended: ended})
			}, ended)
		}})
		module := &probe.Module{Name: "site", Prober: site{b}}
		many := probe.Check{Name: "many", Module: module, Every: 10 * time.Second, Timeout: 4 * time.Second, Attempts: 2}
		for i, took := range []int{1, 1, 1, 1, 1, 1, 1, 5, 1, 1, 1, 1} {
			many.Parts = append(many.Parts, probe.Part{Module: module, Target: probe.NewTarget(fmt.Sprintf("%d-%ds", i, took))})
		}
		one := probe.Check{Name: "one", Module: module, Target: probe.NewTarget("0-1s"), Every: 5 * time.Second, Timeout: 4 * time.Second, Attempts: 1}
		b.Apply([]probe.Check{many, one})
		b.begin(t)
		time.Sleep(time.Minute)
		missed := b.missed()
		b.stop()
		rounds := map[string]int{}
		for _, r := range seen.all {
			rounds[r.Check]++
			switch {
			case r.Check == "one" && !r.Success():
				t.Errorf("one: %s %s, want up", r.Verdict, r.Err)
			case r.Check == "many" && (r.Verdict != probe.Down || r.Attempts != 13 || r.Err != `1 of 12 targets fails: "7-5s": too slow` || len(r.Parts) != 12):
				t.Errorf("many: %s by %d attempts, %q, want down by 13", r.Verdict, r.Attempts, r.Err)
			}
		}
		if rounds["many"] < 5 || rounds["one"] < 11 || missed["many"]+missed["one"] != 0 {
			t.Errorf("rounds %v, missed %v, want one at each tick", rounds, missed)
		}
		if got := b.peak(); got < probe.PartsAtOnce || got > probe.PartsAtOnce+1 {
			t.Errorf("%d probes at the same time, want those of %d targets and of the other check", got, probe.PartsAtOnce)
		}
	})
}

// TestStopAbortsTargets: what is cut off by the end of the daemon is no result.
func TestStopAbortsTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &observed{}
		b := newBench(Options{Observers: []probe.Observer{seen}, Run: func(ctx context.Context, c probe.Check, ended func()) probe.Result {
			return probe.Round(ctx, c, func(ctx context.Context, c probe.Check, ended func()) probe.Result {
				return probe.Run(ctx, c, probe.Env{Ended: ended})
			}, ended)
		}})
		module := &probe.Module{Name: "site", Prober: site{b}}
		many := probe.Check{Name: "many", Module: module, Every: time.Second, Timeout: time.Hour}
		for i := range 100 {
			many.Parts = append(many.Parts, probe.Part{Module: module, Target: probe.NewTarget(fmt.Sprintf("%d-60s", i))})
		}
		b.Apply([]probe.Check{many})
		b.begin(t)
		time.Sleep(30 * time.Second)
		asked := time.Now()
		b.stop()
		if took := time.Since(asked); took != 0 || seen.count() != 0 {
			t.Errorf("the end took %s and gave %d results, want 0s and none", took, seen.count())
		}
	})
}
