// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// TestSMTPHostile meets servers that break the rules at every stage. Each is found out, within bounds.
func TestSMTPHostile(t *testing.T) {
	ca := probetest.NewCA(t)
	secure := fmt.Sprintf("tls: starttls, tls_config: {ca_file: %q}", ca.File())
	const inMail = "tls: none, from: a@probe.test, to: [b@mail.test]"
	starting := func(more ...probetest.Step) []probetest.Step {
		return slices.Concat(smtpHello("STARTTLS"), []probetest.Step{probetest.Line("STARTTLS\r\n")}, more)
	}
	ehlo := func(more ...probetest.Step) []probetest.Step {
		return append([]probetest.Step{probetest.Send("220 hi\r\n"), probetest.Line("EHLO probe.test\r\n")}, more...)
	}
	for name, test := range map[string]struct {
		section string
		script  []probetest.Step
		text    string
	}{
		"endless line":              {"tls: none", []probetest.Step{probetest.Send("220 "), probetest.Endless("a")}, "line longer than 65535 bytes"},
		"huge line":                 {"tls: none", []probetest.Step{probetest.Send("220 " + strings.Repeat("a", maxReplyLine) + "\r\n")}, "of at most 5120 bytes"},
		"never-ending greeting":     {"tls: none", []probetest.Step{probetest.Endless("220-hi\r\n")}, "a reply of more than 100 lines, want the end of a greeting of SMTP"},
		"never-ending EHLO":         {"tls: none", ehlo(probetest.Endless("250-SIZE\r\n")), `a reply of more than 100 lines, want the end of a reply to "EHLO probe.test"`},
		"never-ending refusal":      {inMail, append(smtpHello(), probetest.Line("MAIL FROM:<a@probe.test>\r\n"), probetest.Endless("550-no\r\n")), "a reply of more than 100 lines"},
		"codes that differ":         {"tls: none", ehlo(probetest.Send("250-a\r\n550 b\r\n")), `got "550 b", want a reply to "EHLO probe.test"`},
		"no code":                   {"tls: none", ehlo(probetest.Send("hello\r\n")), `got "hello", want a reply to "EHLO probe.test"`},
		"half a code":               {"tls: none", ehlo(probetest.Send("25\r\n")), `got "25", want a reply`},
		"glued code":                {"tls: none", ehlo(probetest.Send("2500 ok\r\n")), `got "2500 ok", want a reply`},
		"code of HTTP":              {"tls: none", ehlo(probetest.Send("600 ok\r\n")), `got "600 ok", want a reply`},
		"NUL":                       {"tls: none", ehlo(probetest.Send("250 a\x00b\r\n")), `got "250 a\x00b"`},
		"wrong sequence":            {"tls: none", ehlo(probetest.Send("354 go ahead\r\n"), probetest.Line("")), `got "354 go ahead", want 2xx`},
		"greeting of POP3":          {"tls: none", []probetest.Step{probetest.Send("+OK hi\r\n")}, `got "+OK hi", want a greeting of SMTP`},
		"reply ahead of time":       {"tls: none" + smtpAccount, append(smtpHello("AUTH PLAIN\r\n235 2.7.0 you are in"), probetest.Line("")), `got "235 2.7.0 you are in\r\n" before it, want nothing`},
		"goes away":                 {"tls: none", ehlo(), `connection closed, want a reply to "EHLO probe.test"`},
		"garbage for TLS":           {secure, starting(probetest.Send("220 go\r\n"), hearsHello, probetest.Garbage()), "the server does not speak TLS here"},
		"injected before handshake": {secure, starting(probetest.Send("220 go\r\n250 injected\r\n"), probetest.Line("")), `got "250 injected\r\n" before the handshake, want nothing`},
		"STARTTLS with 250":         {secure, starting(probetest.Send("250 go\r\n"), probetest.Line("")), `got "250 go", want 220`},
	} {
		res := probeSMTP(t, test.section, test.script...)
		if res.Reason != probe.ReasonProtocol || !strings.Contains(res.Err, test.text) {
			t.Errorf("%s: reason %s (%s), want protocol: ...%s...", name, res.Reason, res.Err, test.text)
		}
		if len(res.Logins) > 0 {
			t.Errorf("%s: %d logins judged, want none", name, len(res.Logins))
		}
	}
}

// hearsHello waits for the first byte of the handshake, so that what follows is no injection.
func hearsHello(_ testing.TB, c *probetest.Conn) error {
	_, err := c.In.ReadByte()
	return err
}

// TestSMTPSilence: a port on which the client has to begin with TLS says nothing, and the error says that.
func TestSMTPSilence(t *testing.T) {
	m := testModule(t, Options{}, "smtp", "{}")
	patiently(t, func(t testing.TB, timeout time.Duration) {
		res := runProbe(t, t.Context(), m, probetest.Serve(t, probetest.Silence()).Addr, timeout)
		want := atServer(res, `reading from "SERVER": no more in time, got nothing, want a greeting of SMTP: the server may wait for TLS, is tls: starttls right for this port?`)
		if res.Err != want || res.Reason != probe.ReasonTimeout {
			t.Errorf("%s: %s, want %s", res.Reason, res.Err, want)
		}
	})
}

// TestSMTPUnsolicitedShutdown is a server that shuts down between two commands, which it may.
func TestSMTPUnsolicitedShutdown(t *testing.T) {
	res := probeSMTP(t, "tls: none", append([]probetest.Step{probetest.Send("220 hi\r\n"), probetest.Line("EHLO probe.test\r\n"),
		probetest.Send("250 mail.test\r\n421 4.3.2 shutting down\r\n")}, smtpSays("NOOP", "", "QUIT", "")...)...)
	want := atServer(res, `sending "NOOP" to "SERVER": put off with "421 4.3.2 shutting down", want 2xx`)
	if res.Err != want || res.Reason != probe.ReasonResponse {
		t.Errorf("%s: %s, want %s", res.Reason, res.Err, want)
	}
}

// TestSMTPWithoutFarewell: what happens after all is decided decides nothing.
func TestSMTPWithoutFarewell(t *testing.T) {
	for _, farewell := range []string{"221 bye\r\n", "421 go\r\n", "nonsense\r\n", ""} {
		script := append(smtpHello(), append(smtpSays("NOOP", "250 2.0.0 ok", "QUIT", ""), probetest.Send(farewell))...)
		res := probeSMTP(t, "tls: none", script...)
		if _, ok := probetest.Value(res.Samples, "probe_smtp_status_info", "250", "2.0.0"); !ok || !res.Success() {
			t.Errorf("%q: %s %s", farewell, res.Verdict, res.Err)
		}
		if _, ok := probetest.Value(res.Samples, "probe_smtp_duration_seconds", "quit"); ok != (farewell == "221 bye\r\n") {
			t.Errorf("%q: phase quit %v", farewell, ok)
		}
	}
}

// FuzzSMTPReply: whatever a server sends, a reply is taken apart without harm.
func FuzzSMTPReply(f *testing.F) {
	for _, seed := range []string{"250 ok", "250-SIZE 1", "550 5.1.1 no", "250", "2", "999 x", "421 4.1111.1 x", "235 2.7.0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		code, text, more, ok := cutReply(line)
		if !ok {
			return
		}
		if code < 200 || code > 599 || more && line[3] != '-' {
			t.Errorf("%q: code %d, more %v", line, code, more)
		}
		enhanced, rest := cutEnhanced(code, text)
		if enhanced != "" && (!strings.HasPrefix(text, enhanced) || !strings.HasSuffix(text, rest) || len(enhanced) > 9) {
			t.Errorf("%q: enhanced %q, rest %q", line, enhanced, rest)
		}
	})
}
