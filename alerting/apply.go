// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"maps"
	"slices"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// Apply sets what is watched and who is told, at start and at each reload. The first call reads the journal too. A check that is gone
// while down ends its incident with "no longer watched"; one with a former name in Was takes over that one's state. The messages of a
// notifier that is gone are parked; what waits for its next attempt is tried at once after a reload.
func (a *Alerter) Apply(config Config, location *time.Location, checks []probe.Check) error {
	if err := config.Validate(); err != nil {
		return err
	}
	ctx := context.Background()
	a.restoring.Lock()
	defer a.restoring.Unlock()
	saved, fresh := a.read(ctx)
	a.reload.Lock()
	defer a.reload.Unlock()
	old := a.swap(config, location, checks)
	a.settleStates(ctx, saved, fresh, old)
	return nil
}

// restore reads the journal once it can be read.
func (a *Alerter) restore(ctx context.Context) {
	a.restoring.Lock()
	defer a.restoring.Unlock()
	saved, fresh := a.read(ctx)
	if fresh {
		a.reload.Lock()
		defer a.reload.Unlock()
		a.settleStates(ctx, saved, true, nil)
	}
}

// read gives what the journal kept, once. restoring is held.
func (a *Alerter) read(ctx context.Context) (saved record.Saved, fresh bool) {
	a.mu.Lock()
	unread := a.unread
	a.mu.Unlock()
	if !unread {
		return record.Saved{}, false
	}
	saved, err := a.ledger.load(ctx)
	return saved, err == nil
}

// swap takes the new configuration and gives the old checks.
func (a *Alerter) swap(config Config, location *time.Location, checks []probe.Check) map[string]probe.Check {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.checks
	if a.begun.IsZero() {
		a.begun = a.now()
	}
	a.config, a.location = config, location
	a.checks = make(map[string]probe.Check, len(checks))
	for _, c := range checks {
		a.checks[c.Name] = c
	}
	for _, l := range a.lanes {
		l.notifier = nil
		for _, x := range l.pending() {
			x.NextAt = plain(a.now())
		}
	}
	for _, n := range config.Notifiers {
		l := a.lane(n.Name)
		l.notifier, l.domain = a.build(n), n.domain()
	}
	return old
}

// settleStates merges what the journal gave, hands states over to new names, and ends the incidents of checks that are gone.
// reload is held for writing.
func (a *Alerter) settleStates(ctx context.Context, saved record.Saved, fresh bool, old map[string]probe.Check) {
	a.mu.Lock()
	var w write
	if fresh {
		w = a.merge(saved)
	}
	renamed := inherit(a.states, a.checks)
	gone := a.vanished(old)
	w.states = slices.Concat(w.states, renamed, gone.states)
	w.transitions = slices.Concat(w.transitions, gone.transitions)
	w.deliveries = slices.Concat(w.deliveries, gone.deliveries)
	if fresh {
		a.unread = false
		a.ledger.opened()
	}
	a.mu.Unlock()
	if len(w.states) > 0 || len(w.deliveries) > 0 {
		a.commit(ctx, w)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.lanes {
		notify(l.wake)
	}
}

// inherit gives the states of former names to the checks that have none of their own. It gives the states that changed by that.
func inherit(states map[string]record.CheckState, checks map[string]probe.Check) (changed []record.CheckState) {
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		if s, seen := states[name]; seen && s.State != record.Unknown {
			continue
		}
		for _, was := range checks[name].Was {
			s, seen := states[was]
			if _, configured := checks[was]; !seen || configured {
				continue
			}
			s.Check = name
			states[name] = s
			delete(states, was)
			changed = append(changed, s, record.CheckState{Check: was})
			break
		}
	}
	return changed
}

// vanished ends what is no longer watched. old are the checks before. The lock is held.
func (a *Alerter) vanished(old map[string]probe.Check) (w write) {
	now := a.now()
	for _, name := range slices.Sorted(maps.Keys(a.states)) {
		if _, configured := a.checks[name]; configured {
			continue
		}
		was := a.states[name]
		delete(a.states, name)
		if was.State == record.Unknown {
			continue
		}
		s, ts := vanish(was, rules{old[name].Group}, now)
		s, ts = stamp(s, ts, func() int64 { return a.ids.next(now) }, now)
		w.states = append(w.states, s)
		w.transitions = append(w.transitions, ts...)
		w.deliveries = append(w.deliveries, a.intend(ts, a.audience(ts, old[name]))...)
	}
	return w
}

// audience names those who are to hear that a check is no longer watched: who was told that it is down, nobody else if anyone was.
func (a *Alerter) audience(ts []record.Transition, old probe.Check) []string {
	for _, t := range ts {
		for _, l := range a.lanes {
			if a.knows(l, t.Incident) {
				return []string{}
			}
		}
	}
	return old.Notify
}
