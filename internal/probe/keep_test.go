// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"strings"
	"testing"
)

func TestKeepIsBounded(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for _, test := range []struct {
		name          string
		samples       int
		label         string
		targets       int
		kept, leftOut int
	}{
		{"none", 0, "", 1, 0, 0},
		{"all", 100, "short", 1, 100, 0},
		{"too many", 101, "short", 1, 100, 1},
		{"too long", 20, long, 1, 16, 4},
		{"a hundred targets", 100, "short", 100, 100, 0},
		{"a thousand targets", 100, "short", 1000, 10, 90},
		{"a thousand that say much", 10, long, 1000, 1, 9},
	} {
		d := &Desc{Name: "probe_x", Labels: []string{"a"}}
		r := Result{Samples: make([]Sample, test.samples)}
		for i := range r.Samples {
			r.Samples[i] = Sample{Desc: d, Labels: []string{test.label}}
		}
		once := r.Keep(test.targets)
		for what, got := range map[string]Result{"once": once, "twice": once.Keep(1)} {
			if len(got.Samples) != test.kept || got.LeftOut != test.leftOut {
				t.Errorf("%s, %s: %d kept and %d left out, want %d and %d", test.name, what, len(got.Samples), got.LeftOut, test.kept, test.leftOut)
			}
		}
		if len(r.Samples) != test.samples {
			t.Errorf("%s: the result itself has %d samples, want %d", test.name, len(r.Samples), test.samples)
		}
	}
}

// TestRoundCopiesLabels: a result that was kept shares nothing with what the prober held.
func TestRoundCopiesLabels(t *testing.T) {
	labels := []string{"page"}
	c := checkOf(nil)
	r := round{check: c, results: []Result{{Samples: []Sample{{Desc: &Desc{Name: "probe_x", Labels: []string{"a"}}, Labels: labels}}}}}
	r.trim(0)
	labels[0] = "other"
	if got := r.results[0].Samples[0].Labels[0]; got != "page" {
		t.Errorf("label %q, want page", got)
	}
}
