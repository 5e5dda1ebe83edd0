// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nossh

package probes

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// TestSSHBadGreetings: what may come instead of a key exchange.
func TestSSHBadGreetings(t *testing.T) {
	version := "SSH-2.0-x\r\n"
	for name, test := range map[string]struct {
		script []probetest.Step
		reason probe.Reason
		text   string
	}{
		"nothing":        {nil, probe.ReasonProtocol, `reading from "ADDR": connection closed, want it kept open`},
		"too many":       {[]probetest.Step{probetest.Send("Exceeded MaxStartups\r\n")}, probe.ReasonResponse, `connection closed after "Exceeded MaxStartups", want a version line of SSH`},
		"another server": {[]probetest.Step{probetest.Send("220 ready\r\n")}, probe.ReasonResponse, `connection closed after "220 ready"`},
		"long":           {[]probetest.Step{probetest.Send("SSH-2.0-" + strings.Repeat("a", 250) + "\r\n")}, probe.ReasonProtocol, "got a line longer than 255 bytes"},
		"endless":        {[]probetest.Step{probetest.Endless("a")}, probe.ReasonProtocol, "got a line longer than 255 bytes"},
		"lines":          {[]probetest.Step{probetest.Endless("hello\r\n")}, probe.ReasonProtocol, `got 32 lines, the first is "hello", want a version line of SSH`},
		"NUL":            {[]probetest.Step{probetest.Send("SSH-2.0-\x00\r\n")}, probe.ReasonProtocol, `got "SSH-2.0-\x00", want a version line`},
		"old":            {[]probetest.Step{probetest.Send("SSH-1.5-x\r\n")}, probe.ReasonProtocol, `the server has "SSH-1.5-x", want version 2.0`},
		"text":           {[]probetest.Step{probetest.Send(version + "hello, this is no packet at all\r\n")}, probe.ReasonProtocol, `exchanging keys with "ADDR": failed with "invalid packet length`},
		"huge packet":    {[]probetest.Step{probetest.Send(version + "\x00\x03\xff\xf8\x04"), probetest.Endless("\x14")}, probe.ReasonProtocol, `exchanging keys with "ADDR": failed with `},
		"other packet":   {[]probetest.Step{probetest.Send(version + "\x00\x00\x00\x0c\x0a\x15"), probetest.Endless("\x00")}, probe.ReasonProtocol, `failed with "got bogus newkeys message", want what SSH has here`},
		"empty packets":  {[]probetest.Step{probetest.Send(version), probetest.Endless("\x00\x00\x00\x0c\x0b" + strings.Repeat("\x00", 11))}, probe.ReasonProtocol, `exchanging keys with "ADDR"`},
		"ignored":        {[]probetest.Step{probetest.Send(version), probetest.Endless("\x00\x00\x00\x0c\x0a\x02" + strings.Repeat("\x00", 10))}, probe.ReasonProtocol, `exchanging keys with "ADDR"`},
		"cut":            {[]probetest.Step{probetest.Send(version + "\x00\x00\x03\x0c\x0a\x14")}, probe.ReasonProtocol, `exchanging keys with "ADDR": connection closed`},
		"silent":         {[]probetest.Step{probetest.Silence()}, probe.ReasonTimeout, `reading from "ADDR": no answer in time, want what SSH has here`},
		"another, patient": {[]probetest.Step{probetest.Send("220 ready\r\n530 log in\r\n"), probetest.Silence()}, probe.ReasonTimeout,
			`reading from "ADDR": nothing more in time after "220 ready", want a version line of SSH`},
	} {
		leakFree(t, situation(name), func(t *testing.T) {
			inTime(t, test.reason, func(t testing.TB, timeout time.Duration) {
				server := probetest.Serve(t, test.script...)
				res := runProbe(t, t.Context(), sshModule(t, sshLogsIn), server.Addr, timeout)
				wantSSH(t, name, res, test.reason, strings.ReplaceAll(test.text, "ADDR", server.Addr))
			})
		})
	}
}

func sshFlood(send func() error) {
	for send() == nil {
	}
}

// sshSome ends within the bytes that a server may send, however long the client takes to go on: it is no matter of who is faster.
func sshSome(send func() error) {
	for range 3000 {
		if send() != nil {
			return
		}
	}
}

// TestSSHHostileServers: what a server with the right key may still do. Nothing of it leaves a goroutine behind.
func TestSSHHostileServers(t *testing.T) {
	text := strings.Repeat("spam ", 200)
	answer := func(f func(c ssh.ServerPreAuthConn) error) func(s *sshServer) {
		return func(s *sshServer) {
			var conn ssh.ServerPreAuthConn // of the one probe
			s.conf.PreAuthConnCallback = func(c ssh.ServerPreAuthConn) { conn = c }
			s.conf.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) { return nil, f(conn) }
		}
	}
	for name, test := range map[string]struct {
		change func(s *sshServer)
		reason probe.Reason
		text   string
	}{
		"endless texts before the verdict": {answer(func(c ssh.ServerPreAuthConn) error {
			sshFlood(func() error { return c.SendAuthBanner(text) })
			return errDenied
		}), probe.ReasonProtocol, "more than 1048576 bytes received"},
		"many texts around the verdict": {answer(func(c ssh.ServerPreAuthConn) error {
			sshSome(func() error { return c.SendAuthBanner("x") })
			go func() {
				for range 15 { // there is room for 16 that the client does not take, see sshBurst; the pause after them is too short for a busy machine
					c.SendAuthBanner("x")
				}
			}()
			return errDenied
		}), probe.ReasonAuth, "no to password"},
		"endless requests": {func(s *sshServer) {
			over := make(chan struct{})
			s.logged = func(c *ssh.ServerConn) {
				sshFlood(func() error { _, _, err := c.SendRequest("spam", false, []byte(text)); return err })
				close(over)
			}
			s.exec = func(string, ssh.Channel) uint32 { <-over; return 0 }
		}, probe.ReasonProtocol, "more than 1048576 bytes received"},
		"channels of its own": {func(s *sshServer) {
			s.logged = func(c *ssh.ServerConn) {
				sshSome(func() error {
					_, _, err := c.OpenChannel("x11", nil)
					if refused, ok := err.(*ssh.OpenChannelError); ok && refused.Reason == ssh.UnknownChannelType {
						return nil
					}
					return err
				})
			}
		}, probe.ReasonNone, ""},
		"endless output": {func(s *sshServer) {
			s.exec = func(_ string, c ssh.Channel) uint32 {
				sshFlood(func() error { _, err := c.Write([]byte(text)); return err })
				return 0
			}
		}, probe.ReasonResponse, "more than 65536 bytes of output"},
		"endless errors": {func(s *sshServer) {
			s.exec = func(_ string, c ssh.Channel) uint32 {
				sshFlood(func() error { _, err := c.Stderr().Write([]byte(text)); return err })
				return 0
			}
		}, probe.ReasonProtocol, "more than 1048576 bytes received"},
		"gone after the login": {func(s *sshServer) {
			over := make(chan struct{})
			s.logged = func(c *ssh.ServerConn) { c.Close(); close(over) }
			s.exec = func(string, ssh.Channel) uint32 { <-over; return 0 }
		}, probe.ReasonProtocol, `connection closed`},
		"no session": {func(s *sshServer) { s.sessions = "no more sessions" }, probe.ReasonResponse, `opening a session on "ADDR": refused with "no more sessions", want it opened`},
	} {
		leakFree(t, situation(name), func(t *testing.T) {
			server := newSSHServer(t, test.change)
			res := runProbe(t, t.Context(), sshModule(t, sshLogsIn+", command: x"), server.addr, long)
			wantSSH(t, name, res, test.reason, strings.ReplaceAll(test.text, "ADDR", server.addr))
		})
	}
}

// stopping is a connection of a server that reads no more after some bytes.
type stopping struct {
	net.Conn
	left int
	gone chan struct{}
}

func (s *stopping) Read(p []byte) (int, error) {
	if s.left <= 0 {
		<-s.gone
		return 0, net.ErrClosed
	}
	n, err := s.Conn.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}

// TestSSHFrozenServers: wherever a server stops, the probe ends by its deadline, and so does everything it began.
func TestSSHFrozenServers(t *testing.T) {
	for bytes := 0; bytes < 4500; bytes += 500 {
		leakFree(t, situation(fmt.Sprint(bytes)), func(t *testing.T) {
			patiently(t, func(t testing.TB, timeout time.Duration) {
				gone := make(chan struct{})
				server := newSSHServer(t, func(s *sshServer) {
					s.wrap = func(c net.Conn) net.Conn { return &stopping{c, bytes, gone} }
				})
				res := runProbe(t, t.Context(), sshModule(t, sshRunsEcho), server.addr, timeout)
				close(gone)
				if !res.Success() && res.Reason != probe.ReasonTimeout {
					t.Errorf("%s: %s, want timeout", res.Reason, res.Err)
				}
			})
		})
	}
}

// TestSSHSecrets: a server that says the password wherever it can.
func TestSSHSecrets(t *testing.T) {
	for _, text := range spellings(planted) {
		server := newSSHServer(t, func(s *sshServer) {
			s.conf.ServerVersion = "SSH-2.0-" + strings.Trim(text, "\x00")
			s.conf.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) { return nil, nil }
			s.conf.BannerCallback = func(ssh.ConnMetadata) string { return text }
			s.exec = func(_ string, c ssh.Channel) uint32 {
				fmt.Fprint(c, text)
				fmt.Fprint(c.Stderr(), text)
				return 1
			}
		})
		for _, expect := range []string{"expect_exit: 0", "expect_exit: 1, expect_output: other"} {
			m := sshModule(t, sshUsesPin+fmt.Sprintf(", username: watch, password: %q, command: x, ", planted)+expect)
			res := runProbe(t, t.Context(), m, server.addr, long)
			wantSSH(t, text, res, probe.ReasonResponse, `running "x"`)
			wantSecretFree(t, res, text)
		}
		closing := probetest.Serve(t, probetest.Send(text+"\r\n"))
		m := sshModule(t, sshUsesPin+fmt.Sprintf(", username: watch, password: %q", planted))
		wantSecretFree(t, runProbe(t, t.Context(), m, closing.Addr, long), text)
	}
}
