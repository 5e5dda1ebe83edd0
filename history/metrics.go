// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import "github.com/prometheus/client_golang/prometheus"

// metrics are what the store exports of itself.
type metrics struct {
	lost    prometheus.Counter
	written prometheus.Counter
	size    *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer, refused func() error) *metrics {
	m := &metrics{
		lost: prometheus.NewCounter(prometheus.CounterOpts{Name: "skywatch_history_lost_results_total",
			Help: "Raw results that were not stored, for want of room in the queue or in the history."}),
		written: prometheus.NewCounter(prometheus.CounterOpts{Name: "skywatch_history_written_bytes_total",
			Help: "Bytes written to the history's file and write-ahead log; the share of the file is an upper bound."}),
		size: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "skywatch_history_size_bytes",
			Help: "Bytes of the history by part: the write-ahead log, stored traces, finished and pending alerts, unused pages, all other pages."},
			[]string{"part"}),
	}
	if r == nil {
		return m
	}
	up := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "skywatch_history_up", Help: "1 if the history takes writes, else 0."}, func() float64 {
		if refused() != nil {
			return 0
		}
		return 1
	})
	r.MustRegister(up, m.lost, m.written, m.size)
	return m
}

// sizes sets the sizes from what was measured last. It needs the store's turn.
func (m *metrics) sizes(s *Store) {
	used := (s.pages - s.free) * pageSize
	m.size.WithLabelValues("wal").Set(float64(s.walSize))
	m.size.WithLabelValues("traces").Set(float64(s.traces))
	m.size.WithLabelValues("outbox").Set(float64(s.outbox))
	m.size.WithLabelValues("free").Set(float64(s.free * pageSize))
	m.size.WithLabelValues("other").Set(float64(max(0, used-s.traces-s.outbox)))
}
