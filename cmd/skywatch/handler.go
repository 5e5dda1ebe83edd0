// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"skywatch/collector"
	"skywatch/internal/probe"
	"skywatch/internal/web"
	"skywatch/probes"
)

// handler is all that is answered over HTTP.
func (d *daemon) handler() http.Handler {
	return web.NewHandler(web.Options{
		Probe:      d.probeHandler(),
		Metrics:    promhttp.InstrumentMetricHandler(d.registry, collector.NewMetricsHandler(d.registry, d.checks, d.log)),
		Measured:   collector.NewMeasuredHandler(d.checks, d.log),
		Logs:       d.recent,
		Requests:   d.recent.All(),
		Config:     func() ([]byte, error) { return d.live.Current().YAML() },
		Reload:     d.reload,
		Ready:      d.ready,
		Checks:     func() []probe.Check { return d.live.Current().Checks },
		States:     d.alerter.States,
		Pending:    d.alerter.Pending,
		History:    d.store,
		HistoryErr: d.store.Err,
		Notices:    d.guard.Notices,
		Location:   d.location,
		Version:    release(),
		Prefix:     d.place.prefix,
		External:   d.place.external,
		Pprof:      d.pprof,
		Exact:      bool(d.exact()),
		Log:        d.log,
	})
}

func (d *daemon) probeHandler() http.Handler {
	return collector.NewHandler(collector.Options{
		Module: func(name string) (*probe.Module, bool) {
			m, ok := d.live.Current().Modules[name]
			return m, ok
		},
		Run:           d.runner.request,
		Observe:       func(r probe.Result) { d.store.Observe(context.Background(), r) },
		Recent:        d.recent,
		Debug:         d.debug(),
		TimeoutOffset: d.offset(),
		Exact:         bool(d.exact()),
		Log:           d.log,
		Registerer:    d.registry,
	})
}

// debug shows probes as the log would.
func (p *program) debug() collector.Debug {
	return collector.Debug{
		Log:    func(w io.Writer) slog.Handler { return newSink(w, p.logFormat, level(p.logProber)) },
		Module: probes.ModuleYAML,
		Exact:  bool(p.exact()),
	}
}

var errStarting = errors.New("the history is being opened")

func (d *daemon) ready() error {
	select {
	case <-d.opened:
		return nil
	default:
		return errStarting
	}
}

// newRegistry has what describes the process itself.
func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector("skywatch"),
		versioncollector.NewCollector("blackbox_exporter"),
	)
	return reg
}

func registerStrays(reg prometheus.Registerer, strays *atomic.Int64) {
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "skywatch_probe_stray",
		Help: "Probers that still run after their deadline; a fault of skywatch.",
	}, func() float64 { return float64(strays.Load()) }))
}
