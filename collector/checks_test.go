// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/testing/protocmp"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

var epoch = time.Unix(1700000000, 250e6).UTC()

func webmail() probe.Check {
	return probe.Check{
		Name: "Webmail", Group: "Mail", Module: &probe.Module{Name: "http_2xx"}, Target: probe.NewTarget("https://u:p@mail.example.org"),
		Labels: map[string]string{"team": "ops", "check": "never", "empty": ""}, Origin: probe.OriginSchedule,
	}
}

func plainCheck(name string) probe.Check {
	return probe.Check{Name: name, Origin: probe.OriginSchedule}
}

func outcome(check string, v probe.Verdict, reason probe.Reason, took time.Duration) probe.Result {
	return probe.Result{Check: check, Origin: probe.OriginSchedule, Verdict: v, Reason: reason, Start: epoch, Took: took, Attempts: 2}
}

// someStates knows the states of two checks.
func someStates(check string) (record.CheckState, bool) {
	switch check {
	case "Webmail":
		return record.CheckState{State: record.Down, Since: epoch}, true
	case "DNS":
		return record.CheckState{State: record.Degraded, Since: epoch}, true
	}
	return record.CheckState{}, false
}

// someChecks has one that is down, one that is degraded, one never seen.
func someChecks(t *testing.T) *Checks {
	c := NewChecks(someStates, func(check string) uint64 { return uint64(len(check)) })
	c.Apply([]probe.Check{webmail(), plainCheck("New"), plainCheck("DNS")})
	c.Observe(t.Context(), outcome("Webmail", probe.Up, probe.ReasonNone, 100*time.Millisecond))
	c.Observe(t.Context(), outcome("Webmail", probe.Down, probe.ReasonTLS, 5*time.Second))
	c.Observe(t.Context(), outcome("DNS", probe.Inconclusive, probe.ReasonConfig, 0))
	return c
}

const wantWebmail = `skywatch_check_attempts_total{check="Webmail"} 4
skywatch_check_duration_seconds_bucket{check="Webmail",le="0.0009765625"} 0
skywatch_check_duration_seconds_bucket{check="Webmail",le="0.00390625"} 0
skywatch_check_duration_seconds_bucket{check="Webmail",le="0.015625"} 0
skywatch_check_duration_seconds_bucket{check="Webmail",le="0.0625"} 0
skywatch_check_duration_seconds_bucket{check="Webmail",le="0.25"} 1
skywatch_check_duration_seconds_bucket{check="Webmail",le="1"} 1
skywatch_check_duration_seconds_bucket{check="Webmail",le="4"} 1
skywatch_check_duration_seconds_bucket{check="Webmail",le="16"} 2
skywatch_check_duration_seconds_bucket{check="Webmail",le="64"} 2
skywatch_check_duration_seconds_bucket{check="Webmail",le="+Inf"} 2
skywatch_check_duration_seconds_sum{check="Webmail"} 5.1
skywatch_check_duration_seconds_count{check="Webmail"} 2
skywatch_check_failures_total{check="Webmail",reason="tls"} 1
skywatch_check_info{check="Webmail",group="Mail",module="http_2xx",target="https://mail.example.org",team="ops"} 1
skywatch_check_last_success_timestamp_seconds{check="Webmail"} 1.70000000025e+09
skywatch_check_results_total{check="Webmail",verdict="down"} 1
skywatch_check_results_total{check="Webmail",verdict="inconclusive"} 0
skywatch_check_results_total{check="Webmail",verdict="up"} 1
skywatch_check_state_since_timestamp_seconds{check="Webmail"} 1.70000000025e+09
skywatch_check_up{check="Webmail"} 0
skywatch_schedule_missed_total{check="Webmail"} 7
`

// of keeps the samples of one check.
func of(check, text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, fmt.Sprintf("{check=%q", check)) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func registryOf(c *Checks) *prometheus.Registry {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	return registry
}

func TestChecksThroughRegistry(t *testing.T) {
	text := gathered(t, registryOf(someChecks(t)))
	if diff := cmp.Diff(wantWebmail, of("Webmail", text)); diff != "" {
		t.Errorf("series of a check (-want +got):\n%s", diff)
	}
	for line, want := range map[string]bool{
		`skywatch_check_up{check="DNS"} 1`: true, `skywatch_check_up{check="New"}`: false, `skywatch_check_info{check="New"} 1`: true,
		`skywatch_check_failures_total{check="DNS",reason="config"} 1`: true, `skywatch_check_last_success_timestamp_seconds{check="DNS"}`: false,
		`skywatch_check_duration_seconds_count{check="New"} 0`: true, `skywatch_check_state_since_timestamp_seconds{check="New"}`: false,
	} {
		if strings.Contains(text, line) != want {
			t.Errorf("%s: present %v, want %v in\n%s", line, !want, want, text)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
}

// TestMetricsHandlerEqualsRegistry holds the streaming handler against the registry's own way, in text and in protobuf.
func TestMetricsHandlerEqualsRegistry(t *testing.T) {
	const proto = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
	c, rest := someChecks(t), prometheus.NewRegistry()
	for _, name := range []string{"a_total", "skywatch_check_fz_total", "z_total"} {
		rest.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: name}))
	}
	h := NewMetricsHandler(rest, c, slog.New(slog.DiscardHandler))
	all := prometheus.Gatherers{rest, registryOf(c)}
	for accept, format := range map[string]expfmt.Format{"text/plain;version=0.0.4": textType, proto: proto} {
		w := get(t, h, "/metrics", "Accept", accept)
		var want bytes.Buffer
		families, _ := all.Gather()
		if err := encode(&want, format, families); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(inOrder(decode(t, &want, format)), inOrder(decode(t, w.Body, format)), protocmp.Transform()); diff != "" {
			t.Errorf("accept %q (-registry +handler):\n%s", accept, diff)
		}
	}
	names := headers(get(t, h, "/metrics").Body.String())
	if want := strings.Fields("a_total skywatch_check_attempts_total skywatch_check_duration_seconds skywatch_check_failures_total skywatch_check_fz_total " +
		"skywatch_check_info skywatch_check_last_success_timestamp_seconds skywatch_check_results_total skywatch_check_state_since_timestamp_seconds skywatch_check_up skywatch_schedule_missed_total z_total"); !cmp.Equal(want, names) {
		t.Errorf("families %v, want %v", names, want)
	}
}

// inOrder sorts the samples of each family by their labels, since nobody promises an order.
func inOrder(families map[string]*dto.MetricFamily) map[string]*dto.MetricFamily {
	labels := func(m *dto.Metric) (text string) {
		for _, l := range m.Label {
			text += l.GetName() + "=" + l.GetValue() + ","
		}
		return text
	}
	for _, family := range families {
		slices.SortFunc(family.Metric, func(a, b *dto.Metric) int { return strings.Compare(labels(a), labels(b)) })
	}
	return families
}

func TestNativeHistogram(t *testing.T) {
	c := someChecks(t)
	families, err := registryOf(c).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "skywatch_check_duration_seconds" {
			continue
		}
		h := family.Metric[2].Histogram // Webmail
		spans, total, count := int32(0), int64(0), int64(0)
		at := make(map[int32]int64)
		i := 0
		for _, span := range h.PositiveSpan {
			spans += span.GetOffset()
			for range span.GetLength() {
				count += h.PositiveDelta[i]
				at[spans], total, i, spans = count, total+count, i+1, spans+1
			}
		}
		// 0.1 s lies in (2^-3.5, 2^-3.25], 5 s in (2^2.25, 2^2.5].
		if diff := cmp.Diff(map[int32]int64{-13: 1, 10: 1}, at); diff != "" || h.GetSchema() != 2 || uint64(total) != h.GetSampleCount() {
			t.Errorf("schema %d, total %d, buckets (-want +got):\n%s", h.GetSchema(), total, diff)
		}
	}
}

func TestApplyInheritsFromFormerNames(t *testing.T) {
	c := NewChecks(nil, nil)
	c.Seed([]record.Counters{{Check: "Mail", Results: [3]uint64{7, 2, 0}, Attempts: 12}})
	renamed := []probe.Check{{Name: "Webmail", Was: []string{"Mail"}}}
	c.Apply(renamed)
	c.Apply(renamed)
	if len(c.all) != 1 {
		t.Fatalf("%d series, want that of the new name alone", len(c.all))
	}
	want := record.Counters{Check: "Webmail", Results: [3]uint64{7, 2, 0}, Attempts: 12}
	if diff := cmp.Diff(want, c.all[0].counters); diff != "" {
		t.Error(diff)
	}
}

func TestSeedGoesOnCounting(t *testing.T) {
	var old record.Counters
	old.Count(probe.Up, probe.ReasonNone, 3, epoch.Add(-time.Hour), 100*time.Millisecond)
	first, second := old, old
	first.Check, first.Target = "Webmail", "https://mail.example.org"
	second.Check, second.Target = "Webmail", "https://old.example.org"
	stranger := old
	stranger.Check = "Gone"
	for name, order := range map[string]func(c *Checks){
		"before apply": func(c *Checks) {
			c.Seed([]record.Counters{first, second, stranger})
			c.Apply([]probe.Check{webmail()})
		},
		"after apply": func(c *Checks) {
			c.Apply([]probe.Check{webmail()})
			c.Seed([]record.Counters{stranger, second, first})
			c.Apply([]probe.Check{webmail()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := NewChecks(nil, nil)
			order(c)
			c.Observe(t.Context(), outcome("Webmail", probe.Down, probe.ReasonTLS, time.Second))
			text := gathered(t, registryOf(c))
			for _, line := range []string{
				`skywatch_check_attempts_total{check="Webmail"} 8`, `skywatch_check_results_total{check="Webmail",verdict="up"} 2`,
				`skywatch_check_duration_seconds_count{check="Webmail"} 3`, `skywatch_check_last_success_timestamp_seconds{check="Webmail"} 1.69999640025e+09`,
			} {
				if !strings.Contains(text, line) {
					t.Errorf("%s is missing in\n%s", line, text)
				}
			}
			if strings.Contains(text, "Gone") {
				t.Errorf("an unknown check has series:\n%s", text)
			}
		})
	}
}

func TestApplyDropsVanishedChecks(t *testing.T) {
	c := someChecks(t)
	changed := webmail()
	changed.Target, changed.Labels = probe.NewTarget("new.example.org:25"), nil
	c.Apply([]probe.Check{changed})
	c.Observe(t.Context(), outcome("DNS", probe.Up, probe.ReasonNone, 0))
	text := gathered(t, registryOf(c))
	if strings.Contains(text, "DNS") || strings.Contains(text, "New") {
		t.Errorf("vanished checks have series:\n%s", text)
	}
	for _, line := range []string{`skywatch_check_info{check="Webmail",group="Mail",module="http_2xx",target="new.example.org:25"} 1`, `skywatch_check_attempts_total{check="Webmail"} 4`} {
		if !strings.Contains(text, line) {
			t.Errorf("%s is missing in\n%s", line, text)
		}
	}
}

func TestUncountedResults(t *testing.T) {
	c := someChecks(t)
	before := gathered(t, registryOf(c))
	aborted, request, stranger := outcome("DNS", probe.Aborted, 0, 0), outcome("", probe.Up, 0, 0), outcome("Other", probe.Up, 0, 0)
	request.Origin = probe.OriginRequest
	for _, r := range []probe.Result{aborted, request, stranger} {
		c.Observe(t.Context(), r)
	}
	if diff := cmp.Diff(before, gathered(t, registryOf(c))); diff != "" {
		t.Errorf("series changed:\n%s", diff)
	}
}

func TestScrapeWhileCounting(t *testing.T) {
	c := someChecks(t)
	h := NewMetricsHandler(registryOf(NewChecks(nil, nil)), c, slog.New(slog.DiscardHandler))
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 50 {
				switch i {
				case 0:
					c.Observe(t.Context(), outcome("DNS", probe.Up, 0, time.Duration(n)*time.Millisecond))
				case 1:
					c.Apply([]probe.Check{webmail(), plainCheck("DNS")})
				case 2:
					c.Seed([]record.Counters{{Check: fmt.Sprint(n)}})
				default:
					h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil))
				}
			}
		})
	}
	all.Wait()
}

func headers(text string) (names []string) {
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, "# TYPE "); found {
			names = append(names, strings.Fields(rest)[0])
		}
	}
	return names
}

func TestForeignConfiguredLabel(t *testing.T) {
	c := NewChecks(nil, nil)
	check := plainCheck("A")
	check.Labels = map[string]string{"größe": "1"}
	c.Apply([]probe.Check{check})
	w := get(t, NewMetricsHandler(prometheus.NewRegistry(), c, slog.New(slog.DiscardHandler)), "/metrics")
	if want := `skywatch_check_info{check="A",gr__e="1"} 1`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("%s is missing in\n%s", want, w.Body)
	}
}
