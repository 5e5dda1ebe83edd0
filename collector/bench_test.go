// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// blank is a ResponseWriter that keeps nothing.
type blank struct{ header http.Header }

func (b blank) Header() http.Header         { return b.header }
func (b blank) Write(p []byte) (int, error) { return len(p), nil }
func (b blank) WriteHeader(int)             {}

// BenchmarkProbeHandler measures what the handler adds to a probe: the result is made beforehand.
func BenchmarkProbeHandler(b *testing.B) {
	o := testOptions()
	sample := result()
	o.Run = func(context.Context, probe.Check) (probe.Result, error) { return sample, nil }
	for name, encoding := range map[string]string{"text": "", "gzip": "gzip"} {
		b.Run(name, func(b *testing.B) {
			h := NewHandler(o)
			r := httptest.NewRequest(http.MethodGet, "/probe?target=mail.example.org%3A25&module=http_2xx", nil)
			r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1")
			r.Header.Set("Accept-Encoding", encoding)
			r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", "10")
			w := blank{make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkAppendText measures the exposition alone.
func BenchmarkAppendText(b *testing.B) {
	sample := result()
	var text []byte
	b.ReportAllocs()
	for b.Loop() {
		text = AppendText(text[:0], sample)
	}
}

const manyChecks = 10_000

// busyChecks gives many checks with a history: results of all kinds, durations over two orders of magnitude.
func busyChecks(ctx context.Context) *Checks {
	c := NewChecks(func(string) (record.CheckState, bool) { return record.CheckState{State: record.Up, Since: epoch}, true }, func(string) uint64 { return 1 })
	checks := make([]probe.Check, manyChecks)
	module := &probe.Module{Name: "http_2xx"}
	for i := range checks {
		checks[i] = probe.Check{Name: fmt.Sprintf("check number %05d", i), Module: module, Group: "Group", Target: probe.NewTarget(fmt.Sprintf("https://host%05d.example.org/", i))}
	}
	c.Apply(checks)
	for i := range checks {
		for n := range 20 {
			c.Observe(ctx, outcome(checks[i].Name, probe.Up, probe.ReasonNone, time.Duration(1+n*n)*time.Millisecond))
		}
		c.Observe(ctx, outcome(checks[i].Name, probe.Down, probe.ReasonTimeout, 4*time.Second))
	}
	return c
}

// BenchmarkChecksHeap reports what a check costs while nobody scrapes, names and configuration included.
func BenchmarkChecksHeap(b *testing.B) {
	for b.Loop() {
		before := heap()
		c := busyChecks(b.Context())
		b.ReportMetric(float64(heap()-before)/manyChecks, "heap-B/check")
		runtime.KeepAlive(c)
	}
}

// measuring gives each of the checks a result with 19 samples, as https has them, of which some labels are the check's own.
func measuring(ctx context.Context, c *Checks) {
	r := outcome("", probe.Up, probe.ReasonNone, time.Second)
	for i := range 12 {
		r.Samples = append(r.Samples, probe.Sample{Desc: &probe.Desc{Name: fmt.Sprintf("probe_http_gauge_%02d", i), Help: "Something."}, Value: float64(i)})
	}
	for _, phase := range []string{"resolve", "connect", "tls", "processing", "transfer"} {
		r.Samples = append(r.Samples, probe.Sample{Desc: phaseDesc, Value: 1e-3, Labels: []string{phase}})
	}
	names := []string{"fingerprint_sha256", "subject", "issuer", "subjectalternative", "serialnumber"}
	certificate := &probe.Desc{Name: "probe_ssl_last_chain_info", Help: "Leaf.", Labels: names}
	for i := range manyChecks {
		r.Check, r.Target = fmt.Sprintf("check number %05d", i), fmt.Sprintf("https://host%05d.example.org/", i)
		host := r.Target[8:25]
		labels := []string{fmt.Sprintf("%064x", i), "CN=" + host, "CN=R10,O=Let's Encrypt,C=US", host, fmt.Sprintf("%036x", i)}
		one := r
		one.Samples = append(r.Samples[:17:17], probe.Sample{Desc: certificate, Value: 1, Labels: labels},
			probe.Sample{Desc: infoDesc, Value: 1, Labels: []string{"TLS 1.3", "TLS_AES_128_GCM_SHA256"}})
		c.Observe(ctx, one)
	}
}

// BenchmarkMeasuredHeap reports what the samples that are kept of a check add to BenchmarkChecksHeap.
func BenchmarkMeasuredHeap(b *testing.B) {
	for b.Loop() {
		c := busyChecks(b.Context())
		before := heap()
		measuring(b.Context(), c)
		b.ReportMetric(float64(heap()-before)/manyChecks, "heap-B/check")
		runtime.KeepAlive(c)
	}
}

// BenchmarkMeasured measures one scrape of what many checks measured last.
func BenchmarkMeasured(b *testing.B) {
	c := busyChecks(b.Context())
	measuring(b.Context(), c)
	h, r := NewMeasuredHandler(c, slog.New(slog.DiscardHandler)), httptest.NewRequest(http.MethodGet, "/metrics/checks", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(blank{make(http.Header)}, r)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/manyChecks, "ns/check")
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkScrape measures one scrape of many checks, streamed and, for comparison, through a registry.
func BenchmarkScrape(b *testing.B) {
	c := busyChecks(b.Context())
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	for name, h := range map[string]http.Handler{
		"streamed": NewMetricsHandler(prometheus.NewRegistry(), c, slog.New(slog.DiscardHandler)),
		"registry": NewMetricsHandler(registryOf(c), NewChecks(nil, nil), slog.New(slog.DiscardHandler)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(blank{make(http.Header)}, r)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/manyChecks, "ns/check")
		})
	}
}
