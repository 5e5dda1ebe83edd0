// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"fmt"
	"slices"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// maxChanges bounds Transition.Changes.
const maxChanges = 32

// rules are what next obeys besides the result, of one check.
type rules struct{ group string }

// next gives the state after a result, and the transitions to tell of: none or one. A change of which of many targets fail is one from
// down to down. It is pure: the caller gives the transitions their ids and the time at which they were noticed (stamp).
//
// A first result that is up changes the state without a transition, so it is silent. A result that is inconclusive shows that the check
// is alive and nothing more; one that is aborted, or no verdict at all, does not count.
func next(s record.CheckState, r probe.Result, rule rules) (record.CheckState, []record.Transition) {
	switch r.Verdict {
	case probe.Up:
		return nextUp(s, r, rule)
	case probe.Down:
		return nextDown(s, r, rule)
	case probe.Inconclusive:
		return nextInconclusive(s, r, rule)
	}
	return s, nil
}

// nextInconclusive changes no state. Of a check with many targets that is down, those that can be judged may have recovered, while others, such
// as ones whose logins are paused, still count as failing: that is told. Where a target is down nevertheless, the result was judged to say
// nothing at all.
func nextInconclusive(s record.CheckState, r probe.Result, rule rules) (record.CheckState, []record.Transition) {
	s.LastSeen = plain(r.Start)
	isDown := func(one probe.Result) bool { return one.Verdict == probe.Down }
	targets := record.TargetsOf(s.Targets, r)
	if s.State != record.Down || targets.Failing == 0 || targets.SameFailing(s.Targets) || slices.ContainsFunc(r.Parts, isDown) {
		return s, nil
	}
	t := changed(s, r, rule, targets)
	s.Targets = targets
	return s, []record.Transition{t}
}

// changed is the transition of a check that stays down, with other targets that fail.
func changed(s record.CheckState, r probe.Result, rule rules, targets record.Targets) record.Transition {
	t := transition(s, r, rule, record.Down, plain(r.Start))
	t.Incident, t.Began, t.Failing = s.Incident, s.Since, record.FailingOf(s.Targets, targets, r)
	return t
}

func nextDown(s record.CheckState, r probe.Result, rule rules) (record.CheckState, []record.Transition) {
	var ts []record.Transition
	targets := record.TargetsOf(s.Targets, r)
	if s.State == record.Down && targets.Total > 0 && !targets.SameFailing(s.Targets) {
		ts = []record.Transition{changed(s, r, rule, targets)}
	}
	if s.State != record.Down {
		at := plain(r.Failing)
		if at.IsZero() {
			at = plain(r.Start)
		}
		t := transition(s, r, rule, record.Down, at)
		t.Began, t.Failing = at, record.FailingOf(record.Targets{}, targets, r)
		ts = []record.Transition{t}
		s.State, s.Since = record.Down, at
	}
	s.Reason, s.Err, s.Targets = r.Reason, r.Err, targets
	return seen(s, r), ts
}

func nextUp(s record.CheckState, r probe.Result, rule rules) (record.CheckState, []record.Transition) {
	var ts []record.Transition
	at := plain(r.Start)
	if s.State == record.Down {
		t := transition(s, r, rule, record.Up, at)
		t.Incident, t.Began = s.Incident, s.Since
		ts = []record.Transition{t}
	}
	if s.State != record.Up {
		s.State, s.Since, s.Incident = record.Up, at, 0
	}
	s.LastSuccess, s.Facts, s.Targets = at, r.Facts, record.TargetsOf(record.Targets{}, r)
	s.Reason, s.Err = probe.ReasonNone, ""
	return seen(s, r), ts
}

func seen(s record.CheckState, r probe.Result) record.CheckState {
	s.Check, s.Module, s.Target, s.LastSeen = r.Check, r.Module, r.Target, plain(r.Start)
	return s
}

// plain strips the monotonic reading, so that states and transitions are plain values.
func plain(t time.Time) time.Time { return t.Round(0) }

func transition(s record.CheckState, r probe.Result, rule rules, to record.State, at time.Time) record.Transition {
	return record.Transition{
		Check: r.Check, Group: rule.group, Module: r.Module, Target: r.Target, From: s.State, To: to, At: at,
		Reason: r.Reason, Err: r.Err, Attempts: r.Attempts, Took: r.Took,
		Changes: changes(s, r), Note: note(s, r), Trace: trace(r),
	}
}

// changes compares the facts of a result with those of the last success. A failed attempt may have ended before it came to a fact, so
// one that is missing is a change only in a success.
func changes(s record.CheckState, r probe.Result) []record.Change {
	if s.LastSuccess.IsZero() {
		return nil
	}
	was := make(map[string]string, len(s.Facts))
	for _, f := range s.Facts {
		was[f.Key] = f.Value
	}
	var all []record.Change
	for _, f := range r.Facts {
		if old, known := was[f.Key]; !known || old != f.Value {
			all = append(all, record.Change{Key: f.Key, Was: old, Is: f.Value})
		}
		delete(was, f.Key)
	}
	for _, f := range s.Facts {
		if _, missing := was[f.Key]; missing && r.Success() {
			all = append(all, record.Change{Key: f.Key, Was: f.Value})
		}
	}
	return all[:min(len(all), maxChanges)]
}

// trace gives that of the target that decided.
func trace(r probe.Result) string {
	if first := r.FirstFailing().Trace; !r.Success() && !first.Empty() {
		return first.String()
	}
	return r.Trace.String()
}

// note says what was reconfigured since the last result.
func note(s record.CheckState, r probe.Result) string {
	was, is := s.Targets, record.TargetsOf(s.Targets, r)
	switch {
	case s.LastSeen.IsZero():
		return ""
	case was.All != is.All && was.Total > 0 && is.Total > 0:
		return fmt.Sprintf("the targets were others before, %d of them", was.Total)
	case was.Total > 0 && is.Total == 0:
		return fmt.Sprintf("the check had %d targets before", was.Total)
	case s.Module == r.Module && s.Target == r.Target:
		return ""
	case s.Target == r.Target:
		return fmt.Sprintf("the module was %q before", s.Module)
	case s.Module == r.Module:
		return fmt.Sprintf("the target was %q before", s.Target)
	}
	return fmt.Sprintf("the module was %q and the target %q before", s.Module, s.Target)
}

// vanish is next for a check that was taken out of the configuration: an open incident ends with it.
func vanish(s record.CheckState, rule rules, now time.Time) (record.CheckState, []record.Transition) {
	ended := record.CheckState{Check: s.Check}
	if s.State != record.Down {
		return ended, nil
	}
	return ended, []record.Transition{{
		Check: s.Check, Group: rule.group, Module: s.Module, Target: s.Target, From: s.State, To: record.Unknown, At: plain(now),
		Gone: true, Incident: s.Incident, Began: s.Since, Reason: s.Reason, Err: s.Err,
	}}
}

// stamp completes what next gave: ids, the time of notice, and the incident that a transition to down opens.
func stamp(s record.CheckState, ts []record.Transition, id func() int64, now time.Time) (record.CheckState, []record.Transition) {
	for i := range ts {
		ts[i].ID, ts[i].Noticed = id(), plain(now)
		if opens(ts[i]) {
			ts[i].Incident = ts[i].ID
			s.Incident = ts[i].ID
		}
	}
	return s, ts
}

// opens tells whether a transition is the start of an incident; shifts, whether it is a change of the failing targets within one;
// closes, whether it is the end of one.
func opens(t record.Transition) bool  { return t.To == record.Down && t.From != record.Down }
func shifts(t record.Transition) bool { return t.To == record.Down && t.From == record.Down }
func closes(t record.Transition) bool { return t.From == record.Down && t.To != record.Down }
