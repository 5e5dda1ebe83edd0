// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"skywatch/internal/probe"
)

// TestProbesThatAreNotMade: each refusal has its status and text, and no probe is made for it.
func TestProbesThatAreNotMade(t *testing.T) {
	for name, test := range map[string]struct {
		refused error
		status  int
		after   string
	}{
		"request": {&probe.Refused{Cause: probe.RefusedRequest, Text: `Unknown credential "x"`}, http.StatusBadRequest, ""},
		"target":  {&probe.Refused{Cause: probe.RefusedTarget, Text: `Credential "x" is not allowed for target "y"`, Address: "y:1"}, http.StatusForbidden, ""},
		"pace":    {&probe.Refused{Cause: probe.RefusedPace, Text: "Logins are paused", After: 90*time.Second + 1}, http.StatusTooManyRequests, "91"},
		"other":   {context.Canceled, http.StatusInternalServerError, ""},
	} {
		for _, early := range []bool{true, false} {
			made := 0
			m := &probe.Module{Name: "m", Kind: "k", Prober: funcProber(succeed)}
			o := testOptions()
			o.Module = func(string) (*probe.Module, bool) { return m, true }
			o.Run = func(context.Context, probe.Check) (probe.Result, error) {
				made++
				return probe.Result{}, test.refused
			}
			if early && test.after == "" {
				m.Permit = func(*probe.Module, probe.Target) error { return test.refused }
			}
			w := get(t, NewHandler(o), "/probe?target=y")
			if w.Code != test.status || w.Body.String() != test.refused.Error()+"\n" || w.Header().Get("Retry-After") != test.after || m.Permit != nil && made > 0 {
				t.Errorf("%s, early %v: %d %q after %q, %d made", name, early, w.Code, w.Body, w.Header().Get("Retry-After"), made)
			}
		}
	}
}

// TestTheTargetThatIsProbedIsJudged: whatever decoding there is comes before, and the variant that parameters ask for is judged, not the module.
func TestTheTargetThatIsProbedIsJudged(t *testing.T) {
	for _, exact := range []bool{false, true} {
		for query, want := range map[string]string{
			"target=mail%3A143&credential=box":            "plain mail:143 box",
			"target=mail%253A143&credential=box":          "plain mail:143 box",
			"target=mail%3A143&credential=":               "plain mail:143 ",
			"target=mail%3A143":                           "plain mail:143 ",
			"target=mail%3A143&credential=a&credential=b": "plain mail:143 a",
			"target=mail%3A143&credential=%00":            "plain mail:143 \x00",
			"target=mail%3A143&Credential=box":            "plain mail:143 ",
			"target=mail%3A143&vary=1":                    "varied mail:143 ",
			"target=evil%2540mail":                        "plain evil@mail ",
		} {
			var judged, probed string
			permit := func(m *probe.Module, t probe.Target) error {
				judged = m.Kind + " " + t.Raw() + " " + t.Credential
				return nil
			}
			m := &probe.Module{Name: "m", Kind: "plain", Prober: funcProber(succeed), Permit: permit}
			m.Vary = func(p url.Values) (*probe.Module, error) {
				variant := *m
				if p.Get("vary") != "" {
					variant.Kind = "varied"
				}
				return &variant, nil
			}
			o := testOptions()
			o.Exact = exact
			o.Module = func(string) (*probe.Module, bool) { return m, true }
			o.Run = func(ctx context.Context, c probe.Check) (probe.Result, error) {
				probed = c.Module.Kind + " " + c.Target.Raw() + " " + c.Target.Credential
				return runProbe(ctx, c)
			}
			get(t, NewHandler(o), "/probe?"+query)
			if judged != want || probed != want {
				t.Errorf("%s, exact %v: judged %q, probed %q, want %q", query, exact, judged, probed, want)
			}
		}
	}
}
