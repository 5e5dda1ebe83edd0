// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"skywatch/internal/probetest"
)

// TestLoginGuard: 64 checks share a password that Dovecot refuses. Three logins get there, before and after a restart, and once the file has
// the right password all checks are up. Requests are held to a pace, and to the servers that are allowed.
func TestLoginGuard(t *testing.T) {
	p := newPeers(t)
	imaps := probetest.HoldPort()
	p.dovecot(imaps, probetest.HoldPort(), probetest.HoldPort()).start()
	dir := t.TempDir()
	password := filepath.Join(dir, "password")
	writeFile(t, password, wrongPassword+"\n")
	d := newDaemon(t, dir, guardConfig(p, imaps))
	d.start()
	refusals := func() (n int) { // Dovecot notes them in its own time
		eventually(t, "three refusals in the log of Dovecot", func() error {
			log, err := os.ReadFile(filepath.Join(p.dir, "dovecot", "dovecot.log"))
			if n = len(regexp.MustCompile(`auth failed, \d+ attempts`).FindAll(log, -1)); err == nil && n < 3 {
				err = fmt.Errorf("there are %d", n)
			}
			return err
		})
		return n
	}
	three := func(v float64) bool { return v == 3 }
	d.awaitMetric("three refusals", three, "skywatch_login_refusals", `credential="box"`)
	d.awaitRounds("Mail 0", 2)
	d.awaitRounds("Mail 63", 2)
	if n := refusals(); n != 3 {
		t.Errorf("Dovecot refused %d logins, want 3", n)
	}
	d.wantAnswer(http.StatusTooManyRequests, fmt.Sprintf("/probe?module=imap&target=localhost:%d", imaps), "are paused until")
	d.wantAnswer(http.StatusForbidden, "/probe?module=imap&target=localhost:1", `Credential "box" is not allowed for target "localhost:1"`)
	d.wantAnswer(http.StatusForbidden, fmt.Sprintf("/probe?module=imap&target=localhost:%d&hostname=evil.example", imaps), `Credential "box" is not allowed for hostname "evil.example"`)
	d.wantAnswer(http.StatusBadRequest, fmt.Sprintf("/probe?module=imap&target=localhost:%d&credential=x", imaps), `Unknown credential "x"`)

	d.stop(t)
	d.start()
	d.awaitMetric("three refusals after a restart", three, "skywatch_login_refusals", `credential="box"`)
	d.awaitRounds("Mail 0", 2)
	if n := refusals(); n != 3 {
		t.Errorf("Dovecot refused %d logins after a restart, want 3", n)
	}
	writeFile(t, password+".new", "Watch-pw1\n")
	if err := os.Rename(password+".new", password); err != nil { // at once: half a password would be another wrong one
		t.Fatal(err)
	}
	d.awaitMetric("all checks to be up", func(v float64) bool { return v == 64 }, "skywatch_check_up")
	if n := refusals(); n != 3 {
		t.Errorf("Dovecot refused %d logins in the end, want 3", n)
	}
	d.wantAnswer(http.StatusOK, fmt.Sprintf("/probe?module=imap&target=localhost:%d", imaps), "\nprobe_success 1\n")
	d.stop(t)
	d.wantNothingOf(wrongPassword, "Watch-pw1")
}

func guardConfig(p *peers, imaps int) string {
	var config strings.Builder
	fmt.Fprintf(&config, `
modules: {imap: {prober: imap, timeout: 120s, imap: {tls: tls, tls_config: {ca_file: %q}, preferred_ip_protocol: ip4, credential: box}}}
credentials: [{name: box, username: watch@skywatch.test, password_file: password}]
check_defaults: {every: 2s, attempts: 2, timeout: 60s, retry_delay: 100ms}
checks:
`, filepath.Join(p.pki(), "ca.pem"))
	for i := range 64 {
		fmt.Fprintf(&config, "  - {name: Mail %d, module: imap, target: 'localhost:%d'}\n", i, imaps)
	}
	return config.String()
}

// wantAnswer makes a request that is answered with a status and a text.
func (d *daemon) wantAnswer(status int, path, text string) {
	d.t.Helper()
	body, err := d.get(path)
	if err != nil {
		body = err.Error()
	}
	if (err == nil) != (status == http.StatusOK) || err != nil && !strings.Contains(body, fmt.Sprintf("status %d, ", status)) || !strings.Contains(body, text) {
		d.t.Errorf("%s: %s, want %d and %q", path, body, status, text)
	}
}

// wantNothingOf looks for secrets in all that the daemon wrote.
func (d *daemon) wantNothingOf(secrets ...string) {
	d.t.Helper()
	files, err := filepath.Glob(d.file("skywatch.*"))
	if err != nil || len(files) < 3 {
		d.t.Fatalf("files %q, %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil && !strings.HasSuffix(file, ".sock") {
			d.t.Error(err)
		}
		for _, secret := range secrets {
			if strings.Contains(string(data), secret) {
				d.t.Errorf("%s holds a secret", file)
			}
		}
	}
}
