// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"skywatch/internal/probetest"
)

// sshd gives an OpenSSH server.
func (p *peers) sshd(port int) *server { return p.server("sshd", greets(port, "SSH-2.0-"), port) }

// sshdDir is where the recipe keeps its keys.
func (s *server) sshdDir(file string) string { return filepath.Join(s.peers.dir, "sshd", file) }

// sshPin is the fingerprint of a host key.
func sshPin(t *testing.T, s *server, kind string) string {
	t.Helper()
	data, err := os.ReadFile(s.sshdDir("host_" + kind + ".pub"))
	if err != nil {
		t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return ssh.FingerprintSHA256(key)
}

// sshModules are the modules of the test; each line is NAME: section.
func sshModules(t *testing.T, s *server) string {
	t.Helper()
	writeFile(t, s.sshdDir("known_other"), regexp.MustCompile(`(?m)^\S+`).ReplaceAllString(readText(t, s.sshdDir("known_hosts")), "other.example"))
	writeFile(t, s.sshdDir("known_rsa"), regexp.MustCompile(`(?m)^.* ssh-rsa .*$`).FindString(readText(t, s.sshdDir("known_hosts")))+"\n")
	writeFile(t, s.sshdDir("passphrase"), "Lock-pw1\n")
	sections := strings.NewReplacer("DIR", filepath.Dir(s.sshdDir("x")), "PIN", sshPin(t, s, "ed25519"), "RSA", sshPin(t, s, "rsa")).Replace(`
key_only: known_hosts: DIR/known_hosts
known_rsa: known_hosts: DIR/known_rsa
unknown: known_hosts: DIR/known_other, credential: good
wrong_pin: host_key: RSA, credential: good
pinned_rsa: host_key: RSA, host_key_algorithms: [rsa-sha2-512], credential: good
password: known_hosts: DIR/known_hosts, credential: good
refused: known_hosts: DIR/known_hosts, credential: bad
key: known_hosts: DIR/known_hosts, username: watch, private_key_file: DIR/client_key
locked_key: known_hosts: DIR/known_hosts, username: watch, private_key_file: DIR/locked_key, passphrase_file: DIR/passphrase
wrong_key: known_hosts: DIR/known_hosts, username: watch, private_key_file: DIR/host_ed25519
command: host_key: PIN, credential: good, command: "echo load 0.5", expect_output: "^load [0-9.]+\\n$"
output: host_key: PIN, credential: good, command: "echo load 5", expect_output: "^load 0"
status: host_key: PIN, credential: good, command: "echo no such disk >&2; exit 3"
status_3: host_key: PIN, credential: good, command: "exit 3", expect_exit: 3
killed: host_key: PIN, credential: good, command: "kill -9 $$"
much: host_key: PIN, credential: good, command: "cat /dev/zero"
`)
	text := ""
	for line := range strings.Lines(strings.TrimSpace(sections)) {
		name, section, _ := strings.Cut(strings.TrimSpace(line), ": ")
		text += fmt.Sprintf("  %s: {prober: ssh, timeout: 60s, ssh: {%s}}\n", name, section)
	}
	for name, timeout := range map[string]string{"brief": "3s", patiently("brief"): "60s"} {
		text += fmt.Sprintf("  %s: {prober: ssh, timeout: %s, ssh: {host_key: '%s', credential: good, command: 'echo hi'}}\n", name, timeout, sshPin(t, s, "ed25519"))
	}
	return text
}

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestSSH is the matrix of the ssh prober against OpenSSH; instead of a wrong authority there are wrong, unknown and changed host keys.
func TestSSH(t *testing.T) {
	port := probetest.HoldPort()
	s := newPeers(t).sshd(port)
	s.start()
	c := newCommand(t, s.peers.dir, sshModules(t, s), "watch", "Watch-pw1")
	for _, test := range []struct{ module, reason, text string }{
		{"key_only", "", ""},
		{"known_rsa", "", ""},
		{"password", "", ""},
		{"key", "", ""},
		{"locked_key", "", ""},
		{"pinned_rsa", "", ""},
		{"command", "", ""},
		{"status_3", "", ""},
		{"refused", "auth", `as "watch": refused with "no to password, offers publickey password", want it accepted`},
		{"wrong_key", "auth", `refused with "no to publickey, offers publickey password"`},
		{"unknown", "tls", "unknown key ssh-ed25519 " + sshPin(t, s, "ed25519")},
		{"wrong_pin", "tls", "the key has changed, found ssh-ed25519 " + sshPin(t, s, "ed25519") + ", want " + sshPin(t, s, "rsa")},
		{"output", "response", `output "load 5\n", want what matches "^load 0"`},
		{"status", "response", `exit status 3 with "no such disk\n" on stderr, want 0`},
		{"killed", "response", `exit status 137`},
		{"much", "response", `more than 65536 bytes of output`},
	} {
		if o := c.want(test.module, local(port), test.reason); !strings.Contains(o.Error, test.text) {
			t.Errorf("%s: %s\nwant ...%s...", test.module, o.Error, test.text)
		}
	}
	s.stop()
	c.want("password", local(port), "connect")
	s.start()
	c.want("password", local(port), "")
	sshChangedKey(t, c, s, port)
}

// sshChangedKey gives the server new host keys, as a reinstalled or an impersonated one has. It never gets to see a login.
func sshChangedKey(t *testing.T, c *command, s *server, port int) {
	t.Helper()
	before := sshPin(t, s, "ed25519")
	known := readText(t, s.sshdDir("known_hosts"))
	s.stop()
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		os.Remove(s.sshdDir("host_" + kind))
		os.Remove(s.sshdDir("host_" + kind + ".pub"))
	}
	log := filepath.Join(s.peers.dir, "sshd.log")
	seen := len(readText(t, log))
	s.start() // which makes new ones
	writeFile(t, s.sshdDir("known_hosts"), known)
	o := c.want("password", local(port), "tls")
	if want := "the key has changed, found ssh-ed25519 " + sshPin(t, s, "ed25519") + ", want "; !strings.Contains(o.Error, want) || !strings.Contains(o.Error, before) {
		t.Errorf("%s\nwant ...%s...%s...", o.Error, want, before)
	}
	if after := readText(t, log)[seen:]; regexp.MustCompile(`(Failed|Accepted) `).MatchString(after) {
		t.Errorf("the server with other keys was given a login:\n%s", after)
	}
}

// TestSSHFrozen stops the daemon and its sessions at three moments.
func TestSSHFrozen(t *testing.T) {
	port := probetest.HoldPort()
	s := newPeers(t).sshd(port)
	s.start()
	c := newCommand(t, s.peers.dir, sshModules(t, s), "watch", "Watch-pw1")
	log := filepath.Join(s.peers.dir, "sshd.log")
	c.want(patiently("brief"), local(port), "")
	seen := len(readText(t, log))
	for _, moment := range []struct {
		name, doing string
		when        freezeWhen
	}{
		{"the greeting", "exchanging keys with", afterReply("SSH-2.0-")},
		{"the key exchange", "logging in to", afterNewKeys},
		// sshd notes the login while its answer is on the way, so the moment is then or the next packet
		{"the login", "(opening a session|starting the command) on", func(_, _ []byte) bool { return strings.Contains(readText(t, log)[seen:], "Accepted password") }},
	} {
		if o := c.wantFrozen(s, port, "brief", moment.name, moment.when); !regexp.MustCompile("^" + moment.doing).MatchString(o.Error) {
			t.Errorf("frozen after %s: %s, want it to say %s", moment.name, o.Error, moment.doing)
		}
		c.want(patiently("brief"), local(port), "")
		seen = len(readText(t, log))
	}
}

// afterNewKeys is the moment at which the client says that it goes over to the new keys (RFC 4253, section 7.3), the last packet in clear.
func afterNewKeys(toServer, _ []byte) bool {
	return strings.Contains(string(toServer), "\x00\x00\x00\x0c\x0a\x15")
}
