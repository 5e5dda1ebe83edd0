// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
	"skywatch/internal/record"
)

// incidentOf replays results of a check with many targets, a minute apart, and gives the state and what is told.
func incidentOf(targets []string, failing ...string) (state record.CheckState, all []record.Transition) {
	state.Check = "Websites"
	for i, names := range failing {
		r := combined(resultOf(probe.Up, time.Duration(i-10)*time.Minute), targets, strings.Fields(names)...)
		r.Check, r.Attempts = "Websites", 12
		next, ts := next(state, r, rules{"Web"})
		next, ts = stamp(next, ts, func() int64 { return int64(i + 1) }, r.Start)
		state, all = next, append(all, ts...)
	}
	return state, all
}

func TestMessagesOfManyTargets(t *testing.T) {
	targets := []string{"https://a.example", "https://b.example", "https://c.example", "https://d.example"}
	state, all := incidentOf(targets, "", "https://b.example https://d.example", "https://a.example https://d.example", "")
	var out strings.Builder
	for _, told := range [][]record.Transition{all[:1], all[1:2], all[:2], all[2:], all[1:]} {
		a := writer(t, state)
		if told[len(told)-1].To == record.Down {
			before, _ := incidentOf(targets, "", "https://b.example https://d.example")
			a = writer(t, before)
		}
		subject, text := a.wording(told)
		fmt.Fprintf(&out, "Subject: %s\n\n%s\n=====\n", subject, text)
	}
	probetest.Golden(t, "targets.txt", out.String())
}

// TestMessageOfVeryManyTargets: the first twenty are named, the others counted.
func TestMessageOfVeryManyTargets(t *testing.T) {
	var targets []string
	for i := range 1000 {
		targets = append(targets, fmt.Sprintf("https://host%d.example/%s", i, strings.Repeat("x", 300)))
	}
	state, all := incidentOf(targets, "", strings.Join(targets[:900], " "))
	_, text := writer(t, state).wording(all)
	for _, want := range []string{"  900 of 1000 targets fail:\n    https://host0.example/x", "...: response: status 503\n    and 880 more\n", "900 of 1000 targets\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "host20.") || len(text) > maxNews+maxSituation {
		t.Errorf("text of %d bytes names more than twenty:\n%s", len(text), text)
	}
}
