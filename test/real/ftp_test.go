// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skywatch/internal/probetest"
)

// vsftpd gives a file server with its ports for data connections.
func (p *peers) vsftpd(port int, ready func() error) *server {
	from := probetest.HoldPorts(10)
	return p.server("vsftpd", ready, port, from, from+9)
}

// uploads lists what is in the directory for uploads.
func (s *server) uploads() []string {
	s.peers.t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.peers.dir, "vsftpd", "home", "upload"))
	if err != nil {
		s.peers.t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// TestFTP takes the ftp prober through what every one that logs in must pass, at a real vsftpd with explicit TLS.
func TestFTP(t *testing.T) {
	p := newPeers(t)
	port := probetest.HoldPort()
	server := p.vsftpd(port, greets(port, "220"))
	server.start()
	matrix{
		prober: "ftp", server: server, secure: "tls: starttls, upload: upload", clear: "tls: none, upload: upload", securePort: port, clearPort: port,
		username: "watch", password: "Watch-pw1", greeted: afterReply("220 "), loggedIn: afterReply("230 "),
	}.run(t)
	if left := server.uploads(); len(left) > 0 {
		t.Errorf("files %q are left, want none", left)
	}
	server.stop()
}

// TestFTPWork is about directories, files and accounts of a real vsftpd.
func TestFTPWork(t *testing.T) {
	p := newPeers(t)
	port := probetest.HoldPort()
	server := p.vsftpd(port, greets(port, "220"))
	server.start()
	trust := fmt.Sprintf("tls_config: {ca_file: %q}", filepath.Join(p.pki(), "ca.pem"))
	modules := ""
	module := func(name, section string) {
		modules += fmt.Sprintf("  %s: {prober: ftp, timeout: 60s, ftp: {%s}}\n", name, section)
	}
	watch := "username: watch, password: Watch-pw1, "
	module("epsv", watch+"passive: epsv, upload: upload, "+trust)
	module("pasv", watch+"passive: pasv, upload: upload, "+trust)
	module("pasv_clear", watch+"passive: pasv, upload: upload, tls: none")
	module("directory", watch+"directory: upload, upload: ., tls: none")
	module("no_directory", watch+"directory: nothing, tls: none")
	module("forbidden", watch+"upload: ., tls: none")
	module("anonymous", "username: anonymous, tls: none")
	module("anonymous_tls", "username: anonymous, "+trust)
	module("nobody", "tls: none")
	module("unknown", "username: stranger, password: Watch-pw1, tls: none")
	module("implicit", watch+"tls: tls, "+trust)
	c := newCommand(t, p.dir, modules, "watch", "Watch-pw1")
	for module, reason := range map[string]string{
		"epsv": "", "pasv": "", "pasv_clear": "", "directory": "", "no_directory": "response", "forbidden": "response", "anonymous_tls": "", "nobody": "",
		"unknown": "auth", "implicit": "protocol",
	} {
		c.want(module, local(port), reason)
	}
	if o := c.want("anonymous", local(port), ""); o.Metrics["probe_ftp_list_entries"] != 1 {
		t.Errorf("metrics %v, want one entry", o.Metrics)
	}
	if o := c.want("forbidden", local(port), "response"); !strings.Contains(o.Error, `"553 Could not create file."`) {
		t.Errorf("%s, want the server's words", o.Error)
	}
	if left := server.uploads(); len(left) > 0 {
		t.Errorf("files %q are left, want none", left)
	}
}

// TestFTPForms are other set-ups of a real vsftpd: TLS from the first byte, no login without TLS, data connections that must go on with
// the TLS session of the control connection.
func TestFTPForms(t *testing.T) {
	for setting, test := range map[string]struct {
		section string
		ready   func(port int) error
		clear   string // reason without TLS
		within  string // timeout without TLS
	}{
		"FTP_IMPLICIT":  {"tls: tls", greetsOverTLS, "timeout", "6s"}, // the server waits for TLS, the probe for a greeting
		"FTP_FORCE_TLS": {"tls: starttls", func(port int) error { return greets(port, "220")() }, "auth", "60s"},
		"FTP_REUSE":     {"tls: starttls", func(port int) error { return greets(port, "220")() }, "", "60s"},
	} {
		t.Run(setting, func(t *testing.T) {
			t.Setenv(setting, "YES")
			p := newPeers(t)
			port := probetest.HoldPort()
			p.vsftpd(port, func() error { return test.ready(port) }).start()
			trust := fmt.Sprintf("tls_config: {ca_file: %q", filepath.Join(p.pki(), "ca.pem"))
			c := newCommand(t, p.dir, fmt.Sprintf(`
  good: {prober: ftp, timeout: 60s, ftp: {credential: good, upload: upload, %[1]s, %[2]s}}}
  old: {prober: ftp, timeout: 60s, ftp: {credential: good, upload: upload, %[1]s, %[2]s, max_version: TLS12}}}
  bad: {prober: ftp, timeout: 60s, ftp: {credential: bad, %[1]s, %[2]s}}}
  strange: {prober: ftp, timeout: 60s, ftp: {credential: good, %[1]s}}
  clear: {prober: ftp, timeout: %[3]s, ftp: {credential: good, tls: none}}
`, test.section, trust, test.within), "watch", "Watch-pw1")
			for module, reason := range map[string]string{"good": "", "old": "", "bad": "auth", "strange": "tls", "clear": test.clear} {
				o := c.want(module, local(port), reason)
				if reason == "" && module != "clear" && !strings.Contains(o.Trace, "resumed=true") {
					t.Errorf("%s: no data connection went on with the session of the control connection:\n%s", module, o.Trace)
				}
			}
		})
	}
}

// greetsOverTLS tells whether the first line after a TLS handshake is a greeting. Who it is does not matter here.
func greetsOverTLS(port int) error {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", address(port), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	start := make([]byte, 3)
	if _, err := conn.Read(start); err != nil || string(start) != "220" {
		return fmt.Errorf("greeting %q (%v), want 220", start, err)
	}
	return nil
}
