// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var errTest = Failf(ReasonConnect, "connecting: refused")

func TestRunGivesWhatWasRecorded(t *testing.T) {
	up := &Desc{Name: "probe_up"}
	c := checkOf(fakeProber(func(_ context.Context, target Target, r *Recorder) error {
		r.Set(up, 1)
		r.Fact("banner", "hi")
		r.Log.Info("said hi", "target", target)
		return nil
	}))
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	env := newCounted()
	env.Now = func() time.Time { return start }
	res := Run(t.Context(), c, env.Env)
	env.want(t, 0, 1)
	if !strings.Contains(res.Trace.String(), "said hi target=host:80") {
		t.Errorf("trace %q", res.Trace)
	}
	res.Took, res.Trace = 0, Trace{}
	want := Result{
		Check: "Web", Module: "web", Prober: "fake", Target: "host:80", Origin: OriginSchedule, Start: start, Timeout: time.Minute, Attempts: 1,
		Verdict: Up, Samples: []Sample{{Desc: up, Value: 1}}, Facts: []Fact{{"banner", "hi"}},
	}
	if diff := cmp.Diff(want, res, cmp.Comparer(func(a, b *Desc) bool { return a == b }), cmp.Comparer(func(a, b Trace) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if !res.Success() {
		t.Error("not a success, want one")
	}
}

func TestRunRetriesByReason(t *testing.T) {
	retried := map[Reason]bool{
		ReasonResolve: true, ReasonConnect: true, ReasonTLS: true, ReasonTimeout: true, ReasonProtocol: true, ReasonResponse: true,
	}
	for _, reason := range Reasons() {
		p, calls := script(Failf(reason, "no"), nil)
		c := checkOf(p)
		c.Attempts = 2
		res := Run(t.Context(), c, Env{})
		wantCalls, wantVerdict := 1, Down
		switch {
		case retried[reason]:
			wantCalls, wantVerdict = 2, Up
		case reason != ReasonAuth:
			wantVerdict = Inconclusive
		}
		if *calls != wantCalls || res.Attempts != wantCalls || res.Verdict != wantVerdict {
			t.Errorf("%s: %d calls, %d attempts, verdict %s, want %d and %s", reason, *calls, res.Attempts, res.Verdict, wantCalls, wantVerdict)
		}
	}
}

func TestRunRetriesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		c := checkOf(fakeProber(func(_ context.Context, _ Target, r *Recorder) error {
			n++
			time.Sleep(time.Duration(n) * 100 * time.Millisecond)
			r.Fact("try", strings.Repeat("x", n))
			if n < 3 {
				return errTest
			}
			return nil
		}))
		c.Attempts, c.RetryDelay = 5, time.Second
		start := time.Now()
		res := Run(t.Context(), c, Env{})
		if took := time.Since(start); took != 2600*time.Millisecond {
			t.Errorf("took %s, want 2.6s", took)
		}
		if res.Attempts != 3 || res.Verdict != Up || res.Reason != ReasonNone || res.Err != "" || res.Took != 300*time.Millisecond {
			t.Errorf("%d attempts, %s, %q %q, took %s", res.Attempts, res.Verdict, res.Reason, res.Err, res.Took)
		}
		if !res.Failing.Equal(start) || !res.Start.Equal(start) {
			t.Errorf("failing since %s, started %s, want %s for both", res.Failing, res.Start, start)
		}
		if diff := cmp.Diff([]Fact{{"try", "xxx"}}, res.Facts); diff != "" {
			t.Error(diff)
		}
		if text := res.Trace.String(); strings.Count(text, "failed reason=connect") != 2 || !strings.Contains(text, "attempt 3 of 5") {
			t.Errorf("trace:\n%s", text)
		}
	})
}

func TestRunGivesUp(t *testing.T) {
	p, calls := script(errTest, errTest, errTest)
	c := checkOf(p)
	c.Attempts = 3
	res := Run(t.Context(), c, Env{})
	if *calls != 3 || res.Verdict != Down || res.Reason != ReasonConnect || res.Err != "connecting: refused" || res.Failing.IsZero() {
		t.Errorf("%d calls, %+v", *calls, res)
	}
}

func TestRunPanic(t *testing.T) {
	env := newCounted()
	c := checkOf(fakeProber(func(context.Context, Target, *Recorder) error { panic("oh no") }))
	c.Attempts = 3
	res := Run(t.Context(), c, env.Env)
	env.want(t, 0, 1)
	if res.Verdict != Inconclusive || res.Reason != ReasonInternal || res.Attempts != 1 {
		t.Errorf("%s, %s after %d attempts, want one inconclusive", res.Verdict, res.Reason, res.Attempts)
	}
	if want := `probing "host:80": prober fake panicked: oh no, want an outcome`; res.Err != want {
		t.Errorf("err %q, want %q", res.Err, want)
	}
	if !strings.Contains(res.Trace.String(), "run_test.go") {
		t.Errorf("no stack in the trace:\n%s", res.Trace)
	}
}

func TestRunAborted(t *testing.T) {
	waiting := fakeProber(func(ctx context.Context, _ Target, r *Recorder) error {
		r.Fact("password", "hunter22")
		<-ctx.Done()
		return ctx.Err()
	})
	failing := fakeProber(func(context.Context, Target, *Recorder) error { return errTest })
	for _, test := range []struct {
		name   string
		p      Prober
		cancel time.Duration
	}{{"before", waiting, 0}, {"in the attempt", waiting, 300 * time.Millisecond}, {"between attempts", failing, 300 * time.Millisecond}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.cancel)
				defer cancel()
				c := checkOf(test.p)
				c.Attempts, c.RetryDelay, c.Timeout = 3, time.Second, 10*time.Second
				c.Module.Secrets = []Secret{"hunter22"}
				start, env := time.Now(), newCounted()
				res := Run(ctx, c, env.Env)
				env.want(t, 0, 1)
				if took := time.Since(start); took != test.cancel {
					t.Errorf("took %s, want %s", took, test.cancel)
				}
				if res.Verdict != Aborted || res.Reason != ReasonNone || res.Err != "" {
					t.Errorf("%s %q %q, want aborted without a reason", res.Verdict, res.Reason, res.Err)
				}
				if slices.Contains(res.Facts, Fact{"password", "hunter22"}) {
					t.Error("a secret in the facts of an aborted result")
				}
			})
		})
	}
}

func TestRunDerivesReason(t *testing.T) {
	for _, test := range []struct {
		err     error
		reason  Reason
		verdict Verdict
	}{
		{context.DeadlineExceeded, ReasonTimeout, Down},
		{errors.New("what is this"), ReasonInternal, Inconclusive},
		{Failf(ReasonConfig, "no such file"), ReasonConfig, Inconclusive},
	} {
		p, _ := script(test.err)
		if res := Run(t.Context(), checkOf(p), Env{}); res.Reason != test.reason || res.Verdict != test.verdict {
			t.Errorf("%v: %s %s, want %s %s", test.err, res.Verdict, res.Reason, test.verdict, test.reason)
		}
	}
}
