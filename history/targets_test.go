// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// sites is the result of a check with so many targets, of which some fail.
func sites(at time.Time, total int, failing ...int) probe.Result {
	r := down("Websites", at, "some fail")
	r.Target = ""
	for i := range total {
		one := up("Websites", at)
		one.Target = fmt.Sprintf("https://site%d.example/%s", i, strings.Repeat("x", 300))
		r.Parts = append(r.Parts, one)
	}
	for _, i := range failing {
		r.Parts[i].Verdict, r.Parts[i].Reason, r.Parts[i].Err = probe.Down, probe.ReasonResponse, strings.Repeat("got status 503 ", 100)
	}
	return r
}

// shifted is a change of the failing targets within an incident.
func shifted(id int64, at time.Time, was record.Targets, r probe.Result) (record.CheckState, record.Transition) {
	st, t, _ := fallen(id, r.Check, at, "trace")
	st.Incident, t.Incident, t.From, t.Target = 1, 1, record.Down, ""
	st.Targets = record.TargetsOf(was, r)
	t.Failing = record.FailingOf(was, st.Targets, r)
	return st, t
}

// Which targets of a check with many fail, and what is still to be told of that, outlives a restart.
func TestManyTargetsSurviveRestart(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	s := openStore(t, o)
	st, first, ds := fallen(1, "Websites", clock.Now(), "trace")
	most := make([]int, 1000)
	for i := range most {
		most[i] = i
	}
	before := sites(clock.Now(), 1000, most[:900]...)
	st.Targets = record.TargetsOf(record.Targets{}, before)
	first.Failing = record.FailingOf(record.Targets{}, st.Targets, before)
	must(t, s.Record(background, []record.CheckState{st}, []record.Transition{first}, ds))
	st, second := shifted(2, clock.step(time.Minute), st.Targets, sites(clock.Now(), 1000, most[100:]...))
	must(t, s.Record(background, []record.CheckState{st}, []record.Transition{second}, []record.Delivery{{Transition: 2, Notifier: "ops"}}))
	must(t, s.Close())
	saved, err := openStore(t, o).Load(t.Context())
	must(t, err)
	if diff := cmp.Diff([]record.CheckState{st}, saved.States); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]record.Transition{first, second}, saved.Outbox.Transitions); diff != "" {
		t.Errorf("transitions (-want +got):\n%s", diff)
	}
}

// A change of the failing targets is no end of the outage, and no outage of its own.
func TestShiftIsNoOutage(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	start := clock.Now()
	st, first, _ := fallen(1, "Websites", start, "trace")
	must(t, s.Record(background, []record.CheckState{st}, []record.Transition{first}, nil))
	st, second := shifted(2, clock.step(time.Minute), st.Targets, sites(clock.Now(), 3, 1))
	must(t, s.Record(background, []record.CheckState{st}, []record.Transition{second}, nil))
	for _, end := range []time.Time{{}, clock.step(time.Minute)} {
		if !end.IsZero() {
			third := second
			third.ID, third.To, third.At, third.Failing = 3, record.Up, end, nil
			must(t, s.Record(background, nil, []record.Transition{third}, nil))
		}
		got, err := s.Outages(t.Context(), start.Add(-time.Hour), start.Add(time.Hour), 10)
		must(t, err)
		want := []record.Outage{{Check: "Websites", From: start, To: end, Reason: probe.ReasonConnect, Err: "refused", Trace: 1}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("outages (-want +got):\n%s", diff)
		}
	}
}

// olderFile is a store in the first format, with a check that is down and not told yet.
func olderFile(t *testing.T, o Options, at time.Time) {
	t.Helper()
	s := openStore(t, o)
	st, first, ds := fallen(1, "Mail", at, "trace")
	must(t, s.Record(background, []record.CheckState{st}, []record.Transition{first}, ds))
	for _, change := range []string{
		"ALTER TABLE state DROP COLUMN targets", "ALTER TABLE transition DROP COLUMN failing", "PRAGMA user_version = 1",
	} {
		_, err := s.db.Exec(change)
		must(t, err)
	}
	must(t, s.Close())
}

func TestMigratesFromFirstFormat(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	olderFile(t, o, clock.Now())
	want := `opening history "` + o.Config.Path + `": written by an earlier release (format 1), want format 2, which the daemon makes of it when it starts`
	if _, err := OpenReadOnly(t.Context(), o); err == nil || err.Error() != want {
		t.Errorf("reading alone: %v, want %s", err, want)
	}
	saved, err := openStore(t, o).Load(t.Context())
	must(t, err)
	st, first, _ := fallen(1, "Mail", clock.Now(), "trace")
	if diff := cmp.Diff([]record.CheckState{st}, saved.States); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]record.Transition{first}, saved.Outbox.Transitions); diff != "" {
		t.Errorf("transitions (-want +got):\n%s", diff)
	}
}

// A combined result is one row of its check, with the trace of all of its targets that fail.
func TestManyTargetsAreOneResult(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	r := sites(clock.Now(), 3, 1)
	r.Trace = probe.TextTrace("target a: down\n")
	s.Observe(t.Context(), r)
	flushNow(t, s)
	got, err := s.Results(t.Context(), "Websites", 10)
	must(t, err)
	want := []record.Stored{{
		Check: "Websites", Module: "http_2xx", Origin: probe.OriginSchedule, At: r.Start, Took: r.Took, Attempts: 5, Verdict: probe.Down,
		Reason: probe.ReasonConnect, Err: "some fail", Trace: 1,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if text, err := s.Trace(t.Context(), 1); err != nil || text != "target a: down\n" {
		t.Errorf("trace %q, %v", text, err)
	}
}
