// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/testing/protocmp"

	"skywatch/internal/probe"
)

// The metrics of two modules that use the same name for something else, and one with our own labels.
var (
	queueDesc = &probe.Desc{Name: "probe_extract_queue", Help: "Mails in the queue.", Labels: []string{"queue"}}
	otherDesc = &probe.Desc{Name: "probe_extract_queue", Help: "Jobs.", Labels: []string{"site", "kind"}}
	clashDesc = &probe.Desc{Name: "probe_expect_info", Help: "Groups.", Labels: []string{"target", "check", "exported_check"}}
)

// seen is a result with samples of a check that plainCheck or websites made.
func seen(check, target string, v probe.Verdict, samples ...probe.Sample) probe.Result {
	r := outcome(check, v, probe.ReasonNone, 250*time.Millisecond)
	if v != probe.Up {
		r.Reason = probe.ReasonResponse
	}
	r.Target, r.Timeout, r.Samples = target, 5*time.Second, samples
	return r
}

func measuredOf(t *testing.T, c *Checks, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return get(t, NewMeasuredHandler(c, slog.New(slog.DiscardHandler)), "/metrics/checks", headers...)
}

// variedChecks have measured what differs in labels and help, and what clashes with our labels, at one target and at two.
func variedChecks(ctx context.Context) *Checks {
	c := NewChecks(nil, nil)
	c.Apply([]probe.Check{plainCheck("Queue"), plainCheck("Jobs"), plainCheck("Never seen"), websites("https://b.example", "https://a.example")})
	c.Observe(ctx, seen("Queue", "", probe.Up, probe.Sample{Desc: queueDesc, Value: 7, Labels: []string{"deferred"}},
		probe.Sample{Desc: queueDesc, Value: 2, Labels: []string{"active"}}, probe.Sample{Desc: clashDesc, Value: 1, Labels: []string{"t", "c", "e"}}))
	c.Observe(ctx, seen("Jobs", "", probe.Inconclusive, probe.Sample{Desc: otherDesc, Value: 4, Labels: []string{"s\xff", "k\"\n"}}))
	all := seen("Websites", "", probe.Down)
	all.Parts = []probe.Result{
		seen("Websites", "https://b.example", probe.Down, probe.Sample{Desc: codeDesc, Value: 503}),
		seen("Websites", "https://a.example", probe.Up, probe.Sample{Desc: codeDesc, Value: 200}, probe.Sample{Desc: clashDesc, Value: 1, Labels: []string{"t", "c", "e"}}),
	}
	c.Observe(ctx, all)
	return c
}

const wantMeasured = `# HELP probe_duration_seconds How long the probe took.
# TYPE probe_duration_seconds gauge
probe_duration_seconds{check="Jobs"} 0.25
probe_duration_seconds{check="Queue"} 0.25
probe_duration_seconds{check="Websites",target="https://a.example"} 0.25
probe_duration_seconds{check="Websites",target="https://b.example"} 0.25
# HELP probe_expect_info Groups.
# TYPE probe_expect_info gauge
probe_expect_info{check="Queue",exported_check="e",exported_exported_check="c",target="t"} 1
probe_expect_info{check="Websites",exported_check="e",exported_exported_check="c",exported_target="t",target="https://a.example"} 1
# HELP probe_extract_queue Jobs.
# TYPE probe_extract_queue gauge
probe_extract_queue{check="Jobs",kind="k\"\n",site="s` + "\uFFFD" + `"} 4
probe_extract_queue{check="Queue",queue="active"} 2
probe_extract_queue{check="Queue",queue="deferred"} 7
# HELP probe_failure_info Why the probe failed; always 1, absent on success.
# TYPE probe_failure_info gauge
probe_failure_info{check="Jobs",reason="response"} 1
probe_failure_info{check="Websites",reason="response",target="https://b.example"} 1
# HELP probe_http_status_code Status.
# TYPE probe_http_status_code gauge
probe_http_status_code{check="Websites",target="https://a.example"} 200
probe_http_status_code{check="Websites",target="https://b.example"} 503
# HELP probe_success Whether the probe succeeded (1) or failed (0).
# TYPE probe_success gauge
probe_success{check="Jobs"} 0
probe_success{check="Queue"} 1
probe_success{check="Websites",target="https://a.example"} 1
probe_success{check="Websites",target="https://b.example"} 0
# HELP probe_timeout_seconds How long the probe was allowed to take.
# TYPE probe_timeout_seconds gauge
probe_timeout_seconds{check="Jobs"} 5
probe_timeout_seconds{check="Queue"} 5
probe_timeout_seconds{check="Websites",target="https://a.example"} 5
probe_timeout_seconds{check="Websites",target="https://b.example"} 5
`

func TestMeasured(t *testing.T) {
	c := variedChecks(t.Context())
	for range 2 { // nothing is used up
		if diff := cmp.Diff(wantMeasured, measuredOf(t, c).Body.String()); diff != "" {
			t.Errorf("exposition (-want +got):\n%s", diff)
		}
	}
	if problems, err := promlint.New(strings.NewReader(wantMeasured)).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
}

// TestMeasuredAsProtobuf has the same content, and the type that was asked for.
func TestMeasuredAsProtobuf(t *testing.T) {
	c := variedChecks(t.Context())
	for accept, want := range map[string]string{
		"": string(textType), "application/openmetrics-text; version=1.0.0": string(textType),
		"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores",
	} {
		w := measuredOf(t, c, "Accept", accept)
		got := w.Header().Get("Content-Type")
		if got != want {
			t.Errorf("accept %q: content type %q, want %q", accept, got, want)
		}
		families := decode(t, w.Body, expfmt.Format(got))
		if diff := cmp.Diff(decode(t, strings.NewReader(wantMeasured), textType), families, protocmp.Transform()); diff != "" {
			t.Errorf("accept %q (-want +got):\n%s", accept, diff)
		}
		for name, family := range families {
			if family.GetType() != dto.MetricType_GAUGE {
				t.Errorf("%s is a %s, want a gauge", name, family.GetType())
			}
		}
	}
}

func TestMeasuredIsPacked(t *testing.T) {
	w := measuredOf(t, variedChecks(t.Context()), "Accept-Encoding", "gzip")
	if got := w.Header().Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("content encoding %q, want gzip", got)
	}
	unpacked, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(unpacked); err != nil || string(text) != wantMeasured {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestMeasuredForeignLabelNames(t *testing.T) {
	c := NewChecks(nil, nil)
	c.Apply([]probe.Check{plainCheck("A")})
	c.Observe(t.Context(), seen("A", "", probe.Up, probe.Sample{Desc: &probe.Desc{Name: "probe_expect_info", Labels: []string{"a.b"}}, Value: 1, Labels: []string{"v"}}))
	for accept, want := range map[string]string{
		"": `probe_expect_info{a_b="v",check="A"} 1`, "text/plain;version=0.0.4;escaping=allow-utf-8": `probe_expect_info{"a.b"="v",check="A"} 1`,
	} {
		if got := measuredOf(t, c, "Accept", accept).Body.String(); !strings.Contains(got, want) {
			t.Errorf("accept %q: want %s in\n%s", accept, want, got)
		}
	}
}

// TestMeasuredIsOfTheLastResult: it is replaced as a whole, whatever the verdict, but not by what is no result of the check.
func TestMeasuredIsOfTheLastResult(t *testing.T) {
	c := NewChecks(nil, nil)
	a := plainCheck("A")
	a.Module, a.Target = &probe.Module{Name: "m"}, probe.NewTarget("x:1")
	c.Apply([]probe.Check{a})
	elsewhere, request := seen("A", "y:1", probe.Down), seen("A", "x:1", probe.Down)
	request.Origin = probe.OriginRequest
	other, renamed := a, a
	other.Module, renamed.Name = &probe.Module{Name: "n"}, "B"
	none := func() {}
	observe := func(r probe.Result) func() { return func() { c.Observe(t.Context(), r) } }
	apply := func(checks ...probe.Check) func() { return func() { c.Apply(checks) } }
	code := probe.Sample{Desc: codeDesc, Value: 200}
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"nothing yet", none, ""},
		{"up", observe(seen("A", "x:1", probe.Up, code)), `probe_http_status_code{check="A"} 200,probe_success{check="A"} 1`},
		{"aborted", observe(seen("A", "x:1", probe.Aborted)), `probe_http_status_code{check="A"} 200,probe_success{check="A"} 1`},
		{"of a request", observe(request), `probe_http_status_code{check="A"} 200,probe_success{check="A"} 1`},
		{"of a former target", observe(elsewhere), `probe_http_status_code{check="A"} 200,probe_success{check="A"} 1`},
		{"same again", apply(a), `probe_http_status_code{check="A"} 200,probe_success{check="A"} 1`},
		{"inconclusive", observe(seen("A", "x:1", probe.Inconclusive)), `probe_success{check="A"} 0`},
		{"another module", apply(other), ""},
		{"its result", observe(seen("A", "x:1", probe.Up)), `probe_success{check="A"} 1`},
		{"renamed", apply(renamed), ""},
		{"its old name", observe(seen("A", "x:1", probe.Up)), ""},
		{"many targets now", apply(renamed, websites("x:1")), ""},
		{"of the only one of before", observe(seen("Websites", "", probe.Up)), ""},
		{"of many", observe(combined(probe.Up, map[string]probe.Verdict{"x:1": probe.Up}, "x:1")), `probe_success{check="Websites",target="x:1"} 1`},
		{"of many, aborted", observe(combined(probe.Aborted, nil, "x:1")), `probe_success{check="Websites",target="x:1"} 1`},
		{"a target more", apply(websites("y:1", "x:1")), `probe_success{check="Websites",target="x:1"} 1`},
		{"a target less", apply(websites("y:1")), ""},
	} {
		step.do()
		var got []string
		for line := range strings.Lines(measuredOf(t, c).Body.String()) {
			if strings.HasPrefix(line, "probe_success") || strings.HasPrefix(line, "probe_http_status_code") {
				got = append(got, strings.TrimSpace(line))
			}
		}
		if text := strings.Join(got, ","); text != step.want {
			t.Errorf("%s: %s, want %s", step.name, text, step.want)
		}
	}
}

func TestMeasuredTooMuch(t *testing.T) {
	c := NewChecks(nil, nil)
	c.Apply([]probe.Check{plainCheck("A")})
	var samples []probe.Sample
	for n := range 105 {
		samples = append(samples, probe.Sample{Desc: queueDesc, Value: 1, Labels: []string{fmt.Sprint(n)}})
	}
	c.Observe(t.Context(), seen("A", "", probe.Up, samples...))
	text := measuredOf(t, c).Body.String()
	if n := strings.Count(text, "probe_extract_queue{"); n != 100 || !strings.Contains(text, "probe_samples_left_out{check=\"A\"} 5\n") {
		t.Errorf("%d samples, want 100 and 5 left out:\n%s", n, text)
	}
}

// TestMeasuredWhileObserving is for the race detector, and every exposition can be read.
func TestMeasuredWhileObserving(t *testing.T) {
	c := variedChecks(t.Context())
	h := NewMeasuredHandler(c, slog.New(slog.DiscardHandler))
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 50 {
				switch i {
				case 0:
					value := fmt.Sprint(n)
					c.Observe(t.Context(), seen("Queue", "", probe.Up, probe.Sample{Desc: otherDesc, Value: float64(n), Labels: []string{value, value}}))
				case 1:
					c.Apply([]probe.Check{plainCheck("Queue"), websites(fmt.Sprint("host", n%3), "b")})
				case 2:
					c.Observe(t.Context(), combined(probe.Up, nil, fmt.Sprint("host", n%3), "b"))
				default:
					w := httptest.NewRecorder()
					h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics/checks", nil))
					if _, err := promlint.New(w.Body).Lint(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
}
