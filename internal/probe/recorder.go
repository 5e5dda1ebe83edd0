// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"
)

// The bounds of what one attempt may record.
const (
	maxSamples = 1000
	maxFacts   = 32
)

// Recorder is what a prober writes into during one attempt. It is safe for concurrent use. Once the attempt is over it is sealed,
// and every later call does nothing.
type Recorder struct {
	// Log goes to the trace always, and to the daemon's log at the level set for probers. Attributes are snake_case.
	Log *slog.Logger

	trace                *traceBuffer
	store, cache, shared Store
	alone                sync.Locker
	number               int             // of the attempt, from 1
	parent               *Recorder       // of a draft; nil otherwise
	gate                 Gate            // nil = every secret may be sent
	within               context.Context // of the attempt, for the gate

	mu      sync.Mutex
	sealed  bool
	samples []Sample
	facts   []Fact
	logins  []LoginOutcome
	conns   []net.Conn
	ended   func() // what a stray prober must do when it ends
}

// Set gives a metric its value; a second Set of the same labels replaces the first.
func (r *Recorder) Set(d *Desc, v float64, labels ...string) {
	r.put(d, labels, func(*float64) float64 { return v })
}

// Add adds to a metric, which starts at zero.
func (r *Recorder) Add(d *Desc, v float64, labels ...string) {
	r.put(d, labels, func(old *float64) float64 { return *old + v })
}

// Phase adds a duration to the phase of a metric whose only label is the phase, in seconds.
func (r *Recorder) Phase(d *Desc, phase string, took time.Duration) {
	r.Add(d, took.Seconds(), phase)
}

func (r *Recorder) put(d *Desc, labels []string, value func(*float64) float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed {
		return
	}
	for i := range r.samples {
		if s := &r.samples[i]; s.Desc == d && slices.Equal(s.Labels, labels) {
			s.Value = value(&s.Value)
			return
		}
	}
	if len(r.samples) < maxSamples {
		var zero float64
		r.samples = append(r.samples, Sample{Desc: d, Value: value(&zero), Labels: labels})
	}
}

// Fact notes something worth comparing with the last success. A second value for a key replaces the first; the 33rd key is left out.
func (r *Recorder) Fact(key, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed {
		return
	}
	for i := range r.facts {
		if r.facts[i].Key == key {
			r.facts[i].Value = value
			return
		}
	}
	if len(r.facts) < maxFacts {
		r.facts = append(r.facts, Fact{key, value})
	}
}

// Hide adds secrets to those that are masked in the trace, the error, the facts and the labels of this run.
func (r *Recorder) Hide(secrets ...Secret) { r.trace.hide(secrets...) }

// Evidence is like the function of this name, and masks the secrets of this run before it cuts, so that no half of one is left.
func (r *Recorder) Evidence(s string) string { return Evidence(r.trace.mask(s)) }

// Attempt tells which attempt of its run this is, from 1. A prober that must not do something once per attempt, such as to send a mail,
// does it in the first one.
func (r *Recorder) Attempt() int { return r.number }

// Mask replaces the secrets of this run in s: for a text that is cut, so that no half of one is left. What is recorded whole needs no Mask.
func (r *Recorder) Mask(s string) string { return r.trace.mask(s) }

// Store is the memory of this module and target; never nil.
func (r *Recorder) Store() Store { return r.store }

// Cache is like Store but never written to disk: tokens, secrets. Never nil. Checks that use the same module at the same target share it,
// and so do variants of the module: a key must say what the value was made of.
func (r *Recorder) Cache() Store { return r.cache }

// Shared is the one memory that all probes of this skywatch have in common, durable like Store; never nil. It is for what one module makes
// and another must know again, such as the key of signed messages.
func (r *Recorder) Shared() Store { return r.shared }

// Alone calls f while no other probe is in Alone, for a change of a memory that depends on what is in it: requests for the same module and
// target run at the same time and have one Store. f does nothing else, so that nobody waits for long.
func (r *Recorder) Alone(f func()) {
	r.alone.Lock()
	defer r.alone.Unlock()
	f()
}

// track hands a connection to the watchdog of the attempt. It tells whether the attempt still runs.
func (r *Recorder) track(c net.Conn) bool {
	if r.parent != nil {
		return r.parent.track(c)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed {
		return false
	}
	r.conns = append(r.conns, c)
	return true
}

// eachConn calls f for every connection of the attempt, closed ones too.
func (r *Recorder) eachConn(f func(net.Conn)) {
	r.mu.Lock()
	conns := slices.Clone(r.conns)
	r.mu.Unlock()
	for _, c := range conns {
		f(c)
	}
}

// seal ends the recording and gives what was recorded.
func (r *Recorder) seal() ([]Sample, []Fact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sealed = true
	return r.samples, r.facts
}
