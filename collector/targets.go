// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"strings"
	"time"

	"skywatch/internal/probe"
)

// targetSeries is what is held of one of the many targets of a check. It starts unknown and does not survive a restart.
type targetSeries struct {
	target  string        // as a label
	verdict probe.Verdict // of the last result; 0 = none
	took    time.Duration // of the attempt that decided
	known   bool          // up or down was seen
	up      bool
	last    *last // nil = nothing since the start
}

// retarget gives the series of the configured targets: those that stay keep what is known of them.
func retarget(old []targetSeries, parts []probe.Part) []targetSeries {
	if len(parts) == 0 {
		return nil
	}
	was := make(map[string]targetSeries, len(old))
	for _, t := range old {
		was[t.target] = t
	}
	targets := make([]targetSeries, len(parts))
	for i, p := range parts {
		targets[i] = was[labelOf(p.Target.String())]
		targets[i].target = labelOf(p.Target.String())
	}
	return targets
}

func labelOf(target string) string { return strings.ToValidUTF8(target, "\uFFFD") }

// observe takes a result and what is kept of it. The results of many targets are in the order of the configuration they were probed by.
// One that is inconclusive leaves it at what was known.
func (s *series) observe(r *probe.Result, kept []*last) {
	if len(r.Parts) == 0 && len(s.targets) == 0 && r.Target == s.target {
		s.last = kept[0]
	}
	parts := r.Parts
	places := make(map[string]int, len(s.targets))
	for i := range s.targets {
		places[s.targets[i].target] = i
	}
	for i := range parts {
		at, configured := places[labelOf(parts[i].Target)]
		if !configured {
			continue
		}
		t := &s.targets[at]
		t.verdict, t.took, t.last = parts[i].Verdict, parts[i].Took, kept[i]
		if t.verdict == probe.Up || t.verdict == probe.Down {
			t.known, t.up = true, t.verdict == probe.Up
		}
	}
}

// forget drops what was measured by another module or at another target.
func (s *series) forget() {
	s.last = nil
	for i := range s.targets {
		s.targets[i].last = nil
	}
}

func eachTargetDuration(v *view, emit func(sample)) {
	for _, t := range v.targets {
		if t.verdict != 0 {
			emit(sample{labels: []pair{v.check(), {"target", t.target}}, value: t.took.Seconds()})
		}
	}
}

func eachTargetUp(v *view, emit func(sample)) {
	for _, t := range v.targets {
		switch {
		case t.known && t.up:
			emit(sample{labels: []pair{v.check(), {"target", t.target}}, value: 1})
		case t.known:
			emit(sample{labels: []pair{v.check(), {"target", t.target}}})
		}
	}
}
