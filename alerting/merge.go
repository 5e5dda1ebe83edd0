// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"maps"
	"slices"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// merge joins what the journal gave with what came about while it could not be read (nothing, when it is read at start). It gives what
// is to be written and told because of that: the ends of stored incidents whose checks came up meanwhile. The lock is held, and reload
// for writing.
func (a *Alerter) merge(saved record.Saved) write {
	if saved.Instance != "" {
		a.instance = saved.Instance
	}
	a.blank = len(saved.States) == 0 && saved.LastSummary.IsZero()
	if saved.LastSummary.After(a.lastSummary) {
		a.lastSummary = saved.LastSummary
	}
	stored := make(map[string]record.CheckState, len(saved.States))
	for _, s := range saved.States {
		stored[s.Check] = s
		a.ids.above(s.Incident)
	}
	w := write{states: inherit(stored, a.checks)}
	for _, t := range saved.Outbox.Threads {
		a.threads[thread{t.Incident, t.Notifier}] = t.MessageID
	}
	a.mergeOutbox(saved.Outbox)
	for _, name := range slices.Sorted(maps.Keys(stored)) {
		a.mergeState(stored[name], &w)
	}
	clear(a.firstUp)
	clear(a.lastDown)
	return w
}

// mergeOutbox puts what was still to be told before what came about since: its ids are smaller.
func (a *Alerter) mergeOutbox(o record.Outbox) {
	known := make(map[int64]record.Transition, len(o.Transitions))
	for _, t := range o.Transitions {
		t.Trace = cutTrace(t.Trace)
		known[t.ID] = t
		a.ids.above(t.ID)
	}
	for _, m := range o.Messages {
		a.ids.above(m.ID)
		x := newLetter(m)
		for _, id := range m.Transitions {
			if t, ok := known[id]; ok {
				x.parts = append(x.parts, t)
			}
		}
		x.aged = max(a.now().Sub(x.born()), 0)
		a.lane(m.Notifier).put(x)
	}
	for _, d := range o.Deliveries {
		if t, ok := known[d.Transition]; ok && d.Message == 0 {
			a.lane(d.Notifier).add(t)
		}
	}
}

// mergeState joins the stored state of a check with the one of memory.
func (a *Alerter) mergeState(stored record.CheckState, w *write) {
	now, seen := a.states[stored.Check]
	if !seen || now.State == record.Unknown {
		if now.LastSeen.After(stored.LastSeen) {
			stored.LastSeen = now.LastSeen
		}
		a.states[stored.Check] = stored
		return
	}
	if now.LastSuccess.IsZero() {
		now.LastSuccess, now.Facts = stored.LastSuccess, stored.Facts
	}
	now = a.joinIncidents(stored, now, w)
	a.states[stored.Check] = now
	w.states = append(w.states, now)
}

// joinIncidents makes sure that each incident has one start and one end, though memory did not know of the stored one.
func (a *Alerter) joinIncidents(stored, now record.CheckState, w *write) record.CheckState {
	at, cameUp := a.firstUp[now.Check]
	first, down := a.ledger.firstDown(now.Check)
	wasDown := stored.State == record.Down
	switch {
	case wasDown && down && first.From == record.Unknown: // it is the same outage, seen again
		a.sameIncident(first.ID, stored, w)
		if now.Incident == first.ID {
			now.Incident, now.Since, now.Targets = stored.Incident, stored.Since, stored.Targets
			if r, kept := a.lastDown[now.Check]; kept { // what it changed of the stored targets was not told yet
				now.Targets = a.judgeAgain(now, r, w).Targets
			}
		}
	case wasDown && cameUp:
		ended := stored
		ended.Module, ended.Target, ended.Targets = now.Module, now.Target, record.Targets{}
		r := probe.Result{Check: now.Check, Module: now.Module, Target: now.Target, Start: at, Verdict: probe.Up, Attempts: 1, Facts: now.Facts}
		a.judgeAgain(ended, r, w)
	case stored.State == now.State && !down:
		now.Since = stored.Since
	}
	return now
}

// judgeAgain adds what follows from a result after a stored state, and gives the state after it.
func (a *Alerter) judgeAgain(s record.CheckState, r probe.Result, w *write) record.CheckState {
	check := a.checks[s.Check]
	s, ts := next(s, r, rules{check.Group})
	s, ts = stamp(s, ts, func() int64 { return a.ids.next(a.now()) }, a.now())
	w.transitions = append(w.transitions, ts...)
	w.deliveries = append(w.deliveries, a.intend(ts, check.Notify)...)
	return s
}

// sameIncident makes the start of an incident of memory the stored one: whoever was told of either hears of it no more, and its end is
// the end of the stored one.
func (a *Alerter) sameIncident(double int64, stored record.CheckState, w *write) {
	a.ledger.replace(double, stored.Incident, stored)
	told := a.ledger.told(stored.Incident)
	for _, l := range a.sortedLanes() {
		if a.knows(l, stored.Incident) || l.holds(stored.Incident) {
			l.open = slices.DeleteFunc(l.open, func(t record.Transition) bool { return t.ID == double })
		}
		if told[l.name] {
			l.open = slices.DeleteFunc(l.open, func(t record.Transition) bool { return t.ID == stored.Incident })
		}
		waits := slices.ContainsFunc(l.open, func(t record.Transition) bool { return t.ID == double })
		renameAll(l.open, double, stored)
		for _, x := range l.alerts {
			x.Transitions = renamed(x.Transitions, double, stored.Incident)
			renameAll(x.parts, double, stored)
		}
		if waits {
			w.deliveries = append(w.deliveries, record.Delivery{Transition: stored.Incident, Notifier: l.name})
		}
		if id, ok := a.threads[thread{double, l.name}]; ok {
			delete(a.threads, thread{double, l.name})
			if _, older := a.threads[thread{stored.Incident, l.name}]; !older {
				a.threads[thread{stored.Incident, l.name}] = id
			}
		}
	}
}

// holds tells whether a letter tells of a transition.
func (l *lane) holds(id int64) bool {
	return slices.ContainsFunc(l.alerts, func(x *letter) bool { return slices.Contains(x.Transitions, id) })
}

// renamed gives a copy with another id in place of one.
func renamed(all []int64, from, to int64) []int64 {
	all = slices.Clone(all)
	for i := range all {
		if all[i] == from {
			all[i] = to
		}
	}
	return all
}

// renameAll gives transitions of an incident to the stored one.
func renameAll(all []record.Transition, from int64, stored record.CheckState) {
	for i := range all {
		if all[i].Incident != from {
			continue
		}
		all[i].Incident, all[i].Began = stored.Incident, stored.Since
		if all[i].ID == from {
			all[i].ID, all[i].At = stored.Incident, stored.Since
		}
	}
}

// firstDown finds the first transition to down of a check among the writes that wait.
func (l *ledger) firstDown(check string) (t record.Transition, found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.queue.entries {
		for _, t := range w.transitions {
			if t.Check == check && opens(t) {
				return t, true
			}
		}
	}
	return record.Transition{}, false
}

// told names the notifiers that had a message of a transition, among the writes that wait.
func (l *ledger) told(id int64) map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]bool)
	for _, w := range l.queue.entries {
		if w.message != nil && slices.Contains(w.message.Transitions, id) {
			all[w.message.Notifier] = true
		}
	}
	return all
}

// replace makes the waiting writes speak of the stored incident instead of its double, of which nothing is written then.
func (l *ledger) replace(double, by int64, stored record.CheckState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.queue.entries {
		w.transitions = slices.DeleteFunc(w.transitions, func(t record.Transition) bool { return t.ID == double })
		w.deliveries = slices.DeleteFunc(w.deliveries, func(d record.Delivery) bool { return d.Transition == double })
		renameAll(w.transitions, double, stored)
		for i := range w.states {
			if w.states[i].Incident == double {
				w.states[i].Incident, w.states[i].Since = by, stored.Since
			}
		}
		if w.message != nil {
			m := *w.message
			m.Transitions = renamed(m.Transitions, double, by)
			w.message = &m
		}
	}
}
