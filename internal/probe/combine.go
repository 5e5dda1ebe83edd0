// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The bounds of what the error of a check with many targets says of them.
const (
	maxNamed     = 10  // failing targets by name
	maxNameBytes = 200 // of the name of each
)

// combine gives the one result of the results of all targets of a check, in the order of its Parts.
//
// It is aborted when any is, else down when any is, else inconclusive when any is, else up. The first target with that verdict decides
// reason, error and Took; of successes that is the slowest target, since the service is as slow as that. Attempts, Logins and Facts are
// those of all; facts are named after their target, and each target has its share of the 32.
func combine(c Check, parts []Result) Result {
	verdict := together(parts)
	combined := Result{
		Check: c.Name, Module: c.Module.Name, Prober: c.Module.Kind, Origin: c.Origin, Timeout: c.Timeout, Verdict: verdict,
		Parts: parts, Trace: combinedTrace(parts),
	}
	for i := range parts {
		one := &parts[i]
		combined.Start = earlier(combined.Start, one.Start)
		if one.Verdict == verdict {
			combined.Failing = earlier(combined.Failing, one.Failing)
		}
		combined.Attempts += one.Attempts
		combined.Logins = append(combined.Logins, one.Logins...)
		if share := maxFacts / len(parts); len(one.Facts) > 0 {
			combined.Facts = append(combined.Facts, factsOf(one, share)...)
		}
		one.Logins, one.Facts = nil, nil
	}
	combined.decide()
	return combined
}

// together is the verdict on all targets.
func together(parts []Result) Verdict {
	for _, verdict := range []Verdict{Aborted, Down, Inconclusive} {
		for i := range parts {
			if parts[i].Verdict == verdict {
				return verdict
			}
		}
	}
	return Up
}

// earlier gives the earlier of two times; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func factsOf(r *Result, share int) []Fact {
	var facts []Fact
	for _, f := range r.Facts[:min(len(r.Facts), share)] {
		facts = append(facts, Fact{shortened(r.Target) + " " + f.Key, f.Value})
	}
	return facts
}

// decide takes over what the deciding target says.
func (r *Result) decide() {
	var deciding []*Result
	for i := range r.Parts {
		if one := &r.Parts[i]; one.Verdict == r.Verdict {
			deciding = append(deciding, one)
		}
	}
	first := deciding[0]
	switch r.Verdict {
	case Up:
		for _, one := range deciding {
			r.Took = max(r.Took, one.Took)
		}
	case Aborted:
		r.Failing = time.Time{}
	default:
		r.Took, r.Reason = first.Took, first.Reason
		r.Err = r.failure(deciding)
	}
}

// failure says how many targets fail, what the first says, and names some of the others.
func (r *Result) failure(failing []*Result) string {
	what := "fail"
	switch {
	case r.Verdict == Inconclusive && len(failing) == 1:
		what = "is inconclusive"
	case r.Verdict == Inconclusive:
		what = "are inconclusive"
	case len(failing) == 1:
		what = "fails"
	}
	text := failing[0].Err
	if len(text) > maxErrBytes/4 {
		text = strings.ToValidUTF8(text[:maxErrBytes/4], "") + "..."
	}
	said := fmt.Sprintf("%d of %s %s: %s: %s", len(failing), Count(len(r.Parts), "target"), what, quoted(failing[0].Target), text)
	for i, one := range failing[1:] {
		if i == maxNamed || len(said) > maxErrBytes-maxNameBytes-100 {
			return said + fmt.Sprintf(" and %d more", len(failing)-1-i)
		}
		if i == 0 {
			said += "; also " + quoted(one.Target)
		} else {
			said += ", " + quoted(one.Target)
		}
	}
	return said
}

func quoted(target string) string { return strconv.Quote(shortened(target)) }

func shortened(target string) string {
	if len(target) <= maxNameBytes {
		return target
	}
	return strings.ToValidUTF8(target[:maxNameBytes], "") + "..."
}

// FirstFailing is the part that decided on a result that is not up; the result itself if it has one target.
func (r Result) FirstFailing() Result {
	for _, one := range r.Parts {
		if one.Verdict == r.Verdict {
			return one
		}
	}
	return r
}
