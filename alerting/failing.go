// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// portion tells how many targets fail: "2 of 5 targets fail".
func portion(f *record.Failing) string {
	if f == nil {
		return ""
	}
	what := "fail"
	if f.Count == 1 {
		what = "fails"
	}
	return fmt.Sprintf("%d of %s %s", f.Count, probe.Count(f.Total, "target"), what)
}

// writeFailing lists the failing targets of a check with many, and those that recovered. Which ones are new matters to those alone who
// were told before.
func writeFailing(b *strings.Builder, f *record.Failing, before bool) {
	if f == nil {
		return
	}
	fmt.Fprintf(b, "  %s:\n", portion(f))
	for _, one := range f.First {
		note := ""
		if before && slices.Contains(f.New, one.Target) {
			note = " (new)"
		}
		fmt.Fprintf(b, "    %s%s: %s: %s\n", oneLine(one.Target, maxCell), note, one.Reason, oneLine(one.Err, maxError))
	}
	if more := f.Count - len(f.First); more > 0 {
		fmt.Fprintf(b, "    and %d more\n", more)
	}
	if len(f.Recovered) > 0 {
		fmt.Fprintf(b, "  No longer failing:\n")
	}
	for _, target := range f.Recovered {
		fmt.Fprintf(b, "    %s\n", oneLine(target, maxCell))
	}
}

// tried tells of the attempts; "" if there were none.
func tried(t *record.Transition) string {
	took := t.Took.Round(time.Millisecond / 10)
	switch {
	case t.Attempts == 0:
		return ""
	case t.Failing != nil:
		return fmt.Sprintf("%d at %s, the last at the first failing one took %s", t.Attempts, probe.Count(t.Failing.Total, "target"), took)
	}
	return fmt.Sprintf("%d, the last took %s", t.Attempts, took)
}

// traced says whose trace that of a transition is.
func traced(t *record.Transition) string {
	name := oneLine(t.Check, maxCell)
	if t.Failing == nil || len(t.Failing.First) == 0 {
		return name
	}
	return name + " at target " + oneLine(t.Failing.First[0].Target, maxCell)
}

// aim is what a check is pointed at, for a table.
func aim(s record.CheckState) string {
	if s.Targets.Total == 0 {
		return s.Target
	}
	return fmt.Sprintf("%d of %s", s.Targets.Failing, probe.Count(s.Targets.Total, "target"))
}
