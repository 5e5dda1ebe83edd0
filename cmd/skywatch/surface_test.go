// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"compress/gzip"
	"io"
	"os"
	"strings"
	"testing"

	"skywatch/internal/probe"
)

// TestContentNegotiation has vectors 43 and 44, for /probe, for our own metrics and for those of checks.
func TestContentNegotiation(t *testing.T) {
	d, web := newTestDaemon(t, requestModules), site(t)
	d.checks.Observe(t.Context(), probe.Result{Check: "Idle", Target: "127.0.0.1:1", Verdict: probe.Up, Origin: probe.OriginSchedule})
	for path, has := range map[string]string{
		"/probe?target=" + web: "\nprobe_success 1\n", "/metrics": "\nskywatch_probe_stray 0\n", "/metrics/checks": "\nprobe_success{check=\"Idle\"} 1\n",
	} {
		w := d.get(path, "Accept", "application/openmetrics-text; version=1.0.0")
		if got := w.Header().Get("Content-Type"); got != "text/plain; version=0.0.4; charset=utf-8; escaping=underscores" || !strings.Contains(w.Body.String(), has) {
			t.Errorf("%s: content type %q\n%s", path, got, w.Body)
		}
		w = d.get(path, "Accept-Encoding", "zstd, gzip")
		if got := w.Header().Get("Content-Encoding"); got != "gzip" {
			t.Errorf("%s: content encoding %q, want gzip", path, got)
			continue
		}
		unpacked, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(unpacked); err != nil || !strings.Contains(string(text), has) {
			t.Errorf("%s: %v\n%s", path, err, text)
		}
		if w := d.get(path, "Accept-Encoding", "zstd"); w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: content encoding %v, want none", path, w.Header())
		}
	}
}

// TestReloadByRequest is vector 45.
func TestReloadByRequest(t *testing.T) {
	d := newTestDaemon(t, requestModules)
	d.remembering(t)
	const gauge = "blackbox_exporter_config_last_reload_successful"
	path := d.live.Current().Path
	for _, step := range []struct {
		name, text string
		status     int
		body       string
		gauge      string
	}{
		{"same", requestModules, 200, "", "1"},
		{"broken", "modules: {web: {prober: htpp}}\n", 500, "failed to reload config: reading configuration \"" + path + "\": module \"web\": line 1: prober \"htpp\" is not valid", "0"},
		{"still broken", "modules: {web: {prober: htpp}}\n", 500, "failed to reload config: ", "0"},
		{"fixed", requestModules, 200, "", "1"},
		{"changed", "modules: {web: {prober: http}}\n", 200, "", "1"},
		{"empty", "", 500, "failed to reload config: reading configuration \"" + path + "\": empty", "0"},
	} {
		if err := os.WriteFile(path, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		w := d.ask("POST", "/-/reload", nil)
		if w.Code != step.status || !strings.HasPrefix(w.Body.String(), step.body) || step.body == "" && w.Body.Len() > 0 {
			t.Errorf("%s: %d %q, want %d %q", step.name, w.Code, w.Body, step.status, step.body)
		}
		for _, name := range []string{gauge, strings.Replace(gauge, "blackbox_exporter", "skywatch", 1)} {
			if got := d.metric(name); got != step.gauge {
				t.Errorf("%s: %s is %q, want %s", step.name, name, got, step.gauge)
			}
		}
	}
	if w := d.ask("PUT", "/-/reload", nil); w.Code != 405 || w.Body.String() != "This endpoint requires a POST request.\n" {
		t.Errorf("PUT: %d %q", w.Code, w.Body)
	}
	if w := d.get("/probe?module=web&target=127.0.0.1:1"); w.Code != 200 {
		t.Errorf("probing with the new module: %d %s", w.Code, w.Body)
	}
}

func TestOwnMetrics(t *testing.T) {
	d := newTestDaemon(t, requestModules)
	d.get("/probe?module=nope")
	d.get("/metrics")
	for series, want := range map[string]string{
		"blackbox_module_unknown_total":                      "1",
		"skywatch_module_unknown_total":                      "1",
		"blackbox_exporter_config_last_reload_successful":    "1",
		`promhttp_metric_handler_requests_total{code="500"}`: "0",
		`promhttp_metric_handler_requests_total{code="503"}`: "0",
		"promhttp_metric_handler_requests_in_flight":         "1",
		"skywatch_probe_stray":                               "0",
	} {
		if got := d.metric(series); got != want {
			t.Errorf("%s is %q, want %s", series, got, want)
		}
	}
	if got := d.metric(`promhttp_metric_handler_requests_total{code="200"}`); got != "8" {
		t.Errorf("%s scrapes counted, want the 8 before this one", got)
	}
	text := d.get("/metrics").Body.String()
	for _, want := range []string{
		"\nblackbox_exporter_build_info{branch=", "\nskywatch_build_info{branch=", "\nblackbox_exporter_config_last_reload_success_timestamp_seconds 1.", "\ngo_goroutines ", "\nprocess_open_fds ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(text, "net_conntrack") {
		t.Error("net_conntrack_* is there")
	}
}

// TestLogProber: what probes log, on the debug page and on stderr.
func TestLogProber(t *testing.T) {
	const failed, redirected, detail = `level=ERROR msg=failed`, `level=INFO`, `level=DEBUG`
	for _, test := range []struct {
		args          []string
		page, without []string
		stderr        string // of the failure; "" = nothing
	}{
		{nil, []string{failed, "more of a lower level"}, []string{detail}, ""},
		{[]string{"--compat=exact"}, []string{failed}, []string{detail, "lower level"}, `level=ERROR source=runner.go:`},
		{[]string{"--log.prober=error"}, []string{failed}, []string{detail, redirected}, `level=ERROR source=runner.go:`},
		{[]string{"--log.prober=DEBUG"}, []string{detail, failed}, []string{"lower level"}, `level=DEBUG`},
		{[]string{"--log.prober=off"}, nil, []string{failed, detail}, ""},
		{[]string{"--log.prober=debug", "--log.format=json"}, []string{`"level":"ERROR","module":"tcp","msg":"failed"`, `"target":"127.0.0.1:1"`}, nil, `"msg":"probe failed"`},
		{[]string{"--log.prober=loud"}, []string{failed}, []string{detail}, `msg="level of --log.prober is not known, taking info" level=loud want="debug, info, warn, error, off"`},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			d := newTestDaemon(t, requestModules, test.args...)
			page, _, _ := strings.Cut(d.get("/probe?module=tcp&target=127.0.0.1:1&debug=true").Body.String(), "Metrics that")
			for _, want := range test.page {
				if !strings.Contains(page, want) {
					t.Errorf("the page lacks %q:\n%s", want, page)
				}
			}
			for _, never := range test.without {
				if strings.Contains(page, never) {
					t.Errorf("the page has %q:\n%s", never, page)
				}
			}
			if log := d.stderr.String(); !strings.Contains(log, test.stderr) || test.stderr == "" && log != "" {
				t.Errorf("stderr has %q, want %q", log, test.stderr)
			}
		})
	}
}

// TestDebugLinesNameModuleAndTarget, all of them, and no secret.
func TestDebugLinesNameModuleAndTarget(t *testing.T) {
	d := newTestDaemon(t, requestModules, "--log.prober=debug")
	for _, url := range []string{"/probe?module=tcp&target=127.0.0.1:1&debug=true", "/probe?target=http://me:hunter22@127.0.0.1:1/&debug=true"} {
		page := d.get(url).Body.String()
		log, _, _ := strings.Cut(page, "\n\n\nMetrics that would")
		lines := strings.Split(strings.TrimPrefix(log, "Logs for the probe:\n"), "\n")
		for _, line := range lines[:len(lines)-1] {
			if !strings.HasPrefix(line, "time=") || !strings.Contains(line, " module=") || !strings.Contains(line, " target=") {
				t.Errorf("line %q, want time, module and target", line)
			}
		}
		if strings.Contains(page+d.stderr.String()+d.get("/").Body.String()+d.get("/logs?id=1").Body.String(), "hunter22") {
			t.Error("the password of the target is shown")
		}
	}
}

// TestLogsKeepTheModuleOfTheTime when the configuration has changed since.
func TestLogsKeepTheModuleOfTheTime(t *testing.T) {
	d, web := newTestDaemon(t, requestModules), site(t)
	d.remembering(t)
	d.get("/probe?module=hosted&target=" + web)
	if err := os.WriteFile(d.live.Current().Path, []byte("modules: {hosted: {prober: tcp}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.reload(); err != nil {
		t.Fatal(err)
	}
	if text := d.get("/logs?module=hosted&target=" + web).Body.String(); !strings.Contains(text, "\n\n\nModule configuration:\nprober: http\ntimeout: 1m0s\nhttp:\n") {
		t.Errorf("logs show another module:\n%s", text)
	}
}

func TestHistoryLimit(t *testing.T) {
	for limit, want := range map[string]string{"0": "", "1": "2 0", "2": "2 1 0", "18446744073709551615": "2 1 0"} {
		d, web := newTestDaemon(t, requestModules, "--history.limit="+limit), site(t)
		d.get("/probe?module=tcp&target=127.0.0.1:1")
		d.get("/probe?target=" + web)
		d.get("/probe?target=" + web)
		var ids []string
		for id := range d.recent.All() {
			ids = append(ids, string(rune('0'+id)))
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("limit %s: kept %q, want %q", limit, got, want)
		}
	}
}
