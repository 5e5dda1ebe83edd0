// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func resultOf(v probe.Verdict, at time.Duration, facts ...probe.Fact) probe.Result {
	r := probe.Result{
		Check: "web", Module: "http", Target: "web:80", Start: noon.Add(at), Verdict: v, Attempts: 2, Took: time.Second, Facts: facts,
		Trace: probe.TextTrace("trace"),
	}
	if v == probe.Down {
		r.Failing, r.Reason, r.Err = noon.Add(at+time.Second), probe.ReasonTimeout, "no answer"
	}
	return r
}

func TestNext(t *testing.T) {
	facts := []probe.Fact{{Key: "address", Value: "192.0.2.1"}, {Key: "banner", Value: "nginx"}}
	up := record.CheckState{
		Check: "web", Module: "http", Target: "web:80", State: record.Up, Since: noon, LastSuccess: noon, LastSeen: noon, Facts: facts,
	}
	down := up
	down.State, down.Since, down.LastSeen = record.Down, noon.Add(61*time.Second), noon.Add(time.Minute)
	down.Reason, down.Err = probe.ReasonTimeout, "no answer"
	told := record.Transition{
		Check: "web", Group: "g", Module: "http", Target: "web:80", From: record.Up, To: record.Down, At: noon.Add(61 * time.Second),
		Began: noon.Add(61 * time.Second), Reason: probe.ReasonTimeout, Err: "no answer", Attempts: 2, Took: time.Second, Trace: "trace",
	}
	incident := down
	incident.Incident = 7
	back := up
	back.Since, back.LastSuccess, back.LastSeen = noon.Add(2*time.Minute), noon.Add(2*time.Minute), noon.Add(2*time.Minute)
	back.Facts = []probe.Fact{{Key: "address", Value: "192.0.2.2"}}
	ended := record.Transition{
		Check: "web", Group: "g", Module: "http", Target: "web:80", From: record.Down, To: record.Up, At: noon.Add(2 * time.Minute),
		Incident: 7, Began: down.Since, Attempts: 2, Took: time.Second, Trace: "trace",
		Changes: []record.Change{{Key: "address", Was: "192.0.2.1", Is: "192.0.2.2"}, {Key: "banner", Was: "nginx"}},
	}
	seen := up
	seen.LastSeen = noon.Add(time.Minute)
	changed := told
	changed.Changes = []record.Change{{Key: "address", Was: "192.0.2.1", Is: "192.0.2.9"}}
	unknown := told
	unknown.From = record.Unknown
	tests := []struct {
		name   string
		state  record.CheckState
		result probe.Result
		want   record.CheckState
		told   []record.Transition
	}{
		{"first result up is silent", record.CheckState{Check: "web"}, resultOf(probe.Up, 0, facts...), up, nil},
		{"first result down", record.CheckState{Check: "web"}, resultOf(probe.Down, time.Minute),
			withoutSuccess(down), []record.Transition{unknown}},
		{"goes down, without what it did not come to", up, resultOf(probe.Down, time.Minute), down, []record.Transition{told}},
		{"goes down with a change", up, resultOf(probe.Down, time.Minute, probe.Fact{Key: "address", Value: "192.0.2.9"}), down,
			[]record.Transition{changed}},
		{"comes up", incident, resultOf(probe.Up, 2*time.Minute, back.Facts...), back, []record.Transition{ended}},
		{"inconclusive", up, resultOf(probe.Inconclusive, time.Minute), seen, nil},
		{"aborted", up, resultOf(probe.Aborted, time.Minute), up, nil},
		{"none", up, resultOf(0, time.Minute), up, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ts := next(test.state, test.result, rules{"g"})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.told, ts); diff != "" {
				t.Errorf("transitions (-want +got):\n%s", diff)
			}
		})
	}
}

func withoutSuccess(s record.CheckState) record.CheckState {
	s.LastSuccess, s.Facts = time.Time{}, nil
	return s
}

func TestNextNotesWhatWasReconfigured(t *testing.T) {
	state := record.CheckState{Check: "web", Module: "http", Target: "web:80", State: record.Up, LastSeen: noon}
	tests := []struct{ module, target, want string }{
		{"http", "web:80", ""},
		{"https", "web:80", `the module was "http" before`},
		{"http", "web:81", `the target was "web:80" before`},
		{"https", "web:81", `the module was "http" and the target "web:80" before`},
	}
	for _, test := range tests {
		r := resultOf(probe.Down, time.Minute)
		r.Module, r.Target = test.module, test.target
		if _, ts := next(state, r, rules{}); ts[0].Note != test.want {
			t.Errorf("note of %s at %s: %q, want %q", test.module, test.target, ts[0].Note, test.want)
		}
	}
}

func TestNextBoundsChanges(t *testing.T) {
	state := record.CheckState{State: record.Up, LastSuccess: noon}
	var facts []probe.Fact
	for i := range 40 {
		facts = append(facts, probe.Fact{Key: fmt.Sprint(i), Value: "x"})
	}
	if _, ts := next(state, resultOf(probe.Down, 0, facts...), rules{}); len(ts[0].Changes) != maxChanges {
		t.Errorf("%d changes, want %d", len(ts[0].Changes), maxChanges)
	}
}

// verdicts draws any, with those that matter more often.
var verdicts = rapid.SampledFrom([]probe.Verdict{
	probe.Up, probe.Up, probe.Down, probe.Down, probe.Inconclusive, probe.Aborted, 0,
})

// TestNextKeepsIncidentsWhole replays random results, with restarts and the removal of the check in between.
func TestNextKeepsIncidentsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := record.CheckState{Check: "web"}
		var id int64
		newID := func() int64 { id++; return id }
		open, last := int64(0), record.Unknown
		take := func(ts []record.Transition) {
			if len(ts) > 1 {
				t.Fatalf("%d transitions at once, want at most 1", len(ts))
			}
			for _, tr := range ts {
				switch {
				case opens(tr) == closes(tr):
					t.Fatalf("%+v, want a start or an end", tr)
				case opens(tr) && open != 0:
					t.Fatalf("start of %d while %d is open, want its end first", tr.Incident, open)
				case closes(tr) && (open == 0 || tr.Incident != open || tr.Began.IsZero()):
					t.Fatalf("end of %d, want that of %d with its start", tr.Incident, open)
				}
				open = tr.Incident
				if closes(tr) {
					open = 0
				}
			}
		}
		for i := range rapid.IntRange(1, 60).Draw(t, "results") {
			verdict := verdicts.Draw(t, "verdict")
			r := resultOf(verdict, time.Duration(i)*time.Minute)
			once, ts := next(state, r, rules{})
			twice, _ := next(state, r, rules{})
			if diff := cmp.Diff(once, twice); diff != "" {
				t.Fatalf("next is not pure:\n%s", diff)
			}
			state, ts = stamp(once, ts, newID, r.Start)
			take(ts)
			if want := stateAfter(last, verdict); state.State != want {
				t.Fatalf("%s after %s and %s, want %s", state.State, last, verdict, want)
			}
			if (state.State == record.Down) != (open != 0) || state.Incident != open {
				t.Fatalf("state %s with incident %d, want that of %d", state.State, state.Incident, open)
			}
			state = roundTrip(t, state)
			last = state.State
			if rapid.IntRange(0, 20).Draw(t, "vanish") == 0 {
				state, ts = vanish(state, rules{}, r.Start)
				state, ts = stamp(state, ts, newID, r.Start)
				take(ts)
				if open != 0 || state.State != record.Unknown {
					t.Fatalf("state %s with incident %d after the check is gone, want unknown without", state.State, open)
				}
				last = record.Unknown
			}
		}
	})
}

func stateAfter(last record.State, v probe.Verdict) record.State {
	switch v {
	case probe.Up:
		return record.Up
	case probe.Down:
		return record.Down
	}
	return last
}

// roundTrip is a restart.
func roundTrip(t *rapid.T, s record.CheckState) record.CheckState {
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back record.CheckState
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, back); diff != "" {
		t.Fatalf("a state is not a plain value:\n%s", diff)
	}
	return back
}

func TestIDsGrowAndSurviveABackwardClock(t *testing.T) {
	var i ids
	last := i.next(noon)
	for n := range 1000 {
		id := i.next(noon.Add(-time.Duration(n) * time.Second))
		if id <= last {
			t.Fatalf("id %d after %d, want a larger one", id, last)
		}
		last = id
	}
	i.above(last + 1000)
	if id := i.next(noon); id <= last+1000 {
		t.Errorf("id %d, want one above %d", id, last+1000)
	}
}
