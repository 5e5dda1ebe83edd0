// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package record

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

// many is the result of a check with as many targets as there are letters: D is down, I inconclusive, U up.
func many(verdicts string) probe.Result {
	r := probe.Result{Check: "web", Verdict: probe.Down}
	for i, letter := range verdicts {
		one := probe.Result{Target: string(rune('a'+i)) + ":80", Verdict: map[rune]probe.Verdict{'D': probe.Down, 'I': probe.Inconclusive, 'U': probe.Up}[letter]}
		if letter == 'D' {
			one.Reason, one.Err = probe.ReasonConnect, "refused"
		}
		r.Parts = append(r.Parts, one)
	}
	return r
}

// TestStoredSetKeepsItsMeaning: the digests are stored, so they must not change from release to release.
func TestStoredSetKeepsItsMeaning(t *testing.T) {
	got := TargetsOf(Targets{}, many("DUD"))
	set, _ := hex.DecodeString("190cf982dd01b41a" + "80c29591ecc298b0")
	want := Targets{Total: 3, All: 0x5b6e966181d08558, Failing: 2, Names: []string{"a:80", "c:80"}, Set: set}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTargetsRememberWhatFailed(t *testing.T) {
	was := TargetsOf(Targets{}, many("DDUU"))
	for verdicts, want := range map[string][]string{
		"DDUU": {"a:80", "b:80"}, "IDUI": {"a:80", "b:80"}, "UUDI": {"c:80"}, "IIII": {"a:80", "b:80"}, "UU": nil, "DU": {"a:80"},
	} {
		is := TargetsOf(was, many(verdicts))
		if diff := cmp.Diff(want, is.Names); diff != "" || is.Failing != len(want) {
			t.Errorf("%s: %d failing (-want +got):\n%s", verdicts, is.Failing, diff)
		}
		if same := len(want) == 2; is.SameFailing(was) != same {
			t.Errorf("%s: the same fail: %t, want %t", verdicts, !same, same)
		}
	}
	if one := TargetsOf(was, probe.Result{Verdict: probe.Down}); one.Total != 0 || FailingOf(was, one, probe.Result{}) != nil {
		t.Errorf("one target: %+v, want nothing", one)
	}
}

func TestFailing(t *testing.T) {
	none := Targets{}
	first := TargetsOf(none, many("DUU"))
	second := TargetsOf(first, many("DUD"))
	third := TargetsOf(second, many("UDD"))
	start, shift, next := FailingOf(none, first, many("DUU")), FailingOf(first, second, many("DUD")), FailingOf(second, third, many("UDD"))
	want := &Failing{
		Total: 3, Count: 2, First: []Failure{{"a:80", probe.ReasonConnect, "refused"}, {"c:80", probe.ReasonConnect, "refused"}},
		New: []string{"c:80"}, Was: start.Is, Is: next.Was,
	}
	if diff := cmp.Diff(want, shift); diff != "" {
		t.Error(diff)
	}
	joined := next.After(shift)
	if diff := cmp.Diff([]string{"c:80", "b:80"}, joined.New); diff != "" || joined.Was != start.Is || len(joined.Recovered) != 1 {
		t.Errorf("joined: %+v", joined)
	}
	if back := FailingOf(second, first, many("DUU")).After(shift); !back.Unchanged() || len(back.New) > 0 || len(back.Recovered) > 0 {
		t.Errorf("there and back: %+v, want no change", back)
	}
	if next.After(nil) != next || next.After(start) != next {
		t.Error("what did not lead to a change was joined with it")
	}
}
