// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"skywatch/internal/probe"
)

// Options is what the /probe handler needs. Module and Run are required.
type Options struct {
	// Module gives a configured module as it is at this moment, with the rule of where its secrets may go.
	Module func(name string) (*probe.Module, bool)
	// Run makes the probe. A *probe.Refused says why there is none.
	Run func(ctx context.Context, c probe.Check) (probe.Result, error)

	Observe       func(r probe.Result)  // sees every result that was answered; nil = nobody
	Recent        *Recent               // keeps every result that was answered; nil = none is kept
	Debug         Debug                 // how debug=true shows a probe
	TimeoutOffset time.Duration         // taken off the scraper's timeout
	Exact         bool                  // blackbox_exporter's behaviour also where ours is better
	Log           *slog.Logger          // nil = nowhere
	Registerer    prometheus.Registerer // nil = own metrics are not exported
}

type handler struct {
	Options
	unknown, unknownAlias prometheus.Counter
	pages                 sync.Pool // of *page
	negotiated            atomic.Pointer[negotiated]
}

// NewHandler makes the /probe handler: one request, one attempt, one exposition.
func NewHandler(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(probe.Result) {}
	}
	const help = "Requests for a module that is not configured."
	h := &handler{
		Options:      o,
		unknown:      prometheus.NewCounter(prometheus.CounterOpts{Name: "skywatch_module_unknown_total", Help: help}),
		unknownAlias: prometheus.NewCounter(prometheus.CounterOpts{Name: "blackbox_module_unknown_total", Help: help}),
		pages:        sync.Pool{New: func() any { return new(page) }},
	}
	if o.Registerer != nil {
		o.Registerer.MustRegister(h.unknown, h.unknownAlias)
	}
	return h
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	check, refused := h.check(r)
	if refused != nil {
		http.Error(w, refused.text, refused.status)
		return
	}
	result, err := h.Run(r.Context(), check)
	if err != nil {
		refuseProbe(w, err)
		return
	}
	h.answer(w, r, check, result)
}

// answer is for after the probe, so that nothing it needs takes stack while many of them run.
func (h *handler) answer(w http.ResponseWriter, r *http.Request, check probe.Check, result probe.Result) {
	if result.Verdict == probe.Aborted {
		// The client is gone or we are ending. An empty 200 would look like a scrape that found nothing.
		panic(http.ErrAbortHandler)
	}
	h.Observe(result)
	shown := probed{Result: result, module: check.Module, hostname: check.Target.Hostname}
	if h.Recent != nil {
		h.Recent.add(shown)
	}
	if parameter(r.URL.RawQuery, "debug") == "true" {
		plain(w, h.Debug.text(&shown))
		return
	}
	if err := h.respond(w, r.Header, result); err != nil {
		h.Log.Error("probe result cannot be encoded", "module", result.Module, "target", result.Target, "err", err)
		http.Error(w, "Encoding the result failed: "+err.Error(), http.StatusInternalServerError)
	}
}
