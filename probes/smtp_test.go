// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const smtpDialMetrics = tcpDialMetrics + " probe_smtp_duration_seconds"

var _ = enroll("smtp", subject{
	section: `{tls: none, ehlo: probe.test, from: a@probe.test, to: [b@mail.test], require: [size]}`,
	healthy: func(t testing.TB) string {
		return probetest.Serve(t, slices.Concat(smtpHello("SIZE 1000"), smtpSays(
			"MAIL FROM:<a@probe.test>", "250 2.1.0 Ok", "RCPT TO:<b@mail.test>", "250 2.1.5 Ok", "RSET", "250 2.0.0 Ok", "QUIT", "221 2.0.0 Bye"))...).Addr
	},
	presence: map[situation]string{
		healthy: smtpDialMetrics + " probe_smtp_banner_info probe_smtp_extension_info probe_smtp_size_limit_bytes probe_smtp_status_info",
		refused: smtpDialMetrics, unsolved: tcpDialMetrics, silent: smtpDialMetrics, early: smtpDialMetrics,
		garbage: smtpDialMetrics, endless: smtpDialMetrics, flood: smtpDialMetrics,
	},
	echo: func(text string) []probetest.Step {
		return append(smtpHello("SIZE "+text), smtpSays("MAIL FROM:<a@probe.test>", "550-5.1.8 "+text+"\r\n550 5.1.8 "+text, "QUIT", "")...)
	},
})

// smtpSays is the part of a server: each command with the reply to it.
func smtpSays(texts ...string) []probetest.Step {
	var steps []probetest.Step
	for pair := range slices.Chunk(texts, 2) {
		steps = append(steps, probetest.Line(pair[0]+"\r\n"))
		if pair[1] != "" {
			steps = append(steps, probetest.Send(pair[1]+"\r\n"))
		}
	}
	return steps
}

// smtpHello greets and answers EHLO with extensions.
func smtpHello(extensions ...string) []probetest.Step {
	return append([]probetest.Step{probetest.Send("220 mail.test ESMTP ready\r\n")}, smtpEHLO(extensions...)...)
}

func smtpEHLO(extensions ...string) []probetest.Step {
	lines := append([]string{"mail.test greets you"}, extensions...)
	last := len(lines) - 1
	for i := range lines[:last] {
		lines[i] = "250-" + lines[i]
	}
	lines[last] = "250 " + lines[last]
	return smtpSays("EHLO probe.test", strings.Join(lines, "\r\n"))
}

// smtpStartTLS begins TLS with a certificate of an authority.
func smtpStartTLS(ca *probetest.CA) []probetest.Step {
	return append(smtpSays("STARTTLS", "220 2.0.0 go ahead"), probetest.TLS(probetest.Config(ca.Good())))
}

// probeSMTP makes one attempt of a module with this section, less what all have in common. It goes to localhost, for TLS.
func probeSMTP(t *testing.T, section string, script ...probetest.Step) probe.Result {
	t.Helper()
	m := testModule(t, Options{}, "smtp", "{ehlo: probe.test, "+section+"}")
	server := probetest.Serve(t, script...)
	return runProbe(t, t.Context(), m, strings.Replace(server.Addr, "127.0.0.1", "localhost", 1), long)
}

// atServer fills the address of a server, which is in every error, into a wanted text.
func atServer(res probe.Result, text string) string {
	return strings.ReplaceAll(text, "SERVER", res.Target)
}

func TestSMTPRefusals(t *testing.T) {
	const inMail = "tls: none, from: a@probe.test, to: [b@mail.test, c@mail.test]"
	mailed := append(smtpHello(), smtpSays("MAIL FROM:<a@probe.test>", "250 ok")...)
	for _, test := range []struct {
		section string
		script  []probetest.Step
		text    string
		status  []string
	}{
		{"tls: none", []probetest.Step{probetest.Send("554 5.3.2 closed\r\n"), probetest.Line("QUIT\r\n")},
			`connecting to "SERVER": refused with "554 5.3.2 closed", want 220`, []string{"554", "5.3.2"}},
		{"tls: none", []probetest.Step{probetest.Send("421 too busy\r\n"), probetest.Line("QUIT\r\n")},
			`connecting to "SERVER": put off with "421 too busy", want 220`, []string{"421", ""}},
		{"tls: none", append([]probetest.Step{probetest.Send("220 old\r\n")}, smtpSays("EHLO probe.test", "502 what?", "QUIT", "")...),
			`sending "EHLO probe.test" to "SERVER": refused with "502 what?", want 2xx`, []string{"502", ""}},
		{"tls: starttls", append(smtpHello("SIZE", "PIPELINING"), probetest.Line("")),
			`starting TLS with "SERVER": STARTTLS is not offered, but "PIPELINING SIZE", want it`, []string{"250", ""}},
		{"tls: starttls", append(smtpHello("STARTTLS"), smtpSays("STARTTLS", "454 4.7.0 no TLS today", "QUIT", "")...),
			`starting TLS with "SERVER": put off with "454 4.7.0 no TLS today", want 220`, []string{"454", "4.7.0"}},
		{"tls: none, require: [SIZE, 8bitmime]", append(smtpHello("SIZE"), probetest.Line("")),
			`sending EHLO to "SERVER": offered are "SIZE", want 8BITMIME`, []string{"250", ""}},
		{inMail, append(smtpHello(), smtpSays("MAIL FROM:<a@probe.test>", "530 5.7.0 Must issue a STARTTLS command first", "QUIT", "")...),
			`sending "MAIL FROM:<a@probe.test>" to "SERVER": refused with "530 5.7.0 Must issue a STARTTLS command first", want 2xx`, []string{"530", "5.7.0"}},
		{inMail, append(slices.Clone(mailed), smtpSays("RCPT TO:<b@mail.test>", "250 ok", "RCPT TO:<c@mail.test>", "550-5.1.1 No such\r\n550 5.1.1 user here", "QUIT", "")...),
			`sending "RCPT TO:<c@mail.test>" to "SERVER": refused with "550 5.1.1 No such user here", want 2xx`, []string{"550", "5.1.1"}},
		{inMail, append(slices.Clone(mailed), smtpSays("RCPT TO:<b@mail.test>", "451 4.7.1 Greylisted", "QUIT", "")...),
			`sending "RCPT TO:<b@mail.test>" to "SERVER": put off with "451 4.7.1 Greylisted", want 2xx`, []string{"451", "4.7.1"}},
	} {
		res := probeSMTP(t, test.section, test.script...)
		if diff := cmp.Diff(atServer(res, test.text), res.Err); diff != "" || res.Reason != probe.ReasonResponse {
			t.Errorf("reason %s (-want +got)\n%s", res.Reason, diff)
		}
		if _, ok := probetest.Value(res.Samples, "probe_smtp_status_info", test.status...); !ok {
			t.Errorf("%s: no status %q in %v", test.text, test.status, res.Samples)
		}
	}
}

// TestSMTPAfterTLS shows that nothing said before the handshake counts afterwards, but that STARTTLS was offered.
func TestSMTPAfterTLS(t *testing.T) {
	ca := probetest.NewCA(t)
	section := fmt.Sprintf("tls_config: {ca_file: %q}, ", ca.File())
	before := append(smtpHello("STARTTLS", "AUTH PLAIN", "SIZE 5", "FORGED"), smtpStartTLS(ca)...)
	res := probeSMTP(t, section+"require: [STARTTLS, SMTPUTF8]", slices.Concat(before, smtpEHLO("SMTPUTF8", "SIZE 0"), smtpSays("NOOP", "250 ok", "QUIT", "221 bye"))...)
	if !res.Success() {
		t.Fatal(res.Err)
	}
	var names []string
	for _, s := range res.Samples {
		switch s.Desc.Name {
		case "probe_smtp_extension_info":
			names = append(names, s.Labels[0])
		case "probe_smtp_size_limit_bytes":
			t.Errorf("size limit %v, want none", s.Value)
		}
	}
	if diff := cmp.Diff([]string{"SIZE", "SMTPUTF8", "STARTTLS"}, names); diff != "" {
		t.Error(diff)
	}
	for _, phase := range []string{"resolve", "connect", "greeting", "ehlo", "tls", "noop", "quit"} {
		if _, ok := probetest.Value(res.Samples, "probe_smtp_duration_seconds", phase); !ok {
			t.Errorf("no phase %s", phase)
		}
	}
	res = probeSMTP(t, section+"username: u, password: pw-77", slices.Concat(before, smtpEHLO(), []probetest.Step{probetest.Line("")})...)
	want := `logging in to "SERVER": AUTH is not offered, but "STARTTLS", want it; the ports of clients, 587 and 465, have it`
	if diff := cmp.Diff(atServer(res, want), res.Err); diff != "" || res.Reason != probe.ReasonResponse {
		t.Errorf("reason %s (-want +got)\n%s", res.Reason, diff)
	}
}

func TestSMTPSendsMessage(t *testing.T) {
	var text string
	script := slices.Concat(smtpHello(), smtpSays("MAIL FROM:<a@probe.test>", "250 ok", "RCPT TO:<b@mail.test>", "250 ok", "DATA", "354 go"),
		[]probetest.Step{func(_ testing.TB, c *probetest.Conn) error {
			for !strings.HasSuffix(text, "\r\n.\r\n") {
				line, err := c.In.ReadString('\n')
				if err != nil {
					return err
				}
				text += line
			}
			return nil
		}, probetest.Send("250 2.0.0 queued as 1\r\n")}, smtpSays("QUIT", "221 bye"))
	m := testModule(t, Options{}, "smtp", "{ehlo: probe.test, tls: none, from: a@probe.test, to: [b@mail.test], send: message}")
	var shared probe.MemoryStore
	res := probe.Run(t.Context(), probe.Check{Module: m, Target: probe.NewTarget(probetest.Serve(t, script...).Addr), Timeout: long}, probe.Env{Shared: &shared})
	if !res.Success() {
		t.Fatal(res.Err)
	}
	if _, ok := probetest.Value(res.Samples, "probe_smtp_status_info", "250", "2.0.0"); !ok {
		t.Errorf("no status of the message in %v", res.Samples)
	}
	message, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	signer, err := newMailSigner(&shared)
	if err != nil {
		t.Fatal(err)
	}
	h := message.Header
	token, ok := signer.verify("b@mail.test", h.Get(tokenHeader))
	if !ok || h.Get("Message-Id") != "<"+token+"@probe.test>" || h.Get("Auto-Submitted") != "auto-generated" || h.Get("To") != "b@mail.test" {
		t.Errorf("token %q (%v) in\n%s", token, ok, text)
	}
	if _, err := h.Date(); err != nil {
		t.Error(err)
	}
	if body, _ := io.ReadAll(message.Body); !strings.HasPrefix(string(body), "skywatch sent this") {
		t.Errorf("body %q", body)
	}
}

func TestSMTPMessageRefused(t *testing.T) {
	script := slices.Concat(smtpHello(), smtpSays("MAIL FROM:<a@probe.test>", "250 ok", "RCPT TO:<b@mail.test>", "250 ok", "DATA", "354 go"),
		[]probetest.Step{func(_ testing.TB, c *probetest.Conn) error {
			for {
				if line, err := c.In.ReadString('\n'); err != nil || line == ".\r\n" {
					return err
				}
			}
		}, probetest.Send("554 5.7.1 looks like spam\r\n"), probetest.Line("QUIT\r\n")})
	res := probeSMTP(t, "tls: none, from: a@probe.test, to: [b@mail.test], send: message", script...)
	want := `sending a message to "SERVER": refused with "554 5.7.1 looks like spam", want 2xx`
	if diff := cmp.Diff(atServer(res, want), res.Err); diff != "" || res.Reason != probe.ReasonResponse {
		t.Errorf("reason %s (-want +got)\n%s", res.Reason, diff)
	}
}

func TestSMTPConfigErrors(t *testing.T) {
	for section, want := range map[string]string{
		`tls: maybe`:                           `tls: found "maybe", want none, starttls or tls`,
		`ehlo: "a b"`:                          `ehlo: found "a b", want a host name or an address literal such as [192.0.2.1]`,
		`auth: gssapi`:                         `auth: found "gssapi", want plain, login, cram-md5 or xoauth2`,
		`send: all`:                            `send: found "all", want rcpt or message`,
		`send: message`:                        `send: message without from and to, want both`,
		`from: a@b`:                            `from without to, want both or none`,
		`to: [a@b]`:                            `to without from, want both or none`,
		`from: a, to: [a@b]`:                   `from: found "a", want an address such as watch@example.org`,
		`from: a@b, to: [a@b, "x> y@b"]`:       `to: found "x> y@b", want an address such as watch@example.org`,
		`from: a@b, to: ["a@b\r\nDATA"]`:       `to: found "a@b\r\nDATA", want an address such as watch@example.org`,
		`require: [SIZE, "AUTH PLAIN"]`:        `require: found "AUTH PLAIN", want the name of an extension such as STARTTLS`,
		`password: p`:                          `password without username, want both`,
		`credential: c`:                        `credential: "c" is not configured, want it under credentials`,
		`from: a@b, to: [` + many("a@b") + `]`: `to: found 21 addresses, want at most 20`,
	} {
		_, err := buildModules(t, Options{}, "modules: {m: {prober: smtp, smtp: {"+section+"}}}")
		if diff := cmp.Diff(`module "m": line 1: smtp: `+want, fmt.Sprint(err)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func many(address string) string { return strings.Repeat(address+", ", maxRecipients+1) }

func TestSMTPPorts(t *testing.T) {
	credentials := Credentials{{Name: "c", Account: Account{Username: "u", Password: "pw-77"}}}
	for section, want := range map[string]string{"tls: none": "25", "tls: starttls": "25", "tls: tls": "465",
		"credential: c": "587", "credential: c, tls: tls": "465", "username: u, password: p, tls: none": "587"} {
		p := testModule(t, Options{Credentials: credentials}, "smtp", "{"+section+"}").Prober.(*SMTP)
		_, port, err := p.address(t.Context(), probe.NewTarget("mail.test"))
		if fmt.Sprint(port) != want || err != nil {
			t.Errorf("%s: port %d (%v), want %s", section, port, err, want)
		}
		picked := probe.NewTarget("mail.test")
		picked.Credential = "c"
		logins, err := p.Logins(picked)
		if wanted := strings.Replace("mail.test:"+want, ":25", ":587", 1); err != nil || len(logins) != 1 || logins[0].Address != wanted {
			t.Errorf("%s: with a credential %v (%v), want %s", section, logins, err, wanted)
		}
	}
}
