// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

func TestExposition(t *testing.T) {
	phase := &probe.Desc{Name: "probe_b_duration_seconds", Help: "B.", Labels: []string{"phase"}}
	info := &probe.Desc{Name: "probe_a", Help: "A.", Labels: []string{"z", "a"}}
	samples := []probe.Sample{
		{Desc: phase, Value: 0.25, Labels: []string{"x"}},
		{Desc: phase, Labels: []string{"c"}},
		{Desc: info, Value: 3668918509, Labels: []string{"1", `"`}},
	}
	want := `# HELP probe_a A.
# TYPE probe_a gauge
probe_a{a="\"",z="1"} 3.668918509e+09
# HELP probe_b_duration_seconds B.
# TYPE probe_b_duration_seconds gauge
probe_b_duration_seconds{phase="c"} 0
probe_b_duration_seconds{phase="x"} SECONDS
`
	if diff := cmp.Diff(want, Exposition(samples)); diff != "" {
		t.Error(diff)
	}
	if v, ok := Value(samples, "probe_b_duration_seconds", "x"); v != 0.25 || !ok {
		t.Errorf("Value gives %v, %v", v, ok)
	}
	if diff := cmp.Diff([]string{"probe_a", "probe_b_duration_seconds"}, Names(samples)); diff != "" {
		t.Error(diff)
	}
}
