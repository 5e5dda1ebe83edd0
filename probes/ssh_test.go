// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nossh

package probes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const (
	sshMetrics = tcpDialMetrics + " probe_ssh_duration_seconds"
	// sshPin is the fingerprint of the key number 1.
	sshPin      = "SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8"
	sshUsesPin  = "host_key: " + sshPin
	sshLogsIn   = sshUsesPin + ", username: watch, password: Watch-pw1"
	sshRunsEcho = sshLogsIn + `, command: "uptime since", expect_output: "^uptime since\n$"`
)

var _ = enroll("ssh", subject{
	section: "{" + sshRunsEcho + "}",
	healthy: func(t testing.TB) string { return newSSHServer(t, nil).addr },
	presence: map[situation]string{
		healthy: sshMetrics + " probe_ssh_banner_info probe_ssh_host_key_info probe_ssh_host_key_verified probe_ssh_algorithms_info" +
			" probe_ssh_command_exit_status probe_ssh_command_output_bytes",
		refused: sshMetrics, unsolved: tcpDialMetrics, silent: sshMetrics, garbage: sshMetrics, early: sshMetrics, endless: sshMetrics, flood: sshMetrics,
	},
	echo: func(text string) []probetest.Step {
		return []probetest.Step{probetest.Send("SSH-2.0-" + text + "\r\n")}
	},
})

func sshModule(t testing.TB, keys string) *probe.Module {
	t.Helper()
	return testModule(t, Options{}, "ssh", "{"+keys+"}")
}

// wantOutcome compares reason and text of a result; reason "" is success.
func wantSSH(t testing.TB, name string, res probe.Result, reason probe.Reason, text string) {
	t.Helper()
	if res.Reason != reason || res.Success() != (reason == probe.ReasonNone) || !strings.Contains(res.Err, text) {
		t.Errorf("%s: %s, reason %q: %s\nwant %q: ...%s...\n%s", name, res.Verdict, res.Reason, res.Err, reason, text, res.Trace)
	}
}

// TestSSHKeyOnly: without a login the key is checked, and the server sees no attempt to log in.
func TestSSHKeyOnly(t *testing.T) {
	server := newSSHServer(t, nil)
	res := runProbe(t, t.Context(), sshModule(t, sshUsesPin), server.addr, long)
	wantSSH(t, "key only", res, probe.ReasonNone, "")
	wantValues(t, res, map[string]float64{"probe_ssh_algorithms_info": -1, "probe_ssh_command_exit_status": -1})
	if verified, ok := probetest.Value(res.Samples, "probe_ssh_host_key_verified", ""); !ok || verified != 1 {
		t.Errorf("probe_ssh_host_key_verified is %v", verified)
	}
	if len(server.users) > 0 || len(res.Logins) > 0 {
		t.Errorf("tried to log in as %q, noted %v", server.users, res.Logins)
	}
}

func TestSSHLogins(t *testing.T) {
	server := newSSHServer(t, nil)
	dialogue := newSSHServer(t, func(s *sshServer) {
		s.conf.PasswordCallback = nil
		s.conf.KeyboardInteractiveCallback = func(c ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil {
				return nil, err
			}
			return nil, s.judge(c, answers[0])
		}
	})
	curious := newSSHServer(t, func(s *sshServer) {
		s.conf.PasswordCallback = nil
		s.conf.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			_, err := ask("", "", []string{"Token shown on your device: "}, []bool{true})
			return nil, err
		}
	})
	both := newSSHServer(t, func(s *sshServer) {
		first := s.conf.PublicKeyCallback
		s.conf.PublicKeyCallback = func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if _, err := first(c, key); err != nil {
				return nil, err
			}
			return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{PasswordCallback: s.conf.PasswordCallback}}
		}
	})
	keysOnly := newSSHServer(t, func(s *sshServer) { s.conf.PasswordCallback = nil })
	strict := newSSHServer(t, func(s *sshServer) { s.conf.MaxAuthTries = 1 })
	key := func(number byte) string {
		return fmt.Sprintf("username: watch, private_key: %q", sshPrivateKey(t, number, ""))
	}
	locked := fmt.Sprintf("username: watch, private_key: %q", sshPrivateKey(t, 2, "open sesame"))
	for name, test := range map[string]struct {
		server *sshServer
		keys   string
		reason probe.Reason
		text   string
		logins string
	}{
		"password":        {server, "username: watch, password: Watch-pw1", probe.ReasonNone, "", "[true]"},
		"wrong password":  {server, "username: watch, password: other", probe.ReasonAuth, `as "watch": refused with "no to password, offers password publickey", want it accepted`, "[false]"},
		"key":             {server, key(2), probe.ReasonNone, "", "[true]"},
		"wrong key":       {server, key(3), probe.ReasonAuth, `refused with "no to publickey, offers`, "[false]"},
		"locked key":      {server, locked + ", passphrase: open sesame", probe.ReasonNone, "", "[true]"},
		"key, then word":  {server, key(3) + ", password: Watch-pw1", probe.ReasonNone, "", "[true]"},
		"neither":         {server, key(3) + ", password: other", probe.ReasonAuth, `no to publickey and password`, "[false]"},
		"dialogue":        {dialogue, "username: watch, password: Watch-pw1", probe.ReasonNone, "", "[true]"},
		"wrong dialogue":  {dialogue, "username: watch, password: other", probe.ReasonAuth, "no to keyboard-interactive", "[false]"},
		"other question":  {curious, "username: watch, password: Watch-pw1", probe.ReasonResponse, `the server asks "Token shown on your device: ", want a question for the password only`, "[]"},
		"two steps":       {both, key(2) + ", password: Watch-pw1", probe.ReasonNone, "", "[true]"},
		"half of it":      {both, key(2), probe.ReasonResponse, `publickey was accepted, but the server wants one of "password" as well`, "[]"},
		"not offered":     {keysOnly, "username: watch, password: Watch-pw1", probe.ReasonResponse, `the server offers "publickey", want password or keyboard-interactive`, "[]"},
		"refused at once": {strict, "username: watch, password: other", probe.ReasonAuth, "too many authentication failures", "[false]"},
	} {
		res := runProbe(t, t.Context(), sshModule(t, sshUsesPin+", "+test.keys), test.server.addr, long)
		wantSSH(t, name, res, test.reason, test.text)
		logins := []bool{}
		for _, l := range res.Logins {
			logins = append(logins, l.Accepted)
		}
		if got := fmt.Sprint(logins); got != test.logins {
			t.Errorf("%s: logins %s, want %s", name, got, test.logins)
		}
		for _, secret := range []string{sshPassword, "open sesame", "b3BlbnNzaC1rZXktdjEA"} {
			wantSecretFree(t, res, secret)
		}
	}
	if got := fmt.Sprint(dialogue.seen()); got != "[Watch-pw1 other]" && got != "[other Watch-pw1]" {
		t.Errorf("the dialogues were answered with %s, want each password once", got)
	}
}

// TestSSHCredential: a credential with a key, from a file, picked by the target.
func TestSSHCredential(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	if err := os.WriteFile(path, []byte(sshPrivateKey(t, 2, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	credentials := Credentials{{Name: "gate", Account: Account{Username: sshUser}, PrivateKey: PrivateKey{PrivateKeyFile: path}}}
	m := testModule(t, Options{Credentials: credentials}, "ssh", "{"+sshUsesPin+"}")
	target := probe.NewTarget(newSSHServer(t, nil).addr)
	target.Credential = "gate"
	res := probe.Run(t.Context(), probe.Check{Module: m, Target: target, Timeout: long}, probe.Env{})
	wantSSH(t, "credential", res, probe.ReasonNone, "")
	logins, err := m.Prober.(Service).Logins(target)
	if err != nil || len(logins) != 1 || len(res.Logins) != 1 || logins[0] != res.Logins[0].Login || logins[0].Credential != "gate" {
		t.Errorf("announced %v (%v), sent %v", logins, err, res.Logins)
	}
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	res = probe.Run(t.Context(), probe.Check{Module: m, Target: target, Timeout: long}, probe.Env{})
	wantSSH(t, "bad file", res, probe.ReasonConfig, `reading the private key of "watch": not a private key, want one in OpenSSH or PEM form`)
}

func TestSSHCommands(t *testing.T) {
	server := newSSHServer(t, func(s *sshServer) {
		s.exec = func(command string, channel ssh.Channel) uint32 {
			switch command {
			case "fail":
				fmt.Fprint(channel.Stderr(), "no such thing")
				return 3
			case "much":
				fmt.Fprint(channel, strings.Repeat("spam ", maxSSHOutput))
			case "gone":
				channel.Close()
			case "noisy":
				fmt.Fprint(channel.Stderr(), strings.Repeat("spam ", 20*maxSSHErrors))
			}
			fmt.Fprintln(channel, "load 0.5")
			return 0
		}
	})
	for name, test := range map[string]struct {
		keys   string
		reason probe.Reason
		text   string
	}{
		"ok":         {`command: load, expect_output: "^load [0-9.]+\n$"`, probe.ReasonNone, ""},
		"output":     {`command: load, expect_output: "^load [2-9]"`, probe.ReasonResponse, `running "load" on "ADDR": output "load 0.5\n", want what matches "^load [2-9]"`},
		"status":     {`command: fail`, probe.ReasonResponse, `running "fail" on "ADDR": exit status 3 with "no such thing" on stderr, want 0`},
		"wanted":     {`command: fail, expect_exit: 3`, probe.ReasonNone, ""},
		"not wanted": {`command: load, expect_exit: 3`, probe.ReasonResponse, `exit status 0 with "" on stderr, want 3`},
		"much":       {`command: much`, probe.ReasonResponse, `running "much" on "ADDR": more than 65536 bytes of output, want fewer`},
		"gone":       {`command: gone`, probe.ReasonProtocol, `without exit status`},
		"noisy":      {`command: noisy, expect_output: "^load"`, probe.ReasonNone, ""},
	} {
		res := runProbe(t, t.Context(), sshModule(t, sshLogsIn+", "+test.keys), server.addr, long)
		wantSSH(t, name, res, test.reason, strings.ReplaceAll(test.text, "ADDR", server.addr))
	}
	res := runProbe(t, t.Context(), sshModule(t, sshUsesPin+", command: load"), server.addr, long)
	wantSSH(t, "nobody", res, probe.ReasonConfig, `running "load" on "`+server.addr+`": nobody logs in, want username or credential`)
}

// TestSSHAsksTheGateLate: right before a secret is sent. Whoever waits for a server that does not answer must not keep other logins waiting.
func TestSSHAsksTheGateLate(t *testing.T) {
	server := newSSHServer(t, nil)
	for name, test := range map[string]struct {
		address string
		reason  probe.Reason
		text    string
		asked   int
	}{
		"no server": {probetest.RefusedAddr(t), probe.ReasonConnect, "connection refused", 0},
		"held up":   {server.addr, probe.ReasonAuth, "logins are paused", 1},
	} {
		gate := new(shutGate)
		m := sshModule(t, sshUsesPin+", username: watch, password: Watch-pw1")
		res := probe.Run(t.Context(), probe.Check{Module: m, Target: probe.NewTarget(test.address), Timeout: long, Attempts: 1}, probe.Env{Gate: gate})
		if res.Reason != test.reason || !strings.Contains(res.Err, test.text) || len(gate.asked) != test.asked {
			t.Errorf("%s: %s %s, the gate was asked %d times", name, res.Reason, res.Err, len(gate.asked))
		}
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	if len(server.passwords) > 0 {
		t.Error("the server was shown a password")
	}
}
