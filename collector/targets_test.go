// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// websites is a check with many targets.
func websites(targets ...string) probe.Check {
	check := probe.Check{Name: "Websites", Module: &probe.Module{Name: "http_any"}, Origin: probe.OriginSchedule}
	for _, target := range targets {
		check.Parts = append(check.Parts, probe.Part{Module: check.Module, Target: probe.NewTarget(target)})
	}
	return check
}

// combined is a result of it; each target took a second more.
func combined(v probe.Verdict, targets map[string]probe.Verdict, order ...string) probe.Result {
	r := outcome("Websites", v, probe.ReasonNone, time.Second)
	if v == probe.Down {
		r.Reason = probe.ReasonResponse
	}
	for i, target := range order {
		r.Parts = append(r.Parts, probe.Result{Check: "Websites", Target: target, Verdict: targets[target], Took: time.Duration(i+1) * time.Second})
	}
	return r
}

// targetSeriesOf keeps the series that tell of targets, and some of the check, sorted: nobody promises an order.
func targetSeriesOf(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "_target_") || strings.HasPrefix(line, "skywatch_check_info{") || strings.HasPrefix(line, "skywatch_check_results_total{") {
			kept = append(kept, line)
		}
	}
	slices.Sort(kept)
	return strings.Join(kept, "")
}

func TestManyTargetsAreOneCheckAndSinglySeen(t *testing.T) {
	c := NewChecks(func(string) (record.CheckState, bool) {
		return record.CheckState{State: record.Down, Since: epoch}, true
	}, nil)
	c.Apply([]probe.Check{websites("https://u:p@a.example", "https://b.example", "https://c.example"), webmail()})
	order := []string{"https://a.example", "https://b.example", "https://c.example"}
	c.Observe(t.Context(), combined(probe.Down, map[string]probe.Verdict{
		order[0]: probe.Up, order[1]: probe.Down, order[2]: probe.Inconclusive,
	}, order...))
	want := `# HELP skywatch_check_target_duration_seconds Time taken by the attempt that decided last on a target of a check with many.
# HELP skywatch_check_target_up Whether a target of a check with many is up (1) or down (0); absent while unknown.
# TYPE skywatch_check_target_duration_seconds gauge
# TYPE skywatch_check_target_up gauge
skywatch_check_info{check="Webmail",group="Mail",module="http_2xx",target="https://mail.example.org",team="ops"} 1
skywatch_check_info{check="Websites",module="http_any"} 1
skywatch_check_results_total{check="Webmail",verdict="down"} 0
skywatch_check_results_total{check="Webmail",verdict="inconclusive"} 0
skywatch_check_results_total{check="Webmail",verdict="up"} 0
skywatch_check_results_total{check="Websites",verdict="down"} 1
skywatch_check_results_total{check="Websites",verdict="inconclusive"} 0
skywatch_check_results_total{check="Websites",verdict="up"} 0
skywatch_check_target_duration_seconds{check="Websites",target="https://a.example"} 1
skywatch_check_target_duration_seconds{check="Websites",target="https://b.example"} 2
skywatch_check_target_duration_seconds{check="Websites",target="https://c.example"} 3
skywatch_check_target_up{check="Websites",target="https://a.example"} 1
skywatch_check_target_up{check="Websites",target="https://b.example"} 0
`
	through := map[string]string{
		"registry": gathered(t, registryOf(c)),
		"handler":  get(t, NewMetricsHandler(prometheus.NewRegistry(), c, slog.New(slog.DiscardHandler)), "/metrics").Body.String(),
	}
	for name, text := range through {
		if diff := cmp.Diff(want, targetSeriesOf(text)); diff != "" {
			t.Errorf("series by the %s (-want +got):\n%s", name, diff)
		}
		if problems, err := promlint.New(strings.NewReader(text)).Lint(); err != nil || len(problems) > 0 {
			t.Errorf("promlint of the %s: %v %v", name, problems, err)
		}
	}
}

func TestTargetsComeAndGo(t *testing.T) {
	c := NewChecks(nil, nil)
	c.Apply([]probe.Check{websites("a:1", "b:1")})
	c.Observe(t.Context(), combined(probe.Down, map[string]probe.Verdict{"a:1": probe.Up, "b:1": probe.Down}, "a:1", "b:1"))
	for _, step := range []struct {
		check  probe.Check
		result probe.Result
		want   string
	}{
		{websites("c:1", "b:1"), probe.Result{}, `{check="Websites",target="b:1"} 0`},
		{websites("c:1", "b:1"), combined(probe.Up, map[string]probe.Verdict{"b:1": probe.Inconclusive, "a:1": probe.Up}, "a:1", "b:1"), `{check="Websites",target="b:1"} 0`},
		{websites("c:1", "b:1"), combined(probe.Up, map[string]probe.Verdict{"b:1": probe.Up, "c:1": probe.Up}, "b:1", "c:1"),
			`{check="Websites",target="b:1"} 1 {check="Websites",target="c:1"} 1`},
		{plainCheck("Websites"), probe.Result{}, ""},
		{websites("b:1"), probe.Result{}, ""},
	} {
		c.Apply([]probe.Check{step.check})
		c.Observe(t.Context(), step.result)
		var got []string
		for line := range strings.Lines(gathered(t, registryOf(c))) {
			if rest, ok := strings.CutPrefix(line, "skywatch_check_target_up"); ok {
				got = append(got, strings.TrimSpace(rest))
			}
		}
		if text := strings.Join(got, " "); text != step.want {
			t.Errorf("up: %s, want %s", text, step.want)
		}
	}
}

func TestThousandTargetsInOrder(t *testing.T) {
	var targets []string
	verdicts := make(map[string]probe.Verdict)
	for i := range 1000 {
		targets = append(targets, fmt.Sprintf("host%03d:80", i))
		verdicts[targets[i]] = probe.Up
	}
	c := NewChecks(nil, nil)
	c.Apply([]probe.Check{websites(targets...)})
	c.Observe(t.Context(), combined(probe.Up, verdicts, targets...))
	if n := strings.Count(gathered(t, registryOf(c)), "skywatch_check_target_up{"); n != 1000 {
		t.Errorf("%d series, want 1000", n)
	}
}
