// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"skywatch/internal/probe"
)

func result() probe.Result {
	return probe.Result{
		Verdict: probe.Down, Reason: probe.ReasonTLS, Took: 1500 * time.Microsecond, Timeout: 9500 * time.Millisecond,
		Samples: []probe.Sample{
			{Desc: phaseDesc, Value: .25, Labels: []string{"resolve"}},
			{Desc: infoDesc, Value: 1, Labels: []string{"TLS 1.3", `odd "\` + "\n\xff"}},
			{Desc: phaseDesc, Value: math.Inf(1), Labels: []string{"connect"}},
			{Desc: codeDesc, Value: 200},
		},
	}
}

func TestAppendText(t *testing.T) {
	const want = `# HELP probe_duration_seconds How long the probe took.
# TYPE probe_duration_seconds gauge
probe_duration_seconds 0.0015
# HELP probe_failure_info Why the probe failed; always 1, absent on success.
# TYPE probe_failure_info gauge
probe_failure_info{reason="tls"} 1
# HELP probe_http_duration_seconds Phases.
# TYPE probe_http_duration_seconds gauge
probe_http_duration_seconds{phase="connect"} +Inf
probe_http_duration_seconds{phase="resolve"} 0.25
# HELP probe_http_status_code Status.
# TYPE probe_http_status_code gauge
probe_http_status_code 200
# HELP probe_success Whether the probe succeeded (1) or failed (0).
# TYPE probe_success gauge
probe_success 0
# HELP probe_timeout_seconds How long the probe was allowed to take.
# TYPE probe_timeout_seconds gauge
probe_timeout_seconds 9.5
# HELP probe_tls_info Line one\nand \\two.
# TYPE probe_tls_info gauge
probe_tls_info{cipher="odd \"\\\n` + "\uFFFD" + `",version="TLS 1.3"} 1
`
	got := string(AppendText([]byte("kept"), result()))
	if diff := cmp.Diff("kept"+strings.Replace(want, "\\\\\\\n", `\\\n`, 1), got); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestCommonMetricsPassLint(t *testing.T) {
	problems, err := promlint.New(bytes.NewReader(AppendText(nil, result()))).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
}

func TestInconclusiveIsNoSuccess(t *testing.T) {
	text := string(AppendText(nil, probe.Result{Verdict: probe.Inconclusive, Reason: probe.ReasonConfig}))
	if !strings.Contains(text, "\nprobe_success 0\n") || !strings.Contains(text, `reason="config"`) {
		t.Errorf("got\n%s", text)
	}
}

// gauges is a collector of the samples themselves: an independent way through a real registry.
type gauges []probe.Sample

func (gauges) Describe(chan<- *prometheus.Desc) {}

func (g gauges) Collect(out chan<- prometheus.Metric) {
	for _, s := range g {
		values := make([]string, len(s.Labels))
		for i, v := range s.Labels {
			values[i] = strings.ToValidUTF8(v, "\uFFFD")
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(s.Desc.Name, s.Desc.Help, s.Desc.Labels, nil), prometheus.GaugeValue, s.Value, values...)
	}
}

func drawResult(t *rapid.T) probe.Result {
	name := rapid.StringMatching(`[a-c]|[a-zA-Z_][a-zA-Z0-9_]{0,3}`)
	plain := name.Filter(func(s string) bool { return !strings.HasPrefix(s, "__") }) // which the library refuses
	label := rapid.OneOf(plain, rapid.SampledFrom([]string{"größe", "a.b", `q"\`, "\n"}))
	value := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, -1, 1e21, 1e-7, math.Inf(1), math.Inf(-1), math.NaN()}))
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "\\", "\"", "a\nb", "\xff\xfe"}))
	r := probe.Result{Verdict: rapid.SampledFrom(probe.Verdicts()).Draw(t, "verdict"), Took: time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "took"))}
	r.Reason = probe.ReasonTimeout
	for _, n := range rapid.SliceOfNDistinct(name, 0, 5, rapid.ID).Draw(t, "names") {
		d := &probe.Desc{Name: "probe_x_" + n, Help: rapid.String().Draw(t, "help"), Labels: rapid.SliceOfNDistinct(label, 0, 3, rapid.ID).Draw(t, "labels")}
		seen := make(map[string]bool)
		for range rapid.IntRange(1, 4).Draw(t, "samples") {
			s := probe.Sample{Desc: d, Value: value.Draw(t, "value")}
			for range d.Labels {
				s.Labels = append(s.Labels, text.Draw(t, "text"))
			}
			if key := strings.ToValidUTF8(strings.Join(s.Labels, "\x00"), "\uFFFD"); !seen[key] {
				seen[key] = true
				r.Samples = append(r.Samples, s)
			}
		}
	}
	return r
}

// TestTextEqualsLibrary holds our text against what the library writes for what a registry gathers.
func TestTextEqualsLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawResult(t)
		all := append(gauges{}, r.Samples...)
		success := 0.0
		if r.Success() {
			success = 1
		} else {
			all = append(all, probe.Sample{Desc: failureDesc, Value: 1, Labels: []string{"timeout"}})
		}
		all = append(all, probe.Sample{Desc: successDesc, Value: success},
			probe.Sample{Desc: durationDesc, Value: r.Took.Seconds()}, probe.Sample{Desc: timeoutDesc})
		registry := prometheus.NewRegistry()
		registry.MustRegister(all)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(families, Families(r), protocmp.Transform(), cmp.Comparer(sameFloat)); diff != "" {
			t.Fatalf("families (-want +got):\n%s", diff)
		}
		var want bytes.Buffer
		for _, family := range families {
			if _, err := expfmt.MetricFamilyToText(&want, family); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want.String(), string(AppendText(nil, r))); diff != "" {
			t.Fatalf("text (-want +got):\n%s", diff)
		}
	})
}

func sameFloat(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// TestForeignLabelNames shows that names outside the old alphabet arrive escaped as the client asked for.
func TestForeignLabelNames(t *testing.T) {
	o := testOptions()
	desc := &probe.Desc{Name: "probe_expect_info", Labels: []string{"a.b"}}
	o.Module = func(string) (*probe.Module, bool) {
		return &probe.Module{Prober: funcProber(func(_ context.Context, _ probe.Target, r *probe.Recorder) error { r.Set(desc, 1, "v"); return nil })}, true
	}
	for accept, want := range map[string]string{
		"": `probe_expect_info{a_b="v"} 1`, "text/plain;version=0.0.4;escaping=allow-utf-8": `probe_expect_info{"a.b"="v"} 1`,
	} {
		if w := get(t, NewHandler(o), "/probe?target=x", "Accept", accept); !strings.Contains(w.Body.String(), want) {
			t.Errorf("accept %q: want %s in\n%s", accept, want, w.Body)
		}
	}
}

func TestDuplicatesAreExposedOnce(t *testing.T) {
	twin := *codeDesc
	r := probe.Result{Verdict: probe.Up, Samples: []probe.Sample{{Desc: codeDesc, Value: 1}, {Desc: &twin, Value: 1}}}
	for _, family := range Families(r) {
		if len(family.Metric) != 1 {
			t.Errorf("%s has %d samples, want 1", family.GetName(), len(family.Metric))
		}
	}
}
