// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"skywatch/internal/probe"
)

func TestRefusals(t *testing.T) {
	const header = "X-Prometheus-Scrape-Timeout-Seconds"
	for _, test := range []struct {
		name, url, timeout string
		status             int
		want               string
	}{
		{"no target", "/probe", "", 400, "Target parameter is missing\n"},
		{"empty target", "/probe?target=&target=x", "", 400, "Target parameter is missing\n"},
		{"unknown module", "/probe?module=nope", "bad", 400, "Unknown module \"nope\"\n"},
		{"hostile module", "/probe?module=%3Cb%3E%22%0a", "", 400, `Unknown module "<b>\"\n"` + "\n"},
		{"first module counts", "/probe?module=a&module=http_2xx", "", 400, "Unknown module \"a\"\n"},
		{"bad header before target", "/probe", "x", 500, "Failed to parse timeout from Prometheus header: strconv.ParseFloat: parsing \"x\": invalid syntax\n"},
		{"too large header", "/probe?target=x", "1e400", 500, "Failed to parse timeout from Prometheus header: strconv.ParseFloat: parsing \"1e400\": value out of range\n"},
		{"no number", "/probe?target=x", "NaN", 500, "Failed to parse timeout from Prometheus header: strconv.ParseFloat: parsing \"NaN\": not a number\n"},
		{"hostname conflict", "/probe?target=x&module=picky&hostname=theirs", "", 400, "host header defined both in module configuration (mine) and with URL-parameter 'hostname' (theirs)\n"},
		{"parameter not allowed", "/probe?module=varied&target=x&y=1", "", 400, "parameter \"module=varied&target=x&y=1\" is not allowed\n"},
		{"hostname of the variant", "/probe?module=varied&target=x&works=1", "", 400, "query name missing\n"},
		{"hostname missing", "/probe?target=x&module=nameless", "", 400, "query name missing\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := get(t, NewHandler(testOptions()), test.url, header, test.timeout)
			if w.Code != test.status || w.Body.String() != test.want {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, test.status, test.want)
			}
			if got := w.Header().Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("content type %q", got)
			}
			if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("X-Content-Type-Options %q", got)
			}
		})
	}
}

func TestUnknownModuleIsCounted(t *testing.T) {
	o, registry := testOptions(), prometheus.NewPedanticRegistry()
	o.Registerer = registry
	h := NewHandler(o)
	get(t, h, "/probe?module=nope&target=x")
	get(t, h, "/probe?target=x")
	const want = `# HELP blackbox_module_unknown_total Requests for a module that is not configured.
# TYPE blackbox_module_unknown_total counter
blackbox_module_unknown_total 1
# HELP skywatch_module_unknown_total Requests for a module that is not configured.
# TYPE skywatch_module_unknown_total counter
skywatch_module_unknown_total 1
`
	if diff := cmp.Diff(want, gathered(t, registry)); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestRequestBecomesCheck(t *testing.T) {
	for _, test := range []struct{ name, url, module, target, hostname string }{
		{"defaults", "/probe?target=a:1", "http_2xx", "a:1", ""},
		{"hostname", "/probe?target=a:1&module=picky&hostname=mine", "picky", "a:1", "mine"},
		{"hostname where nobody cares", "/probe?target=a:1&module=short&hostname=b", "short", "a:1", "b"},
		{"broken fields are skipped", "/probe?target=%zz&target=a;b&target=a:1", "http_2xx", "a:1", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := testOptions()
			var seen probe.Check
			o.Run = func(ctx context.Context, c probe.Check) (probe.Result, error) { seen = c; return runProbe(ctx, c) }
			if w := get(t, NewHandler(o), test.url); w.Code != http.StatusOK {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			got := []string{seen.Module.Name, seen.Target.Raw(), seen.Target.Hostname}
			if diff := cmp.Diff([]string{test.module, test.target, test.hostname}, got); diff != "" {
				t.Errorf("check (-want +got):\n%s", diff)
			}
			if seen.Origin != probe.OriginRequest || seen.Attempts != 1 || seen.Name != "" {
				t.Errorf("origin %d, attempts %d, name %q, want a request with one attempt", seen.Origin, seen.Attempts, seen.Name)
			}
		})
	}
}

func TestFormBodyIsIgnored(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/probe", strings.NewReader("target=a%3A1"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	NewHandler(testOptions()).ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest {
		t.Errorf("status %d, want 400: only the query counts", w.Code)
	}
}

func TestGoneClientGetsNothing(t *testing.T) {
	o := testOptions()
	observed := false
	o.Observe = func(probe.Result) { observed = true }
	ctx, cancel := context.WithCancel(t.Context())
	o.Module = func(string) (*probe.Module, bool) {
		return &probe.Module{Prober: funcProber(func(ctx context.Context, _ probe.Target, _ *probe.Recorder) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		})}, true
	}
	w := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("panic %v, want http.ErrAbortHandler", p)
		}
		if w.Body.Len() > 0 || observed {
			t.Errorf("wrote %q, observed %v, want neither", w.Body, observed)
		}
	}()
	NewHandler(o).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/probe?target=x", nil))
}

func TestFailureIsAnAnswer(t *testing.T) {
	o := testOptions()
	var observed []probe.Result
	o.Observe = func(r probe.Result) { observed = append(observed, r) }
	w := get(t, NewHandler(o), "/probe?target=x&module=refuse")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "\nprobe_success 0\n") ||
		!strings.Contains(w.Body.String(), "\nprobe_failure_info{reason=\"connect\"} 1\n") {
		t.Errorf("got %d\n%s", w.Code, w.Body)
	}
	if len(observed) != 1 || observed[0].Reason != probe.ReasonConnect {
		t.Errorf("observed %v, want the one result", observed)
	}
}

func TestDebug(t *testing.T) {
	o := testOptions()
	o.Debug.Module = func(m *probe.Module, _ string) ([]byte, error) { return []byte("prober: " + m.Kind + "\n"), nil }
	w := get(t, NewHandler(o), "/probe?target=x&debug=true", "Accept-Encoding", "gzip")
	if got := w.Header().Get("Content-Type"); got != "text/plain" || w.Code != http.StatusOK {
		t.Errorf("got %d %q", w.Code, got)
	}
	rest := w.Body.String()
	for _, part := range []string{
		"Logs for the probe:\n", `level=INFO msg="spoke with the server" module=http_2xx target=x code=200`, "\n\n\nMetrics that would have been returned:\n# HELP probe_duration_seconds",
		"probe_success 1\n", "\n\n\nModule configuration:\nprober: http\n",
	} {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("%q is missing or out of order in\n%s", part, w.Body)
		}
		rest = after
	}
	if w := get(t, NewHandler(o), "/probe?target=x&debug=True"); strings.Contains(w.Body.String(), "Logs") {
		t.Error("debug=True shows the page, want exactly true only")
	}
}

func TestNoTimeLeftIsLogged(t *testing.T) {
	var text strings.Builder
	o := testOptions()
	o.Log = slog.New(slog.NewTextHandler(&text, nil))
	get(t, NewHandler(o), "/probe?target=x", "X-Prometheus-Scrape-Timeout-Seconds", "0.5")
	if !strings.Contains(text.String(), `msg="scrape timeout leaves no time for the probe" module=http_2xx offset=500ms timeout=100ms`) {
		t.Errorf("log: %s", &text)
	}
}
