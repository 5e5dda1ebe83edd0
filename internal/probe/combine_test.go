// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// checkAt is a check with as many targets.
func checkAt(p Prober, targets int) Check {
	c := checkOf(p)
	c.Target = Target{}
	for i := range targets {
		c.Parts = append(c.Parts, Part{c.Module, NewTarget(fmt.Sprintf("host%d:80", i))})
	}
	return c
}

// ended is the result of a target, made of a word: verdict and reason.
func ended(i int, word string) Result {
	start := time.Date(2026, 1, 2, 3, 4, 5+i, 0, time.UTC)
	r := Result{
		Check: "Web", Module: "web", Target: fmt.Sprintf("host%d:80", i), Start: start, Took: time.Duration(i+1) * time.Second, Attempts: 1,
		Trace: TextTrace(fmt.Sprintf("trace %d\n", i)), Facts: []Fact{{"address", fmt.Sprint(i)}}, Logins: []LoginOutcome{{Accepted: i == 0}},
	}
	switch word {
	case "up":
		r.Verdict = Up
	case "late": // up by the second attempt
		r.Verdict, r.Attempts, r.Failing = Up, 2, start
	case "aborted":
		r.Verdict = Aborted
	case "config":
		r.Verdict, r.Reason, r.Err, r.Failing = Inconclusive, ReasonConfig, "no file", start
	default:
		reason := Reasons()[slices.IndexFunc(Reasons(), func(reason Reason) bool { return reason.String() == word })]
		r.Verdict, r.Reason, r.Err, r.Failing, r.Attempts = Down, reason, word+" went wrong", start, 5
	}
	return r
}

func TestCombine(t *testing.T) {
	for words, want := range map[string]struct {
		verdict  Verdict
		reason   Reason
		err      string
		took     time.Duration
		attempts int
		failing  int // index of the target whose Failing counts; -1 = none
	}{
		"up up up":            {Up, ReasonNone, "", 3 * time.Second, 3, -1},
		"up late up":          {Up, ReasonNone, "", 3 * time.Second, 4, 1},
		"up":                  {Up, ReasonNone, "", time.Second, 1, -1},
		"tls":                 {Down, ReasonTLS, `1 of 1 target fails: "host0:80": tls went wrong`, time.Second, 5, 0},
		"late tls up connect": {Down, ReasonTLS, `2 of 4 targets fail: "host1:80": tls went wrong; also "host3:80"`, 2 * time.Second, 13, 1},
		"config connect":      {Down, ReasonConnect, `1 of 2 targets fails: "host1:80": connect went wrong`, 2 * time.Second, 6, 1},
		"up config":           {Inconclusive, ReasonConfig, `1 of 2 targets is inconclusive: "host1:80": no file`, 2 * time.Second, 2, 1},
		"config config":       {Inconclusive, ReasonConfig, `2 of 2 targets are inconclusive: "host0:80": no file; also "host1:80"`, time.Second, 2, 0},
		"tls aborted up":      {Aborted, ReasonNone, "", 0, 7, -1},
		"connect tls tls tls tls tls tls tls tls tls tls tls tls": {Down, ReasonConnect, `13 of 13 targets fail: "host0:80": connect went wrong; also "host1:80", "host2:80", ` +
			`"host3:80", "host4:80", "host5:80", "host6:80", "host7:80", "host8:80", "host9:80", "host10:80" and 2 more`, time.Second, 65, 0},
	} {
		var parts []Result
		for i, word := range strings.Fields(words) {
			parts = append(parts, ended(i, word))
		}
		got := combine(checkAt(nil, len(parts)), parts)
		if got.Verdict != want.verdict || got.Reason != want.reason || got.Err != want.err || got.Took != want.took || got.Attempts != want.attempts {
			t.Errorf("%s: %s, %q, %q, took %s, %d attempts, want %+v", words, got.Verdict, got.Reason, got.Err, got.Took, got.Attempts, want)
		}
		var since time.Time
		if want.failing >= 0 {
			since = parts[want.failing].Start
		}
		if !got.Failing.Equal(since) || !got.Start.Equal(parts[0].Start) {
			t.Errorf("%s: failing since %s, started %s, want %s and %s", words, got.Failing, got.Start, since, parts[0].Start)
		}
		if got.Check != "Web" || got.Module != "web" || got.Target != "" || len(got.Parts) != len(parts) || len(got.Logins) != len(parts) {
			t.Errorf("%s: %s at %q by %s, %d parts, %d logins", words, got.Check, got.Target, got.Module, len(got.Parts), len(got.Logins))
		}
	}
}

func TestCombineSharesFacts(t *testing.T) {
	for targets, want := range map[int]int{1: 32, 3: 30, 32: 32, 33: 0} {
		parts := make([]Result, targets)
		for i := range parts {
			parts[i] = ended(i, "up")
			parts[i].Facts = nil
			for k := range maxFacts {
				parts[i].Facts = append(parts[i].Facts, Fact{fmt.Sprint("key", k), "x"})
			}
		}
		facts := combine(checkAt(nil, targets), parts).Facts
		if len(facts) != want || want > 0 && facts[0].Key != "host0:80 key0" {
			t.Errorf("%d targets: %d facts, first %v, want %d", targets, len(facts), facts[:min(1, len(facts))], want)
		}
	}
}

func TestCombinedTracePutsFailuresFirst(t *testing.T) {
	r := combine(checkAt(nil, 4), []Result{ended(0, "up"), ended(1, "config"), ended(2, "tls"), ended(3, "tls")})
	want := `target "host2:80": down
trace 2
target "host3:80": down
trace 3
target "host1:80": inconclusive
trace 1
target "host0:80": up
trace 0
`
	if got := r.Trace.String(); got != want || r.Trace.Empty() || len(r.Trace.Lines()) != 0 {
		t.Errorf("trace\n%s\nwant\n%s", got, want)
	}
	if got := r.FirstFailing().Target; got != "host2:80" {
		t.Errorf("first failing %q, want host2:80", got)
	}
	if single := ended(1, "tls"); single.FirstFailing().Target != "host1:80" {
		t.Error("a result of one target is not its own first failing one")
	}
}

func TestCombinedTextIsBounded(t *testing.T) {
	parts := make([]Result, 1000)
	for i := range parts {
		parts[i] = ended(i, "tls")
		parts[i].Target = strings.Repeat("ä", maxTargetText/2)
		parts[i].Err = strings.Repeat("ö", maxErrBytes/2)
		parts[i].Trace = TextTrace(strings.Repeat("x", traceHead))
	}
	r := combine(checkAt(nil, 1000), parts)
	if len(r.Err) > maxErrBytes+3 || !strings.HasPrefix(r.Err, `1000 of 1000 targets fail: "ä`) || !strings.HasSuffix(r.Err, " more") {
		t.Errorf("error of %d bytes: %s", len(r.Err), r.Err)
	}
	text := r.Trace.String()
	if len(text) > traceHead+traceTail+maxNameBytes || !strings.HasSuffix(text, "... 999 traces of other targets left out ...\n") {
		t.Errorf("trace of %d bytes ends %q", len(text), text[max(0, len(text)-60):])
	}
}
