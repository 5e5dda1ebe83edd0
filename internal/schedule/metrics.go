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

// Missed is the number of ticks at which a check was not started because its last round still ran or waited; 0 for one that is not known.
func (s *Scheduler) Missed(check string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[check]; e != nil {
		return e.missed
	}
	return 0
}
