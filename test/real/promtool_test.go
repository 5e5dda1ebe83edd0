// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"skywatch/internal/probetest"
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
				"probe_duration_seconds" + label + "} 0.", "probe_timeout_seconds" + label + "} 60\n",
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

// placeholder stands for a value that differs each time.
var placeholder = regexp.MustCompile(`(?m) [A-Z]+$`)

// TestPromtoolGolden is about what each prober has of a server that satisfies it.
func TestPromtoolGolden(t *testing.T) {
	files, err := filepath.Glob("../../probes/testdata/golden/*.prom")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %q (%v), want the expositions of all probers", files, err)
	}
	for _, file := range files {
		expectClean(t, file, placeholder.ReplaceAllString(readText(t, file), " 1"))
	}
}

const promtoolLogins = `
modules:
  smtp: {prober: smtp, timeout: 60s, smtp: {credential: mail, send: rcpt, from: watch@skywatch.test, to: [watch@skywatch.test], MAILCA}}
  imap: {prober: imap, timeout: 60s, imap: {credential: mail, search: ALL, MAILCA}}
  pop3: {prober: pop3, timeout: 60s, pop3: {credential: mail, MAILCA}}
  loop: {prober: mailloop, timeout: 60s, mailloop: {credential: mail, from: watch@skywatch.test, to: watch@skywatch.test, poll: 50ms, MAILCA, mailbox: {server: "BOX", MAILCA}}}
  ftp: {prober: ftp, timeout: 60s, ftp: {credential: files, upload: upload, FILESCA}}
  mysql: {prober: mysql, timeout: 60s, mysql: {credential: files, database: app, FILESCA}}
  refused: {prober: imap, timeout: 60s, imap: {credential: wrong, MAILCA}}
credentials:
  - {name: mail, username: watch@skywatch.test, password: Watch-pw1, allow: ['localhost:*']}
  - {name: files, username: watch, password: Watch-pw1, allow: ['localhost:*']}
  - {name: wrong, username: watch@skywatch.test, password: wrong, allow: ['localhost:*']}
login_guard: {auth_failures_max: 1}
check_defaults: {every: 1s, attempts: 1}
checks:
  - {name: Refused, module: refused, target: "BOX"}
  - {name: Boxes, module: imap, targets: [{target: "BOX"}, {target: "localhost:1"}, {target: "localhost:2", with: {folder: Nowhere}}]}
`

// TestPromtoolLogins is about the probers that log in, at real servers and where there is none, and about what /metrics has of their logins.
func TestPromtoolLogins(t *testing.T) {
	m, p := startMail(t), newPeers(t)
	files, database := probetest.HoldPort(), probetest.HoldPort()
	p.vsftpd(files, greets(files, "220")).start()
	p.mariadb(database).start()
	d := newDaemon(t, t.TempDir(), strings.NewReplacer("MAILCA", m.trust(), "FILESCA", fmt.Sprintf("tls_config: {ca_file: %q}", filepath.Join(p.pki(), "ca.pem")),
		"BOX", local(m.imap)).Replace(promtoolLogins))
	d.start()
	for module, port := range map[string]int{"smtp": m.submission, "imap": m.imap, "pop3": m.pop3, "loop": m.submission, "ftp": files, "mysql": database} {
		path := "/probe?module=" + module + "&target=" + local(port)
		d.wantAnswer(http.StatusOK, path, "\nprobe_success 1\n")
		expectLint(t, d, path)
		expectLint(t, d, "/probe?module="+module+"&target=localhost:1")
	}
	d.awaitMetric("a refusal", func(v float64) bool { return v == 1 }, "skywatch_login_refusals", `credential="wrong"`)
	d.awaitMetric("three targets", func(v float64) bool { return v == 1 }, "skywatch_check_target_up")
	expectLint(t, d, "/metrics")
	d.stop(t)
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
