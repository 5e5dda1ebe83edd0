// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// family is a metric of every check. Where a label says nothing (a check without group) it is left out.
type family struct {
	name, help string
	kind       dto.MetricType
	desc       *prometheus.Desc
	ofState    bool // it tells of the check's state
	ofTargets  bool // it tells of the targets of a check with many
	each       func(v *view, emit func(sample))
}

// sample is one value of a family, or its histogram.
type sample struct {
	labels    []pair // by name
	value     float64
	histogram *record.Histogram
}

// families are the per-check series, by name.
var families = describe([]family{
	{name: "skywatch_check_attempts_total", kind: dto.MetricType_COUNTER, help: "Attempts made, retries included.", each: eachAttempts},
	{name: "skywatch_check_duration_seconds", kind: dto.MetricType_HISTOGRAM, help: "Time taken by the attempts that decided.", each: eachDuration},
	{name: "skywatch_check_failures_total", kind: dto.MetricType_COUNTER, help: "Results that are not up, by reason.", each: eachFailure},
	{name: "skywatch_check_info", kind: dto.MetricType_GAUGE, help: "What is checked, with the configured labels; always 1.", each: eachInfo},
	{name: "skywatch_check_last_success_timestamp_seconds", kind: dto.MetricType_GAUGE, help: "When the last successful result began.", each: eachLastSuccess},
	{name: "skywatch_check_results_total", kind: dto.MetricType_COUNTER, help: "Results, by verdict.", each: eachResult},
	{name: "skywatch_check_state_since_timestamp_seconds", kind: dto.MetricType_GAUGE, ofState: true, help: "When the state of the check began.", each: eachSince},
	{name: "skywatch_check_target_duration_seconds", kind: dto.MetricType_GAUGE, ofTargets: true,
		help: "Time taken by the attempt that decided last on a target of a check with many.", each: eachTargetDuration},
	{name: "skywatch_check_target_up", kind: dto.MetricType_GAUGE, ofTargets: true,
		help: "Whether a target of a check with many is up (1) or down (0); absent while unknown.", each: eachTargetUp},
	{name: "skywatch_check_up", kind: dto.MetricType_GAUGE, ofState: true, help: "Whether the check is up (1) or down (0); absent while unknown.", each: eachUp},
	{name: "skywatch_schedule_missed_total", kind: dto.MetricType_COUNTER,
		help: "Ticks at which a check was not started because its last round still ran or waited.", each: eachMissed},
})

func describe(all []family) []family {
	for i := range all {
		all[i].desc = prometheus.NewDesc(all[i].name, all[i].help, nil, nil)
	}
	return all
}

func (v *view) check() pair { return pair{"check", v.counters.Check} }

func eachAttempts(v *view, emit func(sample)) {
	emit(sample{labels: []pair{v.check()}, value: float64(v.counters.Attempts)})
}

func eachDuration(v *view, emit func(sample)) {
	emit(sample{labels: []pair{v.check()}, histogram: &v.counters.Durations})
}

func eachFailure(v *view, emit func(sample)) {
	for _, reason := range probe.Reasons() {
		if n := v.counters.Failures[reason]; n > 0 {
			emit(sample{labels: []pair{v.check(), {"reason", reason.String()}}, value: float64(n)})
		}
	}
}

func eachInfo(v *view, emit func(sample)) {
	labels := make([]pair, 0, 4+len(v.labels))
	for _, own := range [...]pair{v.check(), {"group", v.group}, {"module", v.module}, {"target", v.target}} {
		if own.value != "" {
			labels = append(labels, pair{own.name, strings.ToValidUTF8(own.value, "\uFFFD")})
		}
	}
	for name, value := range v.labels {
		if value != "" && !slices.Contains(ownLabels, name) {
			labels = append(labels, pair{name, strings.ToValidUTF8(value, "\uFFFD")})
		}
	}
	slices.SortFunc(labels, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	emit(sample{labels: labels, value: 1})
}

// ownLabels cannot be configured.
var ownLabels = []string{"check", "group", "module", "target"}

func eachLastSuccess(v *view, emit func(sample)) { emitTime(v, v.counters.LastSuccess, emit) }

func eachResult(v *view, emit func(sample)) {
	for i, verdict := range probe.Verdicts() {
		emit(sample{labels: []pair{v.check(), {"verdict", verdict.String()}}, value: float64(v.counters.Results[i])})
	}
}

func eachSince(v *view, emit func(sample)) {
	if v.state.State != record.Unknown {
		emitTime(v, v.state.Since, emit)
	}
}

func eachUp(v *view, emit func(sample)) {
	switch v.state.State {
	case record.Up, record.Degraded:
		emit(sample{labels: []pair{v.check()}, value: 1})
	case record.Down:
		emit(sample{labels: []pair{v.check()}})
	}
}

func eachMissed(v *view, emit func(sample)) {
	if v.missed != nil {
		emit(sample{labels: []pair{v.check()}, value: float64(v.missed(v.counters.Check))})
	}
}

// emitTime leaves out what has not happened yet.
func emitTime(v *view, at time.Time, emit func(sample)) {
	if !at.IsZero() {
		emit(sample{labels: []pair{v.check()}, value: float64(at.UnixMilli()) / 1000})
	}
}
