// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package real

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// answer is what an exporter says to a request for a probe.
type answer struct {
	status      int
	contentType string
	body        string
}

// difference is one thing in which two answers do not agree. metric is "" when it is about the answer as a whole.
type difference struct {
	metric string
	what   string // status, content type, body, metric, type, help, label, series, value
	detail string
}

func (d difference) String() string { return fmt.Sprintf("%s: %s %s", d.metric, d.what, d.detail) }

// compare gives the differences of two answers, sorted. Expositions are compared by their metrics, everything else by its text.
func compare(theirs, ours answer) ([]difference, error) {
	var found []difference
	note := func(metric, what, format string, a ...any) {
		found = append(found, difference{metric, what, fmt.Sprintf(format, a...)})
	}
	if theirs.status != ours.status {
		note("", "status", "%d, want %d", ours.status, theirs.status)
		return found, nil
	}
	if mediaType(theirs.contentType) != mediaType(ours.contentType) {
		note("", "content type", "%q, want %q", ours.contentType, theirs.contentType)
	}
	if theirs.status != 200 {
		if theirs.body != ours.body {
			note("", "body", "%q, want %q", ours.body, theirs.body)
		}
		return found, nil
	}
	a, err := parseExposition(theirs.body)
	if err != nil {
		return nil, fmt.Errorf("reading the first exposition: %w", err)
	}
	b, err := parseExposition(ours.body)
	if err != nil {
		return nil, fmt.Errorf("reading the second exposition: %w", err)
	}
	for _, name := range union(a, b) {
		compareFamilies(a[name], b[name], func(what, format string, args ...any) { note(name, what, format, args...) })
	}
	slices.SortFunc(found, func(a, b difference) int {
		return cmp.Or(strings.Compare(a.metric, b.metric), strings.Compare(a.what, b.what), strings.Compare(a.detail, b.detail))
	})
	return found, nil
}

// mediaType leaves the escaping out, which 0.23 does not know yet.
func mediaType(text string) string {
	text, _, _ = strings.Cut(text, "; escaping=")
	return text
}

func parseExposition(text string) (map[string]*dto.MetricFamily, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(strings.NewReader(text))
}

// compareFamilies compares what one name stands for.
func compareFamilies(theirs, ours *dto.MetricFamily, note func(what, format string, a ...any)) {
	switch {
	case ours == nil:
		note("metric", "missing")
		return
	case theirs == nil:
		note("metric", "added")
		return
	}
	if theirs.GetType() != ours.GetType() {
		note("type", "%s, want %s", ours.GetType(), theirs.GetType())
	}
	if (theirs.GetHelp() == "") != (ours.GetHelp() == "") {
		note("help", "%q, want presence as in %q", ours.GetHelp(), theirs.GetHelp())
	}
	extra := compareLabelNames(theirs, ours, note)
	a, b := seriesOf(theirs, extra), seriesOf(ours, extra)
	for _, labels := range union(a, b) {
		want, inA := a[labels]
		got, inB := b[labels]
		switch {
		case !inB:
			note("series", "{%s} missing", labels)
		case !inA:
			note("series", "{%s} added", labels)
		case isDuration(theirs.GetName()):
			if sign(want) != sign(got) {
				note("value", "{%s} %s, want %s", labels, sign(got), sign(want))
			}
		case want != got:
			note("value", "{%s} %v, want %v", labels, got, want)
		}
	}
}

// compareLabelNames notes the label names that only one side has, and gives them, so that the series can be compared without them.
func compareLabelNames(theirs, ours *dto.MetricFamily, note func(what, format string, a ...any)) (extra map[string]bool) {
	a, b := labelNames(theirs), labelNames(ours)
	extra = map[string]bool{}
	for _, name := range union(a, b) {
		if a[name] == b[name] {
			continue
		}
		extra[name] = true
		if a[name] {
			note("label", "%s missing", name)
		} else {
			note("label", "%s added", name)
		}
	}
	return extra
}

func labelNames(f *dto.MetricFamily) map[string]bool {
	names := map[string]bool{}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			names[l.GetName()] = true
		}
	}
	return names
}

// seriesOf gives the values by label text, without the labels that are not compared.
func seriesOf(f *dto.MetricFamily, without map[string]bool) map[string]float64 {
	series := map[string]float64{}
	for _, m := range f.GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			if !without[l.GetName()] {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
		}
		slices.Sort(labels)
		series[strings.Join(labels, ",")] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()
	}
	return series
}

// isDuration tells whether a metric is measured time, which never comes out the same twice.
func isDuration(name string) bool {
	return strings.HasSuffix(name, "_duration_seconds") || name == "probe_dns_lookup_time_seconds"
}

func sign(v float64) string {
	switch {
	case v > 0:
		return "positive"
	case v < 0:
		return "negative"
	}
	return "zero"
}

func union[V any](a, b map[string]V) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}
