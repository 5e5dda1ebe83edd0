// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package lockout

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"skywatch/internal/probe"
)

// Options is what a Guard works with. The zero value works.
type Options struct {
	Config Config

	// Memory gives the durable memory of a name; that of "" is shared with all probes. nil = nothing outlives the process.
	Memory func(name string) probe.Store
	// Stored tells whether the memories can be read and written now; nil = always. Until then all is kept in the process.
	Stored func() bool

	// Address gives the one spelling of a server's host:port; another one is not another server. nil = as it is.
	Address func(address string) string

	Now        func() time.Time      // wall clock; nil = time.Now
	Location   func() *time.Location // zone of the times in messages; nil = the system's
	Log        *slog.Logger          // one line at the begin of a pause and one at its end; nil = nowhere
	Registerer prometheus.Registerer // nil = no metrics
}

// Guard counts refused logins and holds up further ones. It is safe for concurrent use.
type Guard struct {
	o Options

	storing sync.Mutex // held while the memories are used; before mu
	lasting bool       // the key is in the memory

	mu      sync.Mutex // guards what follows
	config  Config
	tallies map[account]*tally
	hosts   map[account]*host // by account.at("")
	key     []byte            // of fingerprints; nil = not made yet
	freed   chan struct{}     // closed when a login has ended
}

// New makes a guard that knows of no refusals but those in the memories.
func New(o Options) *Guard {
	if o.Memory == nil {
		shared, none := new(probe.MemoryStore), nothing{}
		o.Memory = func(name string) probe.Store {
			if name == "" {
				return shared
			}
			return none
		}
	}
	if o.Stored == nil {
		o.Stored = func() bool { return true }
	}
	if o.Address == nil {
		o.Address = func(address string) string { return address }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Location == nil {
		o.Location = func() *time.Location { return time.Local }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	g := &Guard{o: o, config: o.Config, tallies: make(map[account]*tally), hosts: make(map[account]*host), freed: make(chan struct{})}
	if o.Registerer != nil {
		o.Registerer.MustRegister(gauges{g})
	}
	return g
}

// Apply takes over a changed configuration; what was counted stays.
func (g *Guard) Apply(c Config) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.config = c
	g.release()
}

// Hold is a login that must not be tried now.
type Hold struct {
	text  string
	After time.Duration // when it may be tried, from now
}

// Error says what is held up and why.
func (h *Hold) Error() string { return h.text }

// paused tells whether an account must be left alone for a time. It needs mu.
func (g *Guard) paused(a account, origin probe.Origin) *Hold {
	t := g.tally(a)
	until, now := g.until(a, t), g.o.Now()
	if !now.Before(until) {
		g.ended(a, t, "time is up")
	}
	refusals, last := g.row(a, t)
	if origin == probe.OriginRequest {
		until = last.Add(g.config.pace(refusals))
	}
	if !now.Before(until) {
		return nil
	}
	return &Hold{After: until.Sub(now), text: fmt.Sprintf("%s are paused until %s after %s in a row, want a working secret",
		a, g.clock(until), probe.Count(refusals, "refusal"))}
}

// row is how many refusals in a row hold up an account, and when the last of them came: once it has any itself, those at all ports of the
// host, since they are mostly of one account there. A port that has refused nothing is not held up by the others. It needs mu.
func (g *Guard) row(a account, t *tally) (refusals int, last time.Time) {
	if t.refusals == 0 {
		return 0, time.Time{}
	}
	return g.sum(a, t)
}

// sum is how many refusals in a row there were at all ports of the host, of the secret that this one refused, if it did. It needs mu.
func (g *Guard) sum(a account, t *tally) (refusals int, last time.Time) {
	now := g.o.Now()
	for _, other := range g.hosts[a.at("")].tallies {
		if other.differs(t.print) {
			continue
		}
		if other.last.After(now) {
			other.last = now // the clock was set back
		}
		refusals += other.refusals
		if other.last.After(last) {
			last = other.last
		}
	}
	return refusals, last
}

// until is the end of the pause of checks; not after now when there is none. It needs mu.
func (g *Guard) until(a account, t *tally) time.Time {
	refusals, last := g.row(a, t)
	return last.Add(g.config.pause(refusals))
}

// clock shows a time of today without the date, rounded up to a minute.
func (g *Guard) clock(t time.Time) string {
	in := g.o.Location()
	t = t.Add(time.Minute - time.Nanosecond).Truncate(time.Minute).In(in)
	if now := g.o.Now().In(in); now.YearDay() == t.YearDay() && now.Year() == t.Year() {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// verdict counts what a server said. It needs mu.
func (g *Guard) verdict(a account, secret probe.Secret, accepted bool) {
	t := g.tally(a)
	switch {
	case g.config.Max == 0:
	case accepted:
		t.changed = t.changed || !t.loaded
		t.loaded = true
		g.clear(a, t, "accepted")
		t.good, t.cut = g.fingerprint(secret), 0
	default:
		g.refused(a, t, g.fingerprint(secret))
	}
}

// refused counts a refusal; of another secret than the one before it is the first. It needs mu.
func (g *Guard) refused(a account, t *tally, print string) {
	if t.differs(print) {
		g.clear(a, t, "secret changed")
	}
	t.refusals, t.last, t.print, t.changed = t.refusals+1, g.o.Now(), print, true
	t.good, t.cut = "", 0
	if refusals, _ := g.row(a, t); g.config.pause(refusals) > 0 {
		t.told = true
		g.o.Log.Warn("logins are paused", "credential", a.label(), "address", a.address, "refusals", refusals, "until", g.until(a, t).In(g.o.Location()).Format(time.RFC3339))
	}
}

// clear begins a new count. It needs mu.
func (g *Guard) clear(a account, t *tally, why string) {
	if t.refusals > 0 {
		t.refusals, t.last, t.print, t.changed = 0, time.Time{}, "", true
		g.ended(a, t, why)
	}
}

// ended says in the log that a pause has ended, once. It needs mu.
func (g *Guard) ended(a account, t *tally, why string) {
	if t.told {
		t.told = false
		g.o.Log.Info("logins go on", "credential", a.label(), "address", a.address, "why", why)
	}
}

// release lets those that wait for a login to end look again. It needs mu.
func (g *Guard) release() {
	close(g.freed)
	g.freed = make(chan struct{})
}

// forgive clears the count of a secret that is no longer what was refused.
func (g *Guard) forgive(a account, secret probe.Secret) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.tally(a); t.differs(g.fingerprint(secret)) {
		g.clear(a, t, "secret changed")
		g.release()
	}
}
