// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The crowd and what it may cost.
const (
	crowdSize      = 200
	crowdResident  = 64 << 10 // KiB
	establishedTCP = "01"     // in /proc/net/tcp
)

// TestCrowdOfLogins has the daemon log in to Dovecot over TLS for many requests at once, which must not take much memory.
func TestCrowdOfLogins(t *testing.T) {
	p := newPeers(t)
	m := p.mailServer()
	d := newDaemon(t, p.dir, fmt.Sprintf(`modules:
  imap: {prober: imap, timeout: 150s, imap: {tls: starttls, tls_config: {ca_file: %[1]q}, credential: box}}
  imaps: {prober: imap, timeout: 150s, imap: {tls: tls, tls_config: {ca_file: %[1]q}, credential: box}}
credentials:
  - {name: box, username: %[2]s, password: %[3]s, allow: ["localhost:*"]}
`, filepath.Join(p.pki(), "ca.pem"), mailUser, mailPassword))
	d.start()
	before := d.resident(t)
	for module, port := range map[string]int{"imap": m.imap, "imaps": m.imaps} {
		m.crowd(t, d, module, port)
	}
	peak := d.resident(t)
	t.Logf("resident at most %d KiB before, %d KiB after %d logins at once", before, peak, crowdSize)
	if peak > crowdResident {
		t.Errorf("resident at most %d KiB, want up to %d KiB", peak, crowdResident)
	}
}

// crowd makes all requests while the server stands still, until all are connected, so that they go on at once.
func (m *mailServer) crowd(t *testing.T, d *daemon, module string, port int) {
	t.Helper()
	syscall.Kill(-m.cmd.Process.Pid, syscall.SIGSTOP)
	t.Cleanup(func() { syscall.Kill(-m.cmd.Process.Pid, syscall.SIGCONT) })
	client := &http.Client{Timeout: patience, Transport: &http.Transport{}}
	var group sync.WaitGroup
	for range crowdSize {
		group.Go(func() {
			resp, err := client.Get("http://" + address(d.port) + "/probe?module=" + module + "&target=" + url.QueryEscape(local(port)))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			var body bytes.Buffer
			body.ReadFrom(resp.Body)
			if !strings.Contains(body.String(), "\nprobe_success 1\n") {
				t.Errorf("%s: status %d, want probe_success 1:\n%s", module, resp.StatusCode, body.String())
			}
		})
	}
	eventually(t, "all requests to be connected", func() error {
		if n := established(t, port); n < crowdSize {
			return fmt.Errorf("%d connections, want %d", n, crowdSize)
		}
		return nil
	})
	syscall.Kill(-m.cmd.Process.Pid, syscall.SIGCONT)
	group.Wait()
}

// established counts the connections to a port of loopback, seen from the clients.
func established(t *testing.T, port int) (n int) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[2], fmt.Sprintf(":%04X", port)) && f[3] == establishedTCP {
			n++
		}
	}
	return n
}

// resident gives the most memory that the daemon ever had in RAM, in KiB.
func (d *daemon) resident(t *testing.T) (kib int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(status), "\nVmHWM:")
	if _, err := fmt.Sscan(text, &kib); err != nil {
		t.Fatalf("reading VmHWM: %v", err)
	}
	return kib
}
