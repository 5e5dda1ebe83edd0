// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"skywatch/internal/probe"
)

// Exposition renders samples as text with sorted families, HELP and TYPE. Times measured in seconds, which differ from run to run, are
// shown as SECONDS where they are not zero.
func Exposition(samples []probe.Sample) string {
	lines := make(map[string][]string)
	for _, s := range samples {
		head := fmt.Sprintf("# HELP %s %s\n# TYPE %s gauge\n", s.Desc.Name, s.Desc.Help, s.Desc.Name)
		lines[head] = append(lines[head], s.Desc.Name+labels(s)+" "+value(s)+"\n")
	}
	families := make([]string, 0, len(lines))
	for head, series := range lines {
		slices.Sort(series)
		families = append(families, head+strings.Join(series, ""))
	}
	slices.SortFunc(families, func(a, b string) int { return strings.Compare(family(a), family(b)) })
	return strings.Join(families, "")
}

func family(text string) string { return strings.Fields(text)[2] }

func labels(s probe.Sample) string {
	if len(s.Desc.Labels) == 0 {
		return ""
	}
	pairs := make([]string, len(s.Desc.Labels))
	for i, name := range s.Desc.Labels {
		pairs[i] = fmt.Sprintf("%s=%q", name, s.Labels[i])
	}
	slices.Sort(pairs)
	return "{" + strings.Join(pairs, ",") + "}"
}

func value(s probe.Sample) string {
	name := s.Desc.Name
	if s.Value != 0 && (strings.HasSuffix(name, "_duration_seconds") || strings.HasSuffix(name, "_time_seconds")) {
		return "SECONDS"
	}
	return strconv.FormatFloat(s.Value, 'g', -1, 64)
}

// Value finds the value of a metric by its name and label values; ok tells whether it was set.
func Value(samples []probe.Sample, name string, labels ...string) (value float64, ok bool) {
	for _, s := range samples {
		if s.Desc.Name == name && slices.Equal(s.Labels, labels) {
			return s.Value, true
		}
	}
	return 0, false
}

// Names lists the metrics that were set, sorted, each once.
func Names(samples []probe.Sample) []string {
	var names []string
	for _, s := range samples {
		names = append(names, s.Desc.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
