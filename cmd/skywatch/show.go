// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"skywatch/internal/probe"
)

// table writes rows in aligned columns.
func table(w io.Writer, rows ...[]string) error {
	var aligned strings.Builder
	t := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(aligned.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// asJSON writes a value for programs.
func asJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// outcome is a result as --output=json shows it.
type outcome struct {
	Check    string             `json:"check,omitempty"`
	Module   string             `json:"module"`
	Target   string             `json:"target"`
	Verdict  string             `json:"verdict"`
	Reason   string             `json:"reason,omitempty"`
	Error    string             `json:"error,omitempty"`
	Start    time.Time          `json:"start"`
	Seconds  float64            `json:"duration_seconds"`
	Timeout  float64            `json:"timeout_seconds"`
	Attempts int                `json:"attempts"`
	Facts    map[string]string  `json:"facts,omitempty"`
	Metrics  map[string]float64 `json:"metrics,omitempty"`
	Trace    string             `json:"trace"`
	Targets  []outcome          `json:"targets,omitempty"` // of a check with many, whose own target is "" then
}

func newOutcome(r probe.Result) outcome {
	o := outcome{
		Check: r.Check, Module: r.Module, Target: r.Target, Verdict: r.Verdict.String(), Reason: r.Reason.String(), Error: r.Err,
		Start: r.Start, Seconds: r.Took.Seconds(), Timeout: r.Timeout.Seconds(), Attempts: r.Attempts, Trace: r.Trace.String(),
		Facts: make(map[string]string), Metrics: make(map[string]float64),
	}
	for _, f := range r.Facts {
		o.Facts[f.Key] = f.Value
	}
	for _, s := range r.Samples {
		o.Metrics[sampleName(s)] = s.Value
	}
	for _, one := range r.Parts {
		o.Targets = append(o.Targets, newOutcome(one))
	}
	if r.Parts != nil {
		o.Trace = "" // those of the targets say the same
	}
	return o
}

// sampleName is the metric with its labels as in the exposition.
func sampleName(s probe.Sample) string {
	if len(s.Labels) == 0 {
		return s.Desc.Name
	}
	labels := make([]string, len(s.Labels))
	for i, value := range s.Labels {
		labels[i] = fmt.Sprintf("%s=%q", s.Desc.Labels[i], value)
	}
	return s.Desc.Name + "{" + strings.Join(labels, ",") + "}"
}
