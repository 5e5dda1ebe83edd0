// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// Options is what an Alerter works with.
type Options struct {
	Journal    Journal
	Reader     Reader                // nil = the summary has no counts
	Now        func() time.Time      // wall clock; nil = time.Now
	Log        *slog.Logger          // nil = nowhere
	Registerer prometheus.Registerer // nil = no metrics
	Version    string                // of skywatch, for the end of a message
}

// Alerter keeps the states of the checks and tells the notifiers of their changes. It is safe for concurrent use.
type Alerter struct {
	ledger  *ledger
	reader  Reader
	now     func() time.Time
	log     *slog.Logger
	version string
	build   func(NotifierConfig) Notifier

	restoring sync.Mutex   // held while the journal is read, until what it gave is merged
	reload    sync.RWMutex // writers change what is watched and told; readers make a change and its commit in one
	changed   chan struct{}

	mu          sync.Mutex // the rest; taken after reload, released before a commit
	ids         ids
	instance    string
	unread      bool // the journal was not read yet
	config      Config
	location    *time.Location
	checks      map[string]probe.Check
	states      map[string]record.CheckState
	firstUp     map[string]time.Time    // while unread: when a check was first seen up
	lastDown    map[string]probe.Result // while unread: the last result that is down of a check with many targets, without what next has no use for
	lanes       map[string]*lane
	threads     map[thread]string
	begun       time.Time // when the first configuration came
	blank       bool      // nothing was read from the journal, or there was nothing in it
	lastSummary time.Time
	ahead       time.Time // when it was noticed that the last summary lies in the future; zero = it does not
	expired     []string  // subjects given up since the last summary
}

var _ probe.Observer = (*Alerter)(nil)

// thread is the incident as one notifier knows it.
type thread struct {
	incident int64
	notifier string
}

// New makes an Alerter that knows nothing yet. Apply comes next, then Run.
func New(o Options) *Alerter {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &Alerter{
		ledger: newLedger(o.Journal, o.Log), reader: o.Reader, now: o.Now, log: o.Log, version: o.Version,
		changed: make(chan struct{}, 1), instance: newInstance(), unread: true, blank: true,
		config: DefaultConfig(), location: time.Local,
		checks: make(map[string]probe.Check), states: make(map[string]record.CheckState), firstUp: make(map[string]time.Time),
		lastDown: make(map[string]probe.Result),
		lanes:    make(map[string]*lane), threads: make(map[thread]string),
	}
	a.build, a.ledger.stored = a.notifier, a.stored
	if o.Registerer != nil {
		o.Registerer.MustRegister(collector{a})
	}
	return a
}

// notifier makes what a valid section configures.
func (a *Alerter) notifier(c NotifierConfig) Notifier {
	if c.Email != nil {
		return &email{config: *c.Email, version: a.version, dial: new(net.Dialer).DialContext}
	}
	return logger{a.log}
}

// State gives the state of a check; false if it is not configured.
func (a *Alerter) State(check string) (record.CheckState, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.checks[check]; !known {
		return record.CheckState{}, false
	}
	return a.state(check), true
}

// state gives that of a check that was never seen too. The lock is held.
func (a *Alerter) state(check string) record.CheckState {
	if s, seen := a.states[check]; seen {
		return s
	}
	return record.CheckState{Check: check}
}

// States gives those of all configured checks, by name.
func (a *Alerter) States() []record.CheckState {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sortedStates()
}

func (a *Alerter) sortedStates() []record.CheckState {
	all := make([]record.CheckState, 0, len(a.checks))
	for name := range a.checks {
		all = append(all, a.state(name))
	}
	slices.SortFunc(all, func(x, y record.CheckState) int { return cmp.Compare(x.Check, y.Check) })
	return all
}

// Pending gives what is still to be told, by notifier: sealed and parked messages, and for transitions that are in none yet one of
// state 0 ("open").
func (a *Alerter) Pending() []record.Message {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []record.Message
	for _, l := range a.sortedLanes() {
		for _, x := range l.pending() {
			all = append(all, x.Message)
		}
		if news := events(l.open); len(news) > 0 {
			all = append(all, record.Message{Notifier: l.name, Kind: record.KindAlert, Subject: subject(news), Transitions: idsOf(l.open)})
		}
	}
	return all
}

func (a *Alerter) sortedLanes() []*lane {
	return slices.SortedFunc(maps.Values(a.lanes), func(x, y *lane) int { return cmp.Compare(x.name, y.name) })
}

// lane gives that of a notifier, a new one if need be. The lock is held.
func (a *Alerter) lane(name string) *lane {
	l, known := a.lanes[name]
	if !known {
		l = newLane(name)
		a.lanes[name] = l
		notify(a.changed)
	}
	return l
}

// notify wakes whoever waits on the channel, which has room for one.
func notify(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// Observe takes the result of a scheduled check. A change is committed before it returns. It returns in about a second at most: where the
// journal refuses, the change is kept in memory, and where many wait for it, it is committed soon after.
func (a *Alerter) Observe(ctx context.Context, r probe.Result) {
	a.reload.RLock()
	defer a.reload.RUnlock()
	w, counts := a.judge(r)
	switch {
	case !counts:
	case len(w.transitions) > 0:
		a.commit(ctx, w)
	default:
		a.ledger.keepStates(w.states)
	}
}

// judge runs next and gives what is to be written; counts is false if the result changes nothing.
func (a *Alerter) judge(r probe.Result) (w write, counts bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	check, known := a.checks[r.Check]
	if !known || r.Verdict < probe.Up || r.Verdict > probe.Inconclusive {
		return write{}, false
	}
	now := a.now()
	state, ts := next(a.state(r.Check), r, rules{check.Group})
	state, ts = stamp(state, ts, func() int64 { return a.ids.next(now) }, now)
	a.states[r.Check] = state
	if a.unread {
		a.remember(state, r)
	}
	return write{states: []record.CheckState{state}, transitions: ts, deliveries: a.intend(ts, check.Notify)}, true
}

// remember keeps what the stored state of a check will need, once it is read. The lock is held.
func (a *Alerter) remember(s record.CheckState, r probe.Result) {
	if _, seen := a.firstUp[r.Check]; !seen && s.State == record.Up {
		a.firstUp[r.Check] = s.Since
	}
	if r.Verdict == probe.Down && len(r.Parts) > 0 {
		a.lastDown[r.Check] = bare(r)
	}
}

// bare leaves the traces and samples out of a result with many targets, but for the trace of the one that decided.
func bare(r probe.Result) probe.Result {
	r.Trace, r.Samples = r.FirstFailing().Trace, nil
	r.Parts = slices.Clone(r.Parts)
	for i := range r.Parts {
		r.Parts[i].Trace, r.Parts[i].Samples = probe.Trace{}, nil
	}
	return r
}

// intend says who is to be told: the check's notifiers, and of what follows a start those who were told of it. The lock is held.
func (a *Alerter) intend(ts []record.Transition, names []string) []record.Delivery {
	var ds []record.Delivery
	for _, t := range ts {
		for _, l := range a.sortedLanes() {
			wanted := l.notifier != nil && (names == nil || slices.Contains(names, l.name))
			if wanted || !opens(t) && a.knows(l, t.Incident) {
				ds = append(ds, record.Delivery{Transition: t.ID, Notifier: l.name})
			}
		}
	}
	return ds
}

// knows tells whether a notifier was told of the start of an incident, or will be.
func (a *Alerter) knows(l *lane, incident int64) bool {
	_, told := a.threads[thread{incident, l.name}]
	return told || slices.ContainsFunc(l.open, func(t record.Transition) bool { return t.ID == incident })
}

// commit writes transitions and hands them to the notifiers' lanes. reload is held.
func (a *Alerter) commit(ctx context.Context, w write) {
	light := make([]record.Transition, len(w.transitions))
	for i, t := range w.transitions {
		light[i] = t
		light[i].Trace = cutTrace(t.Trace)
	}
	a.ledger.commit(ctx, w) // whatever comes of it, the ledger has it
	for _, t := range w.transitions {
		a.logTransition(t)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range w.deliveries {
		i := slices.IndexFunc(light, func(t record.Transition) bool { return t.ID == d.Transition })
		if i >= 0 {
			a.lane(d.Notifier).add(light[i])
		}
	}
}

func (a *Alerter) logTransition(t record.Transition) {
	switch {
	case t.Gone:
		a.log.Info("check is no longer watched", "check", t.Check, "down_since", t.Began)
	case opens(t):
		a.log.Warn("check is down", "check", t.Check, "since", t.At, "reason", t.Reason.String(), "err", t.Err)
	case shifts(t):
		a.log.Warn("check is still down, other targets fail", "check", t.Check, "since", t.Began, "reason", t.Reason.String(), "err", t.Err)
	default:
		a.log.Info("check is up again", "check", t.Check, "since", t.At, "was_down", t.At.Sub(t.Began))
	}
}
