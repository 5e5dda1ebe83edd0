// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nossh

package probes

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// TestSSHHostKeys: each way to trust a key, and to refuse it. A server whose key is refused never sees a password.
func TestSSHHostKeys(t *testing.T) {
	first, _ := sshKey(t, 1)
	third, _ := sshKey(t, 3)
	ecdsa := sshECDSAKey(t)
	pin := func(s ssh.Signer) string { return ssh.FingerprintSHA256(s.PublicKey()) }
	line := func(address string, s ssh.Signer) string { return knownhosts.Line([]string{address}, s.PublicKey()) }
	for name, test := range map[string]struct {
		keys   []ssh.Signer // of the server
		file   string       // known_hosts, ADDR being the server
		pins   string
		why    string // label of probe_ssh_host_key_verified
		reason probe.Reason
		text   string
	}{
		"pin":              {[]ssh.Signer{first}, "", pin(first), "", probe.ReasonNone, ""},
		"one of two":       {[]ssh.Signer{first}, "", "[" + pin(third) + ", " + pin(first) + "]", "", probe.ReasonNone, ""},
		"any":              {[]ssh.Signer{third}, "", "any", "skipped", probe.ReasonNone, ""},
		"changed pin":      {[]ssh.Signer{third}, "", pin(first), "changed", probe.ReasonTLS, `checking the host key of "ADDR": the key has changed, found ssh-ed25519 ` + pin(third) + ", want " + pin(first)},
		"known":            {[]ssh.Signer{first}, line("ADDR", first), "", "", probe.ReasonNone, ""},
		"known hashed":     {[]ssh.Signer{first}, "HASHED " + strings.SplitN(line("ADDR", first), " ", 2)[1], "", "", probe.ReasonNone, ""},
		"known by second":  {[]ssh.Signer{first, ecdsa}, line("ADDR", ecdsa), "", "", probe.ReasonNone, ""},
		"unknown":          {[]ssh.Signer{first}, line("other.example:22", first), "", "unknown", probe.ReasonTLS, `checking the host key of "ADDR": unknown key ssh-ed25519 ` + pin(first) + `, want it in "FILE" for [127.0.0.1]:PORT`},
		"empty file":       {[]ssh.Signer{first}, "# nobody yet", "", "unknown", probe.ReasonTLS, "unknown key"},
		"changed":          {[]ssh.Signer{third}, line("ADDR", first), "", "changed", probe.ReasonTLS, `the key has changed, found ssh-ed25519 ` + pin(third) + ", want ssh-ed25519 " + pin(first) + ` as in "FILE"`},
		"other type":       {[]ssh.Signer{first}, line("ADDR", ecdsa), "", "changed", probe.ReasonTLS, `the key has changed, found ssh-ed25519 ` + pin(first) + ", want ecdsa-sha2-nistp256 " + pin(ecdsa)},
		"revoked":          {[]ssh.Signer{first}, line("ADDR", first) + "\n@revoked * " + strings.SplitN(line("ADDR", first), " ", 2)[1], "", "revoked", probe.ReasonTLS, `is revoked by line 2 of "FILE", want another key`},
		"good certificate": {[]ssh.Signer{sshCertificate(t, first, third, "127.0.0.1")}, "@cert-authority ADDRLINE " + strings.SplitN(line("ADDR", third), " ", 2)[1], "", "", probe.ReasonNone, ""},
		"revoked authority": {[]ssh.Signer{sshCertificate(t, first, third, "127.0.0.1")}, "@cert-authority ADDRLINE " + strings.SplitN(line("ADDR", third), " ", 2)[1] +
			"\n@revoked * " + strings.SplitN(line("ADDR", third), " ", 2)[1], "", "revoked", probe.ReasonTLS, `certificate serial 0 revoked, want one that "FILE" vouches for`},
		"revoked key of a certificate": {[]ssh.Signer{sshCertificate(t, first, third, "127.0.0.1")}, "@cert-authority ADDRLINE " + strings.SplitN(line("ADDR", third), " ", 2)[1] +
			"\n@revoked * " + strings.SplitN(line("ADDR", first), " ", 2)[1], "", "revoked", probe.ReasonTLS, `certificate serial 0 revoked, want one that "FILE" vouches for`},
		"wrong host": {[]ssh.Signer{sshCertificate(t, first, third, "b.example")}, "@cert-authority ADDRLINE " + strings.SplitN(line("ADDR", third), " ", 2)[1], "", "invalid", probe.ReasonTLS, `"b.example"`},
	} {
		server := newSSHServer(t, nil, test.keys...)
		_, port, _ := net.SplitHostPort(server.addr)
		file := filepath.Join(t.TempDir(), "known_hosts")
		replace := strings.NewReplacer("ADDRLINE", knownhosts.Normalize(server.addr), "HASHED", knownhosts.HashHostname(knownhosts.Normalize(server.addr)),
			"ADDR", server.addr, "FILE", file, "PORT", port)
		trust := "host_key: " + test.pins
		if test.file != "" {
			trust = "known_hosts: " + file
			text := strings.ReplaceAll(replace.Replace(test.file), server.addr+" ", knownhosts.Normalize(server.addr)+" ")
			if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		res := runProbe(t, t.Context(), sshModule(t, trust+", username: watch, password: Watch-pw1"), server.addr, long)
		wantSSH(t, name, res, test.reason, replace.Replace(test.text))
		want := map[bool]float64{true: 1}[test.why == ""]
		if got, ok := probetest.Value(res.Samples, "probe_ssh_host_key_verified", test.why); !ok || got != want {
			t.Errorf("%s: no probe_ssh_host_key_verified{reason=%q} %v in\n%s", name, test.why, want, probetest.Exposition(res.Samples))
		}
		if !strings.Contains(probetest.Exposition(res.Samples), "probe_ssh_host_key_info{") {
			t.Errorf("%s: the key is not shown", name)
		}
		if seen := server.seen(); (len(seen) > 0) != (test.reason == probe.ReasonNone) {
			t.Errorf("%s: the server saw the passwords %q", name, seen)
		}
	}
}

// sshCertificate is a host key with a certificate of an authority.
func sshCertificate(t *testing.T, key, authority ssh.Signer, host string) ssh.Signer {
	t.Helper()
	certificate := &ssh.Certificate{Key: key.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{host}, ValidBefore: ssh.CertTimeInfinity}
	if err := certificate.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewCertSigner(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// TestSSHKnownHostsFile: a file is read when it changed, and one that cannot be used is our fault.
func TestSSHKnownHostsFile(t *testing.T) {
	server := newSSHServer(t, nil)
	file := filepath.Join(t.TempDir(), "known_hosts")
	first, _ := sshKey(t, 1)
	m := sshModule(t, "known_hosts: "+file)
	for i, step := range []struct {
		text   string
		reason probe.Reason
		want   string
	}{
		{"", probe.ReasonConfig, "want a readable file"},
		{"nonsense\n", probe.ReasonConfig, `reading known_hosts "` + file + `": `},
		{knownhosts.Line([]string{server.addr}, first.PublicKey()) + "\n", probe.ReasonNone, ""},
		{knownhosts.Line([]string{server.addr}, first.PublicKey()) + "\n", probe.ReasonNone, ""},
		{"# emptied\n", probe.ReasonTLS, "unknown key"},
	} {
		if step.text != "" {
			if err := os.WriteFile(file, []byte(step.text), 0o600); err != nil {
				t.Fatal(err)
			}
			when := time.Unix(int64(1_700_000_000+i), 0)
			if err := os.Chtimes(file, when, when); err != nil {
				t.Fatal(err)
			}
		}
		wantSSH(t, fmt.Sprint("step ", i), runProbe(t, t.Context(), m, server.addr, long), step.reason, step.want)
	}
}

// TestSSHHostKeyAlgorithms: the order decides which of its keys a server shows.
func TestSSHHostKeyAlgorithms(t *testing.T) {
	first, _ := sshKey(t, 1)
	server := newSSHServer(t, nil, sshECDSAKey(t), first)
	for keys, want := range map[string]string{
		"host_key: any": "ssh-ed25519",
		"host_key: any, host_key_algorithms: [ecdsa-sha2-nistp256, ssh-ed25519]": "ecdsa-sha2-nistp256",
	} {
		res := runProbe(t, t.Context(), sshModule(t, keys), server.addr, long)
		if text := probetest.Exposition(res.Samples); !strings.Contains(text, `type="`+want+`"`) {
			t.Errorf("%s: want %s in\n%s", keys, want, text)
		}
	}
	res := runProbe(t, t.Context(), sshModule(t, "host_key: any, host_key_algorithms: [rsa-sha2-512]"), server.addr, long)
	wantSSH(t, "none in common", res, probe.ReasonTLS, `no common algorithm for host key, the server has "ecdsa-sha2-nistp256 ssh-ed25519", want one of rsa-sha2-512`)
}

func TestSSHConfigErrors(t *testing.T) {
	locked := fmt.Sprintf("%q", sshPrivateKey(t, 2, "open sesame"))
	for keys, want := range map[string]string{
		"":                                "neither host_key nor known_hosts, want host_key: SHA256:... (ssh-keyscan HOST | ssh-keygen -lf - prints it), known_hosts: FILE, or host_key: any to take every key",
		"host_key: any, known_hosts: f":   "both host_key and known_hosts given, want one of them",
		"host_key: MD5:0":                 `host_key: found "MD5:0", want SHA256: and 43 characters as ssh-keygen -l prints them, or any alone`,
		"host_key: [any, " + sshPin + "]": `host_key: found "any", want SHA256: and 43 characters as ssh-keygen -l prints them, or any alone`,
		"host_key: SHA256:abc":            `host_key: found "SHA256:abc", want SHA256: and 43 characters as ssh-keygen -l prints them, or any alone`,
		"host_key: any, host_key_algorithms: [rsa]":                                 `host_key_algorithms: found "rsa", want such as ssh-ed25519, ecdsa-sha2-nistp256 or rsa-sha2-512`,
		"host_key: any, username: w":                                                "username without a secret, want password, password_file, private_key or private_key_file",
		"host_key: any, private_key_file: k":                                        "private_key without username, want both",
		"host_key: any, credential: c, private_key_file: k":                         `credential: "c" is not configured, want it under credentials`,
		"host_key: any, username: w, passphrase: p":                                 "passphrase without private_key, want both or none",
		"host_key: any, username: w, private_key: k":                                "private_key: not a private key, want one in OpenSSH or PEM form",
		"host_key: any, username: w, private_key: " + locked:                        "private_key: the key is encrypted, want passphrase or passphrase_file",
		"host_key: any, username: w, private_key: " + locked + ", passphrase: nope": "private_key: the passphrase does not open the key, want the one it was encrypted with",
		"host_key: any, expect_exit: 1":                                             "expect_exit or expect_output without command, want the command whose result it is",
		"host_key: any, expect_output: x":                                           "expect_exit or expect_output without command, want the command whose result it is",
		"host_key: any, command: x, expect_exit: 256":                               "expect_exit: found 256, want 0 to 255",
		"host_key: any, preferred_ip_protocol: ip5":                                 `preferred_ip_protocol: found "ip5", want ip4 or ip6`,
	} {
		_, err := buildModules(t, Options{}, "modules: {m: {prober: ssh, ssh: {"+keys+"}}}")
		if want = `module "m": line 1: ssh: ` + want; err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", keys, err, want)
		}
	}
}

// TestSSHWarning: a login for whoever answers is worth one.
func TestSSHWarning(t *testing.T) {
	for keys, want := range map[string]int{"host_key: any": 0, sshLogsIn: 0, "host_key: any, username: w, password: p": 1} {
		if got := sshModule(t, keys).Prober.(*SSH).Warnings(); len(got) != want {
			t.Errorf("%s: %q, want %d", keys, got, want)
		}
	}
}
