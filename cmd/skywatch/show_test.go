// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

func TestOutcomeForPrograms(t *testing.T) {
	phase := &probe.Desc{Name: "probe_phase_seconds", Labels: []string{"phase", "x"}}
	var out bytes.Buffer
	if err := asJSON(&out, newOutcome(probe.Result{
		Check: "Shop", Module: "web", Target: "https://example.org", Start: time.Unix(0, 0).UTC(), Took: 1500 * time.Millisecond, Timeout: 4 * time.Second,
		Attempts: 2, Verdict: probe.Down, Reason: probe.ReasonResponse, Err: "status 500 <b>", Facts: []probe.Fact{{Key: "address", Value: "::1"}},
		Samples: []probe.Sample{{Desc: phase, Value: 0.5, Labels: []string{"tls", `a"b`}}, {Desc: &probe.Desc{Name: "probe_up"}, Value: 1}},
		Trace:   probe.TextTrace("line\n"),
	})); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"check": "Shop", "module": "web", "target": "https://example.org", "verdict": "down", "reason": "response", "error": "status 500 <b>",
		"start": "1970-01-01T00:00:00Z", "duration_seconds": 1.5, "timeout_seconds": 4.0, "attempts": 2.0, "trace": "line\n",
		"facts": map[string]any{"address": "::1"}, "metrics": map[string]any{`probe_phase_seconds{phase="tls",x="a\"b"}`: 0.5, "probe_up": 1.0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

func TestTableIsAligned(t *testing.T) {
	var out bytes.Buffer
	if err := table(&out, []string{"CHECK", "NOTE"}, []string{"a longer name", ""}, []string{"b", "c"}); err != nil {
		t.Fatal(err)
	}
	if want := "CHECK          NOTE\na longer name\nb              c\n"; out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
