// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"skywatch/internal/probe"
)

// BenchmarkRecentHeap reports what /logs holds in memory when both of its halves are full, at the default limit.
func BenchmarkRecentHeap(b *testing.B) {
	const limit = 100
	for name, prober := range map[string]funcProber{
		"usual": func(_ context.Context, _ probe.Target, r *probe.Recorder) error {
			for i := range 25 {
				r.Set(phaseDesc, 0.25, strconv.Itoa(i))
				r.Log.Debug("spoke with the server", "address", "192.0.2.7:443", "code", 200+i)
			}
			return probe.Failf(probe.ReasonResponse, "status 502, want 200")
		},
		"most": func(_ context.Context, _ probe.Target, r *probe.Recorder) error {
			for i := range 1000 {
				r.Set(phaseDesc, 0.25, strconv.Itoa(i))
				r.Log.Debug(strings.Repeat("x", 100))
			}
			return probe.Failf(probe.ReasonResponse, "status 502, want 200")
		},
	} {
		b.Run(name, func(b *testing.B) {
			m := &probe.Module{Name: "m", Kind: "http", Prober: prober}
			for b.Loop() {
				before := heap()
				r := NewRecent(limit, Debug{})
				for range 3 * limit {
					result := probe.Run(b.Context(), probe.Check{Module: m, Target: probe.NewTarget("https://www.example.org/"), Timeout: time.Minute}, probe.Env{})
					r.add(probed{Result: result, module: m})
				}
				b.ReportMetric(float64(heap()-before)/(2*limit), "heap-B/result")
				b.ReportMetric(float64(heap()-before)/(1<<20), "heap-MiB")
				runtime.KeepAlive(r)
			}
		})
	}
}
