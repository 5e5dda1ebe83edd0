// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// Reader gives what is remembered, newest first and at most limit of it.
type Reader interface {
	Results(ctx context.Context, check string, limit int) ([]record.Stored, error)
	Recent(ctx context.Context, limit int) ([]record.Stored, error)
	Transitions(ctx context.Context, check string, limit int) ([]record.Transition, error)
	Outages(ctx context.Context, from, to time.Time, limit int) ([]record.Outage, error)
	Trace(ctx context.Context, id int64) (string, error) // "" or fs.ErrNotExist = no such trace
}

// Options is what the pages are made of. Probe and Metrics are required; what else is nil is left out of the pages.
type Options struct {
	Probe, Metrics http.Handler
	Measured       http.Handler                   // /metrics/checks
	Logs           http.Handler                   // /logs
	Requests       iter.Seq2[int64, probe.Result] // what /logs keeps, with its ids, newest first
	Config         func() ([]byte, error)         // the configuration, redacted
	Reload         func() error                   // reads the configuration again
	Ready          func() error                   // nil = ready, else why not
	Checks         func() []probe.Check           // the configured checks
	States         func() []record.CheckState     // of the checks
	Pending        func() []record.Message        // what is still to be sent
	History        Reader                         // what is remembered
	HistoryErr     func() error                   // nil = the history takes writes, else why not
	Notices        func() []string                // what else somebody has to see to, a line each
	Now            func() time.Time               // nil = time.Now
	Location       func() *time.Location          // zone of the times shown; nil = the system's
	Version        string
	Prefix         string       // of all paths, / at both ends; "" = /
	External       string       // URL under which users reach us; "" = where the prefix begins
	Pprof          bool         // profiles under /debug/pprof/
	Exact          bool         // blackbox_exporter's behaviour: every unknown path shows the landing page
	Log            *slog.Logger // nil = nowhere
}

func (o *Options) complete() {
	if o.Prefix == "" {
		o.Prefix = "/"
	}
	if o.External == "" {
		o.External = o.Prefix
	}
	if o.Requests == nil {
		o.Requests = func(func(int64, probe.Result) bool) {}
	}
	if o.Config == nil {
		o.Config = func() ([]byte, error) { return nil, nil }
	}
	if o.Reload == nil {
		o.Reload = func() error { return nil }
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	if o.Checks == nil {
		o.Checks = func() []probe.Check { return nil }
	}
	if o.States == nil {
		o.States = func() []record.CheckState { return nil }
	}
	if o.Pending == nil {
		o.Pending = func() []record.Message { return nil }
	}
	if o.History == nil {
		o.History = nothing{}
	}
	if o.HistoryErr == nil {
		o.HistoryErr = func() error { return nil }
	}
	if o.Notices == nil {
		o.Notices = func() []string { return nil }
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
}

// nothing is the history of a process that keeps none.
type nothing struct{}

func (nothing) Results(context.Context, string, int) ([]record.Stored, error) { return nil, nil }
func (nothing) Recent(context.Context, int) ([]record.Stored, error)          { return nil, nil }
func (nothing) Trace(context.Context, int64) (string, error)                  { return "", nil }
func (nothing) Transitions(context.Context, string, int) ([]record.Transition, error) {
	return nil, nil
}
func (nothing) Outages(context.Context, time.Time, time.Time, int) ([]record.Outage, error) {
	return nil, nil
}
