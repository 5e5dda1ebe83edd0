// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"skywatch/internal/probe"
)

// QueryResponse is one step of a dialogue, an entry of `query_response`. Its parts are done in the order of the fields.
type QueryResponse struct {
	Expect      *Regexp         `yaml:"expect,omitempty"`       // a line that must come; lines before it are skipped
	Labels      []LabelTemplate `yaml:"labels,omitempty"`       // what of that line probe_expect_info shows
	ExpectBytes string          `yaml:"expect_bytes,omitempty"` // bytes that must come next
	Send        string          `yaml:"send,omitempty"`         // what is sent then, with a newline; $1 and ${name} are from Expect
	StartTLS    bool            `yaml:"starttls,omitempty"`     // whether TLS begins then
}

// LabelTemplate is a label of probe_expect_info; the value may use $1 and ${name} of the step's Expect.
type LabelTemplate struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value"`
}

var (
	descFailedRegex = &probe.Desc{Name: "probe_failed_due_to_regex", Help: "Whether the probe failed because of a regular expression."}
	descFailedBytes = &probe.Desc{Name: "probe_failed_due_to_bytes", Help: "Whether the probe failed because of expect_bytes."}
	descExpectInfo  = &probe.Desc{Name: "probe_expect_info", Help: "What the configured labels found in the expected lines."}

	// dialogueDescs are the metrics that a dialogue sets.
	dialogueDescs = []*probe.Desc{descFailedRegex, descFailedBytes, descExpectInfo}
)

// dialogue is a checked list of steps.
type dialogue struct {
	steps []QueryResponse
	info  *probe.Desc // probe_expect_info with the labels of all steps; nil without any
}

// newDialogue checks the steps. secure tells that the connection begins with TLS. It is for use in Validate.
func newDialogue(steps []QueryResponse, secure bool) (dialogue, error) {
	d := dialogue{steps: steps}
	var labels []string
	for i := range steps {
		if err := steps[i].validate(secure); err != nil {
			return dialogue{}, fmt.Errorf("query_response: entry %d: %w", i+1, err)
		}
		secure = secure || steps[i].StartTLS
		for _, label := range steps[i].Labels {
			if !slices.Contains(labels, label.Name) {
				labels = append(labels, label.Name)
			}
		}
	}
	if labels != nil {
		d.info = &probe.Desc{Name: descExpectInfo.Name, Help: descExpectInfo.Help, Labels: labels}
	}
	return d, nil
}

func (q *QueryResponse) validate(secure bool) error {
	if q.Expect != nil && q.ExpectBytes != "" {
		return errors.New("both expect and expect_bytes given, want at most one")
	}
	if q.StartTLS && secure {
		return errors.New("starttls on a connection that has TLS already, want it once and without tls")
	}
	var seen []string
	for _, label := range q.Labels {
		if label.Name == "" || !utf8.ValidString(label.Name) || strings.HasPrefix(label.Name, "__") {
			return fmt.Errorf("labels: found the name %q, want UTF-8 text that does not begin with __", label.Name)
		}
		if slices.Contains(seen, label.Name) {
			return fmt.Errorf("labels: %q given twice, want each name once", label.Name)
		}
		seen = append(seen, label.Name)
	}
	return nil
}

// found is the line that matched an expect, for expansion. The zero value expands nothing.
type found struct {
	expect *Regexp
	line   []byte
	match  []int
}

// expand puts what the line had into a template. Without a line the template is literal text.
func (f found) expand(template string) string {
	if f.match == nil {
		return template
	}
	return string(f.expect.Expand(nil, []byte(template), f.line, f.match))
}

// expectInfo collects the values of probe_expect_info over the steps of one dialogue.
type expectInfo struct {
	desc   *probe.Desc
	values []string // parallel to desc.Labels; nil until a step with labels matched
}

func (e *expectInfo) add(templates []LabelTemplate, f found) {
	if f.match == nil || len(templates) == 0 {
		return
	}
	if e.values == nil {
		e.values = make([]string, len(e.desc.Labels))
	}
	for _, t := range templates {
		e.values[slices.Index(e.desc.Labels, t.Name)] = strings.ToValidUTF8(f.expand(t.Value), "\uFFFD")
	}
}

// record sets the metric if any step contributed. Labels of steps that were not reached are empty, which is to be without them.
func (e *expectInfo) record(r *probe.Recorder) {
	if e.values != nil {
		r.Set(e.desc, 1, e.values...)
	}
}
