// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"net/url"
	"time"
)

// Prober is the implementation of a protocol, configured. It keeps no mutable state of its own: what it must remember goes to
// Recorder.Store or Recorder.Cache.
type Prober interface {
	// Validate is called once, after decoding; it may complete derived fields. Afterwards the prober is read-only.
	Validate() error
	// Probe makes one attempt at the target. nil is a success; otherwise the error's Reason says why. It obeys ctx, is safe for
	// concurrent use, closes what it opened, and leaves no goroutine behind.
	Probe(ctx context.Context, t Target, r *Recorder) error
}

// Module is a named, configured prober. It is read-only once made.
type Module struct {
	Name    string
	Kind    string        // the prober's name: "http", "tcp", ...
	Timeout time.Duration // upper bound of a probe; 0 = none
	Prober  Prober
	Secrets []Secret          // secrets written in the module; Run masks them in everything it returns
	Unused  map[string]Prober // sections of other probers that were written too: checked and shown, nothing else

	Params []string                                     // keys of the section that a request may set by parameters
	Vary   func(parameters url.Values) (*Module, error) // makes the variant that a request's parameters ask for; nil without Params

	// Permit judges whether a request may have the secrets of m, which is this module or a variant of it, sent where a probe of t sends
	// them; a *Refused says why not. It is that of the configuration the module belongs to. nil = there is nothing to judge.
	Permit func(m *Module, t Target) error
}

// Permitted tells whether a request may make a probe of t; a *Refused says why not. It is to be asked before anything is sent.
func (m *Module) Permitted(t Target) error {
	if m.Permit == nil {
		return nil
	}
	return m.Permit(m, t)
}

// Desc declares a metric beside the prober that sets it. All metrics of a probe are gauges.
type Desc struct {
	Name   string
	Help   string
	Labels []string // names, in the order in which Recorder.Set takes the values
}

// Sample is one value of a metric. Labels are the values for Desc.Labels, in order.
type Sample struct {
	Desc   *Desc
	Value  float64
	Labels []string
}

// Fact is something worth comparing with the last success: an address, a banner, a certificate's serial.
type Fact struct{ Key, Value string }

// Origin says who asked for a probe. The numbers are stored; they are never reused.
type Origin uint8

// The origins of a probe.
const (
	OriginSchedule Origin = 1 // a scheduled check
	OriginRequest  Origin = 2 // /probe
	OriginCommand  Origin = 3 // the command line
)

// Check is a module pointed at a target, with the rules of trying: what Run runs. With Parts it has many targets, and Round runs it. It
// is read-only once made.
type Check struct {
	Name       string  // "" for a request
	Module     *Module // of a check with many targets: the one that the variants of its targets are made from
	Target     Target  // that of a check with many targets aims at nothing
	Parts      []Part  // of a check with many targets: each with its module, in the order of the configuration; nil = one target
	Origin     Origin
	Timeout    time.Duration // of one attempt; 0 gives it no time at all
	Attempts   int           // at most; 0 means 1
	RetryDelay time.Duration // between attempts

	// The rest is for scheduled checks.
	Every  time.Duration     // interval
	Group  string            // "" = none
	Labels map[string]string // configured labels
	Notify []string          // notifier names; nil = all
	Was    []string          // former names whose state this check inherits
}

// DefaultConcurrency is how many probes of checks run at the same time unless configured.
const DefaultConcurrency = 64

// Judge sees every result of a scheduled check once before anyone else does, and may turn down into inconclusive. It may take time.
type Judge interface {
	Judge(ctx context.Context, r Result) Result
}

// Observer takes results. It is called from the check's own goroutine, one result of a check after the other.
type Observer interface {
	Observe(ctx context.Context, r Result)
}
