// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"testing"
)

// TestPromtool holds what skywatch exports to the rules of Prometheus' own linter.
func TestPromtool(t *testing.T) {
	s, p := newSink(t), newPatient(t)
	d := newDaemon(t, t.TempDir(), p.config(3, s, "{path: skywatch.db}"))
	d.start()
	d.awaitSum("every check to be up", 3, "skywatch_check_up")
	probe := "/probe?module=site&target=" + url.QueryEscape(p.URL)
	expectLint(t, d, "/metrics")
	expectLint(t, d, probe)
	expectMeasured(t, d, 200)
	p.ill.Store(true)
	d.awaitSum("every check to be down", 0, "skywatch_check_up")
	d.awaitEmptyOutbox()
	expectLint(t, d, "/metrics")
	expectLint(t, d, probe)
	expectMeasured(t, d, 503)
}

// expectMeasured wants the status that the three checks saw last, with all else that /probe would have said.
func expectMeasured(t *testing.T, d *daemon, status int) {
	t.Helper()
	eventually(t, fmt.Sprintf("the samples of status %d", status), func() error {
		text, err := d.get("/metrics/checks")
		if err != nil {
			return err
		}
		for i := range 3 {
			label := fmt.Sprintf("{check=\"Check%d\"", i)
			for _, want := range []string{
				fmt.Sprintf("\nprobe_http_status_code%s} %d\n", label, status), "probe_http_duration_seconds" + label + ",phase=\"processing\"} ",
				"probe_duration_seconds" + label + "} 0.", "probe_timeout_seconds" + label + "} 0.9\n",
			} {
				if !strings.Contains(text, want) {
					return fmt.Errorf("%q is missing in\n%s", want, text)
				}
			}
		}
		return nil
	})
	expectLint(t, d, "/metrics/checks")
}

func expectLint(t *testing.T, d *daemon, path string) {
	t.Helper()
	text, err := d.get(path)
	if err != nil {
		t.Fatal(err)
	}
	expectClean(t, path, text)
}

// expectClean holds an exposition to the linter.
func expectClean(t *testing.T, what, text string) {
	t.Helper()
	lint := exec.Command("promtool", "check", "metrics")
	lint.Stdin = strings.NewReader(text)
	if out, err := lint.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics of %s: %v\n%s\nin:\n%s", what, err, out, text)
	}
}
