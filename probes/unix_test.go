// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nounix

package probes

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

var _ = enroll("unix", subject{
	section: `{query_response: [{expect: "^220 (.*)", labels: [{name: greeting, value: "$1"}]}, {send: "QUIT\r"}, {expect: "^221"}]}`,
	serve:   probetest.ServeUnix,
	refuse:  func(t testing.TB) string { return filepath.Join(t.TempDir(), "nothing") },
	healthy: func(t testing.TB) string {
		return probetest.ServeUnix(t, probetest.Send("220 ready\r\n"), probetest.Line("QUIT\r\n"), probetest.Send("221 bye\r\n")).Addr
	},
	presence: map[situation]string{
		healthy: "probe_failed_due_to_regex probe_failed_due_to_bytes probe_expect_info",
		refused: "",
		silent:  "probe_failed_due_to_regex probe_failed_due_to_bytes",
		early:   "probe_failed_due_to_regex probe_failed_due_to_bytes",
	},
	echo: func(text string) []probetest.Step { return []probetest.Step{probetest.Send("220 " + text + "\r\n")} },
})

func TestUnixDialogue(t *testing.T) {
	ca := probetest.NewCA(t)
	secure := fmt.Sprintf("tls_config: {ca_file: %s, server_name: localhost}", ca.File())
	handshake := probetest.TLS(probetest.Config(ca.Good()))
	for name, c := range map[string]struct {
		section string
		script  []probetest.Step
		err     string // "" = success; PATH stands for the target
		names   string // metrics that must be there
	}{
		"connection is enough": {section: "{}", names: "probe_failed_due_to_bytes probe_failed_due_to_regex"},
		"TLS from the start": {
			section: "{tls: true, " + secure + ", query_response: [{expect: hello}]}",
			script:  []probetest.Step{handshake, probetest.Send("hello\n")},
			names: "probe_failed_due_to_bytes probe_failed_due_to_regex probe_ssl_earliest_cert_expiry probe_ssl_last_chain_expiry_timestamp_seconds " +
				"probe_ssl_last_chain_info probe_tls_version_info",
		},
		"TLS by starttls": {
			section: "{" + secure + ", query_response: [{send: STARTTLS}, {expect: go, starttls: true}, {send: hi}, {expect: hello}]}",
			script:  []probetest.Step{probetest.Line("STARTTLS\n"), probetest.Send("go\n"), handshake, probetest.Line("hi\n"), probetest.Send("hello\n")},
			names: "probe_failed_due_to_bytes probe_failed_due_to_regex probe_ssl_earliest_cert_expiry probe_ssl_last_chain_expiry_timestamp_seconds " +
				"probe_ssl_last_chain_info probe_tls_version_info",
		},
		"TLS without a name": {
			section: "{tls: true}",
			err:     `config: TLS handshake with "PATH": no name to verify, want tls_config with server_name or insecure_skip_verify`,
		},
		"TLS with a missing file": {
			section: "{tls: true, tls_config: {server_name: localhost, ca_file: /nonexistent/ca.pem}}",
			err:     `config: opening "/nonexistent/ca.pem": no such file or directory, want a readable file`,
		},
		"wrong bytes": {
			section: "{query_response: [{expect_bytes: abc}]}", script: []probetest.Step{probetest.Send("abd")},
			err:   `response: step 1: reading from "PATH": found "abd", want the bytes "abc"`,
			names: "probe_failed_due_to_bytes probe_failed_due_to_regex",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := probetest.ServeUnix(t, c.script...)
			res := runProbe(t, t.Context(), testModule(t, Options{}, "unix", c.section), server.Addr, long)
			if got, want := outcome(res), strings.ReplaceAll(c.err, "PATH", server.Addr); got != want {
				t.Errorf("outcome %q, want %q", got, want)
			}
			if got := strings.Join(probetest.Names(res.Samples), " "); got != c.names {
				t.Errorf("metrics %s, want %s", got, c.names)
			}
		})
	}
}

// TestUnixUnverifiedChain shows the switch: what ends a chain that nobody verified is not known, or in the year 1.
func TestUnixUnverifiedChain(t *testing.T) {
	server := probetest.ServeUnix(t, probetest.TLS(probetest.Config(probetest.SelfSigned(t))))
	for compat, want := range map[Compat]bool{Fixed: false, Exact: true} {
		m := testModule(t, Options{Compat: compat}, "unix", "{tls: true, tls_config: {insecure_skip_verify: true}}")
		res := runProbe(t, t.Context(), m, server.Addr, long)
		end, ok := probetest.Value(res.Samples, "probe_ssl_last_chain_expiry_timestamp_seconds")
		if !res.Success() || ok != want || ok && end != -62135596800 {
			t.Errorf("exact %v: %s, %v %v, want success and presence %v", compat, outcome(res), end, ok, want)
		}
	}
}

func TestUnixPathsThatCannotBeUsed(t *testing.T) {
	m := testModule(t, Options{}, "unix", "{}")
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{
		filepath.Join(dir, "none"):               `connect: connecting to "` + dir + `/none": connect: no such file or directory, want a connection`,
		file:                                     `connect: connecting to "` + file + `": connect: connection refused, want a connection`,
		"/" + strings.Repeat("x", 200) + "/sock": `connect: connecting to "/` + strings.Repeat("x", 200) + `/sock": connect: invalid argument, want a connection`,
	} {
		if got := outcome(runProbe(t, t.Context(), m, target, long)); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

func TestUnixPermission(t *testing.T) {
	denied := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)}
	if !errors.Is(denied, fs.ErrPermission) {
		t.Fatal("a refused connect is not fs.ErrPermission")
	}
	err := unixError(t.Context(), probe.NewTarget("/run/x"), denied)
	want := `connecting to "/run/x": connect: permission denied, want write permission on the socket and search permission on its directories`
	if err.Error() != want || probe.ReasonOf(err) != probe.ReasonConfig {
		t.Errorf("%s: %v, want config: %s", probe.ReasonOf(err), err, want)
	}
}

func TestUnixRefusesAtLoad(t *testing.T) {
	for section, want := range map[string]string{
		"{preferred_ip_protocol: ip4}":                          `module "m": unix: line 1: unknown field "preferred_ip_protocol"`,
		"{tls: true, query_response: [{starttls: true}]}":       `module "m": line 1: unix: query_response: entry 1: starttls on a connection that has TLS already, want it once and without tls`,
		`{query_response: [{expect: "", expect_bytes: x}]}`:     `module "m": line 1: unix: query_response: entry 1: both expect and expect_bytes given, want at most one`,
		"{tls_config: {min_version: TLS9}}":                     `module "m": line 1: unix: tls_config: min_version: unknown TLS version "TLS9", want TLS10, TLS11, TLS12 or TLS13`,
		`{query_response: [{expect: x, labels: [{name: ""}]}]}`: `module "m": line 1: unix: query_response: entry 1: labels: found the name "", want UTF-8 text that does not begin with __`,
	} {
		wantLoadError(t, Options{}, "unix", section, want)
	}
}
