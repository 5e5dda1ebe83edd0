// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package schedule

import (
	"github.com/prometheus/client_golang/prometheus"
)

func newLateness() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:                            "skywatch_schedule_lateness_seconds",
		Help:                            "How long after its tick a check was started.",
		Buckets:                         []float64{0.001, 0.01, 0.1, 1, 10, 60},
		NativeHistogramBucketFactor:     1.5,
		NativeHistogramMaxBucketNumber:  60,
		NativeHistogramMinResetDuration: 0,
	})
}

var missedDesc = prometheus.NewDesc("skywatch_schedule_missed_total",
	"Ticks at which a check was not started because its last round still ran or waited.", []string{"check"}, nil)

// missedCollector gives the missed ticks of all checks straight from their entries: no vector holds a copy per check.
type missedCollector struct{ s *Scheduler }

// Describe implements prometheus.Collector.
func (c missedCollector) Describe(ch chan<- *prometheus.Desc) { ch <- missedDesc }

// Collect implements prometheus.Collector.
func (c missedCollector) Collect(ch chan<- prometheus.Metric) {
	for check, missed := range c.s.missed() {
		ch <- prometheus.MustNewConstMetric(missedDesc, prometheus.CounterValue, float64(missed), check)
	}
}

func (s *Scheduler) missed() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]uint64, len(s.entries))
	for name, e := range s.entries {
		if !e.gone {
			all[name] = e.missed
		}
	}
	return all
}
