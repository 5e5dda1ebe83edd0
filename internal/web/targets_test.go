// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"fmt"
	"html"
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// manySites has a check with as many targets, of which the first ones fail.
func manySites(t *testing.T, targets, failing int) Options {
	o := someOptions(t)
	check := probe.Check{Name: "Websites", Module: &probe.Module{Name: "http_any", Kind: "http"}}
	var parts []probe.Result
	for i := range targets {
		part := probe.Part{Module: check.Module, Target: probe.NewTarget(fmt.Sprintf("https://u:s3cr3tword@site%d.example/%s", i, hostile))}
		check.Parts = append(check.Parts, part)
		parts = append(parts, probe.Result{Target: part.Target.String(), Verdict: probe.Up})
		if i < failing {
			parts[i].Verdict = probe.Down
		}
	}
	state := record.CheckState{Check: check.Name, State: record.Up, Since: now, Targets: record.TargetsOf(record.Targets{}, probe.Result{Parts: parts})}
	if failing > 0 {
		state.State, state.Err = record.Down, "some fail"
	}
	o.Checks = func() []probe.Check { return []probe.Check{check} }
	o.States = func() []record.CheckState { return []record.CheckState{state} }
	return o
}

func TestManyTargetsAreShown(t *testing.T) {
	for failing, want := range map[int]string{0: "<br>300 targets</td>", 30: "<br>30 of 300 targets failing</td>"} {
		h := NewHandler(manySites(t, 300, failing))
		page := request(h, "GET", "/").Body.String()
		if !strings.Contains(page, want) || strings.Contains(page, "site1.example") {
			t.Errorf("%q is missing on the landing page, or it names targets", want)
		}
		page = request(h, "GET", "/checks/Websites").Body.String()
		for _, want := range []string{
			"<dt>target 1</dt><dd>https://site0.example/" + html.EscapeString(hostile), "<dt>target 100</dt><dd>https://site99.example/",
			"<dt>targets</dt><dd>200 more are not shown here</dd>",
		} {
			if !strings.Contains(page, want) {
				t.Errorf("%q is missing on the page of the check", want)
			}
		}
		if got := strings.Count(page, "<dt>failing</dt>"); failing == 0 && got != 0 || failing > 0 && got != 21 {
			t.Errorf("%d rows of failing targets of %d, want 20 and one that counts", got, failing)
		}
		if failing > 0 && !strings.Contains(page, "<dt>failing</dt><dd>10 more</dd>") {
			t.Error("the failing targets that are not named are not counted")
		}
		if strings.Contains(page, "s3cr3tword") || strings.Contains(page, "<script>") {
			t.Error("the page shows a password or runs what a target says")
		}
	}
}
