// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"cmp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"skywatch/internal/probe"
)

// What every probe exposes beside the samples of its prober.
var (
	successDesc  = &probe.Desc{Name: "probe_success", Help: "Whether the probe succeeded (1) or failed (0)."}
	durationDesc = &probe.Desc{Name: "probe_duration_seconds", Help: "How long the probe took."}
	timeoutDesc  = &probe.Desc{Name: "probe_timeout_seconds", Help: "How long the probe was allowed to take."}
	failureDesc  = &probe.Desc{Name: "probe_failure_info", Help: "Why the probe failed; always 1, absent on success.", Labels: []string{"reason"}}
)

// pair is a label with its value.
type pair struct{ name, value string }

// row is a sample as it is exposed: its labels sorted by name.
type row struct {
	name, help string
	labels     []pair
	value      float64
}

// table is the normal form of a result, sorted as every encoder wants it. It is reused: fill replaces what was there.
type table struct {
	rows  []row
	pairs []pair
}

func (t *table) fill(r probe.Result) {
	t.rows, t.pairs = t.rows[:0], t.pairs[:0]
	success := 0.0
	if r.Success() {
		success = 1
	} else {
		t.add(failureDesc, 1, r.Reason.String())
	}
	t.add(successDesc, success)
	t.add(durationDesc, r.Took.Seconds())
	t.add(timeoutDesc, r.Timeout.Seconds())
	for i := range r.Samples {
		t.add(r.Samples[i].Desc, r.Samples[i].Value, r.Samples[i].Labels...)
	}
	slices.SortFunc(t.rows, compareRows)
	t.rows = slices.CompactFunc(t.rows, func(a, b row) bool { return a.name == b.name && slices.Equal(a.labels, b.labels) })
}

// add appends a sample. Values come from foreign servers, so they are made valid UTF-8, without which nothing could be exposed.
func (t *table) add(d *probe.Desc, value float64, values ...string) {
	first := len(t.pairs)
	for i, name := range d.Labels[:min(len(d.Labels), len(values))] {
		t.pairs = append(t.pairs, pair{name, strings.ToValidUTF8(values[i], "\uFFFD")})
	}
	labels := t.pairs[first:len(t.pairs):len(t.pairs)]
	if len(labels) > 1 {
		slices.SortFunc(labels, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	}
	t.rows = append(t.rows, row{name: d.Name, help: d.Help, labels: labels, value: value})
}

// compareRows sorts as Prometheus client libraries do: by name, number of labels, values in the order of the label names.
func compareRows(a, b row) int {
	if c := cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(len(a.labels), len(b.labels))); c != 0 {
		return c
	}
	for i := range a.labels {
		if c := strings.Compare(a.labels[i].value, b.labels[i].value); c != 0 {
			return c
		}
	}
	return slices.CompareFunc(a.labels, b.labels, func(a, b pair) int { return strings.Compare(a.name, b.name) })
}

// plain tells whether all label names are of the old alphabet, which no escaping scheme changes.
func (t *table) plain() bool {
	for i := range t.pairs {
		if !model.LegacyValidation.IsValidLabelName(t.pairs[i].name) {
			return false
		}
	}
	return true
}
