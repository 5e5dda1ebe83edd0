// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap && !nopop3

package probes

import (
	"strings"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const tooMuch = `reading from "SERVER": reading from SERVER: more than 1048576 bytes received: byte budget spent, `

// TestIMAPHostile meets servers that break the rules: it ends with that reason, by the bounds and not by the deadline.
func TestIMAPHostile(t *testing.T) {
	in := imapIn("") + "> s2 EXAMINE \"INBOX\"\n"
	long := strings.Repeat("x", 300)
	for _, test := range []dialogueCase{
		{"another protocol", imapLogin, "< 220 smtp ready", nil, probe.ReasonProtocol, `reading from "SERVER": got "220 smtp ready", want a greeting of IMAP (* OK)`},
		{"NUL in the greeting", imapLogin, `< * OK a\x00b`, nil, probe.ReasonProtocol,
			`reading from "SERVER": got "* OK a\x00b", want a greeting in a line of text of at most 5120 bytes`},
		{"endless greeting", imapLogin, "", []probetest.Step{probetest.Endless("x")}, probe.ReasonProtocol,
			`reading from "SERVER": line longer than 65535 bytes, got "` + long + `"..., want a greeting`},
		{"endless line", imapLogin, in, []probetest.Step{probetest.Send("* FLAGS "), probetest.Endless("x")}, probe.ReasonProtocol,
			`reading from "SERVER": line longer than 262144 bytes, got "* FLAGS ` + strings.Repeat("x", 292) + `"..., want a reply with the tag s2`},
		{"flood", imapLogin, in, []probetest.Step{probetest.Endless("* 1 EXISTS\r\n")}, probe.ReasonProtocol,
			tooMuch + `got "* 1 EXIST", want a reply with the tag s2`},
		{"huge literal", imapLogin, in + "< * LIST () {536870912}", nil, probe.ReasonProtocol,
			`reading from "SERVER": got a literal of 536870912 bytes after "LIST () ", want at most 65536`},
		{"literal beyond all numbers", imapLogin, in + "< * LIST () {99999999999999999999999}", nil, probe.ReasonProtocol,
			`reading from "SERVER": got a literal of 18446744073709551615 bytes after "LIST () ", want at most 65536`},
		{"endless literals", imapLogin, in, []probetest.Step{probetest.Send("* X"), probetest.Endless(" {1}\r\nx")}, probe.ReasonProtocol,
			tooMuch + `got last " {1}", want a literal`},
		{"cut literal", imapLogin, in + "< * LIST () {99}\n< abc", nil, probe.ReasonProtocol,
			`reading from "SERVER": connection closed after 5 of 99 bytes, want a literal`},
		{"NUL in a literal", imapLogin, in + `< * LIST () {3}` + "\n" + `< a\x00b`, nil, probe.ReasonProtocol,
			`reading from "SERVER": got "a\x00b", want a literal without NUL bytes`},
		{"reply to another command", imapLogin, in + "< s9 OK done", nil, probe.ReasonProtocol,
			`reading from "SERVER": got "s9 OK done", want a reply with the tag s2`},
		{"reply out of turn", imapLogin, imapHello + "< s1 OK done\n> s1 LOGIN \"u\" \"Secret-1\"\n< s1 OK in", nil, probe.ReasonProtocol,
			`reading from "SERVER": got "s1 OK in", want a reply with the tag s2`},
		{"asked for more", imapLogin, in + "< + go on", nil, probe.ReasonProtocol,
			`reading from "SERVER": asked for more with "go on", want a reply with the tag s2`},
		{"no reply", imapLogin, in + "< s2 FINE", nil, probe.ReasonProtocol, `reading from "SERVER": got "s2 FINE", want a reply with the tag s2`},
		{"no number of messages", imapLogin, in + "< s2 OK opened", nil, probe.ReasonProtocol,
			`opening folder "INBOX" on "SERVER": got no number of messages (EXISTS), want it`},
		{"a strange number of messages", imapLogin, in + "< * many EXISTS\n< s2 OK opened", nil, probe.ReasonProtocol,
			`opening folder "INBOX" on "SERVER": got "* many EXISTS", want a number of messages`},
		{"strange search results", `{tls: none, username: u, password: Secret-1, search: ALL}`, in + "< * 1 EXISTS\n< s2 OK opened\n> s3 UID SEARCH ALL\n< * SEARCH 1 x", nil,
			probe.ReasonProtocol, `searching folder "INBOX" on "SERVER": got "* SEARCH 1 x", want numbers of messages`},
		{"strange messages", `{tls: none, username: u, password: Secret-1, delete: own}`, imapIn("") + imapOpen +
			"> s3 UID SEARCH HEADER X-Skywatch-Token \"\"\n< * SEARCH 7\n< s3 OK found\n> s4 UID FETCH 7 " + fetchItems + "\n< * 7 FETCH (UID 7 BODY[", nil,
			probe.ReasonProtocol, `fetching from folder "INBOX" on "SERVER": got "* 7 FETCH (UID 7 BODY[", want a FETCH response`},
		{"a challenge that is none", `{tls: none, username: u, password: p, auth: plain}`, imapHello + "> s1 AUTHENTICATE PLAIN\n< +\n> AHUAcA==\n< + %%%", nil,
			probe.ReasonProtocol, `logging in to "SERVER": got the challenge "%%%", want it in base64`},
		{"closed after the login", imapLogin, imapIn("") + "> s2 EXAMINE \"INBOX\"", nil, probe.ReasonProtocol,
			`reading from "SERVER": connection closed, want a reply with the tag s2`},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, "imap") })
	}
}

// TestPOP3Hostile is the same for POP3.
func TestPOP3Hostile(t *testing.T) {
	for _, test := range []dialogueCase{
		{"another protocol", pop3Login, "< * OK imap ready", nil, probe.ReasonProtocol, `reading from "SERVER": got "* OK imap ready", want a greeting: +OK or -ERR`},
		{"NUL in the greeting", pop3Login, `< +OK a\x00b`, nil, probe.ReasonProtocol,
			`reading from "SERVER": got "+OK a\x00b", want a greeting in a line of text of at most 5120 bytes`},
		{"endless line", pop3Login, "", []probetest.Step{probetest.Endless("x")}, probe.ReasonProtocol,
			`reading from "SERVER": line longer than 65535 bytes, got "` + strings.Repeat("x", 300) + `"..., want a greeting`},
		{"never-ending capabilities", pop3Login, "< +OK ready\n> CAPA\n< +OK", []probetest.Step{probetest.Endless("TOP\r\n")}, probe.ReasonProtocol,
			tooMuch + `got last "TOP", want capabilities up to the final dot`},
		{"never-ending header", `{tls: none, username: u, password: Secret-1, delete: own}`, pop3In + "> STAT\n< +OK 1 1\n> TOP 1 0\n< +OK",
			[]probetest.Step{probetest.Endless("X: y\r\n")}, probe.ReasonProtocol, tooMuch + `got "X: ", want the header of message 1 up to the final dot`},
		{"reply out of turn", pop3Login, "< +OK ready\n< what\n> CAPA", nil, probe.ReasonProtocol, `reading from "SERVER": got "what", want an answer to CAPA: +OK or -ERR`},
		{"strange count", pop3Login, pop3In + "> STAT\n< +OK many", nil, probe.ReasonProtocol,
			`counting the messages on "SERVER": got "+OK many", want their number and size`},
		{"closed after the login", pop3Login, pop3In + "> STAT", nil, probe.ReasonProtocol,
			`reading from "SERVER": connection closed, want their number and size`},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, "pop3") })
	}
}

// TestMailStartTLS shows that nothing from before the handshake is believed, and that TLS is not done without.
func TestMailStartTLS(t *testing.T) {
	ca := probetest.NewCA(t)
	section := withCA(ca, "username: u, password: Secret-1")
	const imap = "< * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\n> s1 STARTTLS\n"
	for _, test := range []struct {
		prober string
		dialogueCase
	}{
		{"imap", dialogueCase{"plaintext after the answer", section, imap, []probetest.Step{probetest.Send("s1 OK go\r\n* OK [CAPABILITY IMAP4rev1] in clear\r\n")},
			probe.ReasonProtocol, `starting TLS with "SERVER": got "* OK [CAPABILITY IMAP4rev1] in clear\r\n" before the handshake, want nothing`}},
		{"imap", dialogueCase{"garbage instead of a handshake", section, imap + "< s1 OK go", []probetest.Step{hello, probetest.Garbage()},
			probe.ReasonProtocol, `TLS handshake with "SERVER": first record does not look like a TLS handshake, want a verified connection: the server does not speak TLS here, is tls: starttls right for this port?`}},
		{"imap", dialogueCase{"no STARTTLS", section, "< * OK [CAPABILITY IMAP4rev1] ready", nil, probe.ReasonResponse,
			`starting TLS with "SERVER": not offered, want STARTTLS among the capabilities, found "IMAP4REV1"`}},
		{"imap", dialogueCase{"STARTTLS refused", section, imap + "< s1 NO [UNAVAILABLE] no key", nil, probe.ReasonResponse,
			`starting TLS with "SERVER": refused with "NO [UNAVAILABLE] no key", want it begun`}},
		{"imap", dialogueCase{"logged in before TLS", section, "< * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] ready", nil, probe.ReasonProtocol,
			`starting TLS with "SERVER": the server takes us for logged in (PREAUTH), want a greeting that leaves room for STARTTLS`}},
		{"imap", dialogueCase{"capabilities from before are forgotten", section, imap + "< s1 OK go", append([]probetest.Step{probetest.TLS(probetest.Config(ca.Good()))},
			lines("> s2 CAPABILITY\n< * CAPABILITY IMAP4rev1 LOGINDISABLED\n< s2 OK done")...), probe.ReasonResponse,
			`logging in to "SERVER" as "u": the server allows no LOGIN now (LOGINDISABLED), want it allowed: TLS may have to come first, or another auth, ` +
				`found "IMAP4REV1 LOGINDISABLED"`}},
		{"imap", dialogueCase{"well", section, imap + "< s1 OK go", append([]probetest.Step{probetest.TLS(probetest.Config(ca.Good()))},
			lines("> s2 CAPABILITY\n< * CAPABILITY IMAP4rev1\n< s2 OK done\n> s3 LOGIN \"u\" \"Secret-1\"\n< s3 OK [CAPABILITY IMAP4rev1] in\n"+
				"> s4 EXAMINE \"INBOX\"\n< * 0 EXISTS\n< s4 OK opened\n"+imapOut(5))...), 0, ""}},
		{"pop3", dialogueCase{"plaintext after the answer", section, "< +OK ready\n> STLS", []probetest.Step{probetest.Send("+OK go\r\n+OK in clear\r\n")},
			probe.ReasonProtocol, `starting TLS with "SERVER": got "+OK in clear\r\n" before the handshake, want nothing`}},
		{"pop3", dialogueCase{"garbage instead of a handshake", section, "< +OK ready\n> STLS\n< +OK go", []probetest.Step{hello, probetest.Garbage()},
			probe.ReasonProtocol, `TLS handshake with "SERVER": first record does not look like a TLS handshake, want a verified connection: the server does not speak TLS here, is tls: starttls right for this port?`}},
		{"pop3", dialogueCase{"well", section, "< +OK ready\n> STLS\n< +OK go", append([]probetest.Step{probetest.TLS(probetest.Config(ca.Good()))},
			lines("> CAPA\n< -ERR what\n> USER u\n< +OK\n> PASS Secret-1\n< +OK\n> STAT\n< +OK 0 0\n"+pop3Out)...), 0, ""}},
	} {
		t.Run(test.prober+" "+test.name, func(t *testing.T) { test.run(t, test.prober) })
	}
}

// hello waits for the first byte of the client's handshake.
func hello(_ testing.TB, c *probetest.Conn) error {
	_, err := c.In.Peek(1)
	return err
}

// TestMailWrongPort shows what an admin reads who took the port of the other form of TLS.
func TestMailWrongPort(t *testing.T) {
	silent := probetest.Serve(t, probetest.Silence())
	clear := probetest.Serve(t, probetest.Send("* OK ready\r\n"))
	for _, test := range []struct{ form, server, err string }{
		{"starttls", silent.Addr, `reading from "SERVER": no more in time, got nothing, want a greeting: the server may wait for TLS, is tls: starttls right for this port?`},
		{"tls", clear.Addr, `TLS handshake with "SERVER": first record does not look like a TLS handshake, want a verified connection: the server does not speak TLS here, is tls: tls right for this port?`},
	} {
		reason := map[string]probe.Reason{"starttls": probe.ReasonTimeout, "tls": probe.ReasonProtocol}[test.form]
		inTime(t, reason, func(t testing.TB, timeout time.Duration) {
			res := runProbe(t, t.Context(), testModule(t, Options{}, "imap", "{tls: "+test.form+"}"), test.server, timeout)
			if got := strings.ReplaceAll(res.Err, test.server, "SERVER"); got != test.err || res.Reason != reason {
				t.Errorf("tls: %s gives %s\n %s, want %s\n %s", test.form, res.Reason, got, reason, test.err)
			}
		})
	}
}
