// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

func TestResultsAreSeenBeforeAndAfterTheFlush(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	at := clock.Now()
	s.Observe(t.Context(), up("a", at))
	s.Observe(t.Context(), down("b", at.Add(time.Second), "dialing: refused"))
	s.Observe(t.Context(), request("x:1", at.Add(2*time.Second)))
	aborted := up("a", at)
	aborted.Verdict = probe.Aborted
	s.Observe(t.Context(), aborted)
	want := []record.Stored{
		{Target: "x:1", Module: "http_2xx", Origin: probe.OriginRequest, At: at.Add(2 * time.Second), Took: 12 * time.Millisecond, Attempts: 1, Verdict: probe.Up},
		{Check: "b", Target: "http://b", Module: "http_2xx", Origin: probe.OriginSchedule, At: at.Add(time.Second), Took: 12 * time.Millisecond,
			Attempts: 5, Verdict: probe.Down, Reason: probe.ReasonConnect, Err: "dialing: refused"},
		{Check: "a", Target: "http://a", Module: "http_2xx", Origin: probe.OriginSchedule, At: at, Took: 12 * time.Millisecond, Attempts: 1, Verdict: probe.Up},
	}
	look := func(when string) {
		t.Helper()
		got, err := s.Recent(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: recent results (-want +got):\n%s", when, diff)
		}
		got, err = s.Results(t.Context(), "b", 5)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[1:2], got); diff != "" {
			t.Errorf("%s: results of b (-want +got):\n%s", when, diff)
		}
	}
	look("before the flush")
	flushNow(t, s)
	if rows, _ := s.waiting(1); rows != nil {
		t.Error("results still wait after the flush")
	}
	look("after the flush")
	reopened := reopenStore(t, s)
	s = reopened
	look("after a restart")
}

// reopenStore closes a store and opens its file again.
func reopenStore(t testing.TB, s *Store) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openOn(t, Options{Config: s.cfg, Now: s.now, Location: s.loc, Log: s.log}, s.eng)
}

func TestJournalRoundTrip(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	at := clock.Now()
	st, tr, ds := fallen(100, "a", at, "1.000s the trace\n")
	m := sealed(200, "ops", at.Add(time.Minute), 100)
	for range 2 { // everything may come twice
		if err := s.Record(t.Context(), []record.CheckState{st}, []record.Transition{tr}, ds); err != nil {
			t.Fatal(err)
		}
		if err := s.Seal(t.Context(), m, nil); err != nil {
			t.Fatal(err)
		}
	}
	want := record.Saved{
		States: []record.CheckState{st},
		Outbox: record.Outbox{
			Transitions: []record.Transition{tr},
			Deliveries:  []record.Delivery{{Transition: 100, Notifier: "log"}, {Transition: 100, Notifier: "ops", Message: 200}},
			Messages:    []record.Message{m},
			Threads:     []record.Thread{{Incident: 100, Notifier: "ops", MessageID: m.MessageID}},
		},
	}
	look := func() {
		t.Helper()
		got, err := s.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Instance) != 16 {
			t.Errorf("instance %q, want 16 hexadecimal digits", got.Instance)
		}
		if want.Instance == "" {
			want.Instance = got.Instance
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("saved (-want +got):\n%s", diff)
		}
	}
	look()
	s = reopenStore(t, s)
	look()

	m.State, m.Tried, m.Doubtful, m.Error, m.NextAt = record.Parked, 3, true, "454 try again", at.Add(time.Hour)
	if err := s.Mark(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	want.Outbox.Messages = []record.Message{m}
	look()

	merged := sealed(201, "ops", at.Add(2*time.Minute), 100)
	if err := s.Seal(t.Context(), merged, []int64{200}); err != nil {
		t.Fatal(err)
	}
	if err := s.Seal(t.Context(), m, nil); err != nil { // replayed late: a superseded message does not come back
		t.Fatal(err)
	}
	if err := s.Seal(t.Context(), merged, []int64{200}); err != nil {
		t.Fatal(err)
	}
	want.Outbox.Messages = []record.Message{merged}
	want.Outbox.Deliveries[1].Message = 201
	want.Outbox.Threads[0].MessageID = merged.MessageID
	look()

	merged.State = record.Sent
	if err := s.Mark(t.Context(), merged); err != nil {
		t.Fatal(err)
	}
	want.Outbox.Messages, want.Outbox.Deliveries = nil, want.Outbox.Deliveries[:1]
	look()
}

// The last summary is the one sealed last, not the one with the latest time: a clock may have been ahead.
func TestSummaryIsRemembered(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	for id, step := range []time.Duration{0, 240 * time.Hour, -239 * time.Hour} {
		m := sealed(int64(id), "ops", clock.step(step))
		m.Kind = record.KindSummary
		must(t, s.Seal(t.Context(), m, nil))
		saved, err := s.Load(t.Context())
		if err != nil || !saved.LastSummary.Equal(clock.Now()) {
			t.Errorf("last summary %s, %v, want %s", saved.LastSummary, err, clock.Now())
		}
	}
}

func TestOutagesAndTransitions(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	at := clock.Now()
	st, fall, ds := fallen(10, "a", at, "trace a")
	rise := record.Transition{ID: 11, Check: "a", From: record.Down, To: record.Up, At: at.Add(time.Hour), Noticed: at.Add(time.Hour), Incident: 10, Began: at}
	_, other, _ := fallen(12, "b", at.Add(2*time.Hour), "")
	if err := s.Record(t.Context(), []record.CheckState{st}, []record.Transition{fall, rise, other}, ds); err != nil {
		t.Fatal(err)
	}
	closed := record.Outage{Check: "a", From: at, To: at.Add(time.Hour), Reason: probe.ReasonConnect, Err: "refused", Trace: 1}
	open := record.Outage{Check: "b", From: at.Add(2 * time.Hour), Reason: probe.ReasonConnect, Err: "refused"}
	for _, c := range []struct {
		from, to time.Duration
		want     []record.Outage
	}{
		{-time.Hour, 3 * time.Hour, []record.Outage{open, closed}},
		{30 * time.Minute, 45 * time.Minute, []record.Outage{closed}},
		{time.Hour, 2 * time.Hour, nil},
		{5 * time.Hour, 6 * time.Hour, []record.Outage{open}},
	} {
		got, err := s.Outages(t.Context(), at.Add(c.from), at.Add(c.to), 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("outages of %s to %s (-want +got):\n%s", c.from, c.to, diff)
		}
	}
	got, err := s.Transitions(t.Context(), "a", 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]record.Transition{rise}, got); diff != "" {
		t.Errorf("newest transition of a (-want +got):\n%s", diff)
	}
	if text, err := s.Trace(t.Context(), 1); err != nil || text != "trace a" {
		t.Errorf("trace 1: %q, %v", text, err)
	}
}
