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
	t.reset()
	eachSample(&r, t.add)
	t.sort()
}

// eachSample gives all samples of a result: those that every probe has, and those of its prober.
func eachSample(r *probe.Result, add func(d *probe.Desc, value float64, labels ...string)) {
	success := 0.0
	if r.Success() {
		success = 1
	} else {
		add(failureDesc, 1, failureLabels(r.Reason)...)
	}
	add(successDesc, success)
	add(durationDesc, r.Took.Seconds())
	add(timeoutDesc, r.Timeout.Seconds())
	for i := range r.Samples {
		add(r.Samples[i].Desc, r.Samples[i].Value, r.Samples[i].Labels...)
	}
}

// failureLabels gives the labels of failureDesc.
func failureLabels(reason probe.Reason) []string {
	if i := slices.Index(reasons, reason.String()); i >= 0 {
		return reasons[i : i+1 : i+1]
	}
	return []string{reason.String()}
}

// reasons are the words of all reasons, made once so that a failure costs no garbage.
var reasons = reasonWords()

func reasonWords() []string {
	var words []string
	for _, reason := range probe.Reasons() {
		words = append(words, reason.String())
	}
	return words
}

func (t *table) reset() { t.rows, t.pairs = t.rows[:0], t.pairs[:0] }

// sort brings the rows into the order of their families. What is there twice stays once.
func (t *table) sort() {
	slices.SortFunc(t.rows, compareRows)
	t.rows = slices.CompactFunc(t.rows, func(a, b row) bool { return a.name == b.name && slices.Equal(a.labels, b.labels) })
}

// add appends a sample.
func (t *table) add(d *probe.Desc, value float64, values ...string) {
	first := len(t.pairs)
	for i, name := range d.Labels[:min(len(d.Labels), len(values))] {
		t.label(name, values[i])
	}
	t.row(d, value, first)
}

// label appends a label of the row to come. Values come from foreign servers, so they are made valid UTF-8, without which nothing could be
// exposed.
func (t *table) label(name, value string) {
	t.pairs = append(t.pairs, pair{name, strings.ToValidUTF8(value, "\uFFFD")})
}

// row appends a row with the labels from the first on.
func (t *table) row(d *probe.Desc, value float64, first int) {
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
