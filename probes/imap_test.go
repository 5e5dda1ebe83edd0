// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap

package probes

import (
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const (
	imapLogin   = `{tls: none, username: u, password: Secret-1}`
	imapHello   = "< * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\n"
	imapMetrics = tcpDialMetrics + " probe_imap_duration_seconds probe_imap_banner_info probe_imap_capability_info probe_imap_messages"
)

var _ = enroll("imap", subject{
	section: imapLogin,
	healthy: func(t testing.TB) string {
		return probetest.Serve(t, lines(imapHello+`> s1 LOGIN "u" "Secret-1"
			< s1 OK [CAPABILITY IMAP4rev1 UIDPLUS] in
			> s2 EXAMINE "INBOX"
			< * FLAGS (\Answered)
			< * 3 EXISTS
			< s2 OK [READ-ONLY] opened
			> s3 NOOP
			< s3 OK done
			> s4 LOGOUT
			< * BYE see you
			< s4 OK bye`)...).Addr
	},
	presence: map[situation]string{
		healthy:  imapMetrics,
		refused:  tcpDialMetrics + " probe_imap_duration_seconds",
		unsolved: tcpDialMetrics,
		silent:   tcpDialMetrics + " probe_imap_duration_seconds",
		early:    tcpDialMetrics + " probe_imap_duration_seconds",
	},
	echo: func(text string) []probetest.Step {
		return []probetest.Step{probetest.Send("* OK [CAPABILITY IMAP4rev1 " + text + "] " + text + "\r\n"), probetest.Line("s1 LOGIN \"u\" \"Secret-1\"\r\n"),
			probetest.Send("* OK " + text + "\r\ns1 NO " + text + "\r\n")}
	},
})

// TestIMAPLogin shows every mechanism, and that only a verdict on the password is one.
func TestIMAPLogin(t *testing.T) {
	const caps = "< * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=CRAM-MD5 AUTH=XOAUTH2] ready\n"
	const rest = `
		> s2 EXAMINE "INBOX"
		< * 0 EXISTS
		< s2 OK [READ-ONLY] opened
		> s3 NOOP
		< s3 OK done
		> s4 LOGOUT
		< * BYE see you
		< s4 OK bye`
	for _, test := range []struct {
		dialogueCase
		logins string
	}{
		{dialogueCase{"plain", `{tls: none, username: u, password: Secret-1, auth: plain}`, caps + `
			> s1 AUTHENTICATE PLAIN AHUAU2VjcmV0LTE=
			< s1 OK [CAPABILITY IMAP4rev1] in` + rest, nil, 0, ""}, "+"},
		{dialogueCase{"plain in two steps", `{tls: none, username: u, password: Secret-1, auth: plain}`, imapHello + `
			> s1 AUTHENTICATE PLAIN
			< +
			> AHUAU2VjcmV0LTE=
			< s1 OK [CAPABILITY IMAP4rev1] in` + rest, nil, 0, ""}, "+"},
		{dialogueCase{"cram-md5", `{tls: none, username: tim, password: tanstaaftanstaaf, auth: cram-md5}`, caps + `
			> s1 AUTHENTICATE CRAM-MD5
			< + PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+
			> dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw
			< s1 OK [CAPABILITY IMAP4rev1] in` + rest, nil, 0, ""}, "+"}, // the example of RFC 2195
		{dialogueCase{"xoauth2", `{tls: none, username: u, password: token, auth: xoauth2}`, caps + `
			> s1 AUTHENTICATE XOAUTH2 dXNlcj11AWF1dGg9QmVhcmVyIHRva2VuAQE=
			< s1 OK [CAPABILITY IMAP4rev1] in` + rest, nil, 0, ""}, "+"},
		{dialogueCase{"a token that is refused", `{tls: none, username: u, password: token, auth: xoauth2}`, caps + `
			> s1 AUTHENTICATE XOAUTH2 dXNlcj11AWF1dGg9QmVhcmVyIHRva2VuAQE=
			< + eyJzdGF0dXMiOiI0MDEifQ==
			> 
			< s1 NO [AUTHENTICATIONFAILED] no`, nil, probe.ReasonAuth,
			`logging in to "SERVER" as "u": refused with "NO [AUTHENTICATIONFAILED] no {\"status\":\"401\"}", want it accepted`}, "-"},
		{dialogueCase{"literals", `{tls: none, username: 'jürgen', password: 'a"\b'}`, caps + `
			> s1 LOGIN {7}
			< + go on
			> jürgen "a\"\\b"
			< s1 OK [CAPABILITY IMAP4rev1] in` + rest, nil, 0, ""}, "+"},
		{dialogueCase{"refused", imapLogin, caps + "> s1 LOGIN \"u\" \"Secret-1\"\n< s1 NO wrong", nil, probe.ReasonAuth,
			`logging in to "SERVER" as "u": refused with "NO wrong", want it accepted`}, "-"},
		{dialogueCase{"expired", imapLogin, caps + "> s1 LOGIN \"u\" \"Secret-1\"\n< s1 NO [EXPIRED] old", nil, probe.ReasonAuth,
			`logging in to "SERVER" as "u": refused with "NO [EXPIRED] old", want it accepted`}, "-"},
		{dialogueCase{"unavailable", imapLogin, caps + "> s1 LOGIN \"u\" \"Secret-1\"\n< s1 NO [unavailable] later", nil, probe.ReasonResponse,
			`logging in to "SERVER" as "u": put off with "NO [UNAVAILABLE] later", want it accepted`}, ""},
		{dialogueCase{"bad", imapLogin, caps + "> s1 LOGIN \"u\" \"Secret-1\"\n< s1 BAD what", nil, probe.ReasonResponse,
			`logging in to "SERVER" as "u": put off with "BAD what", want it accepted`}, ""},
		{dialogueCase{"thrown out", imapLogin, caps + "> s1 LOGIN \"u\" \"Secret-1\"\n< * BYE [UNAVAILABLE] shutting down", nil, probe.ReasonResponse,
			`reading from "SERVER": thrown out with "BYE [UNAVAILABLE] shutting down", want a reply with the tag s1`}, ""},
		{dialogueCase{"LOGINDISABLED", imapLogin, "< * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready", nil, probe.ReasonResponse,
			`logging in to "SERVER" as "u": the server allows no LOGIN now (LOGINDISABLED), want it allowed: TLS may have to come first, or another auth, ` +
				`found "IMAP4REV1 STARTTLS LOGINDISABLED"`}, ""},
		{dialogueCase{"no such mechanism", `{tls: none, username: u, password: p, auth: cram-md5}`, imapHello, nil, probe.ReasonResponse,
			`logging in to "SERVER" as "u": AUTH=CRAM-MD5 is not offered, want it among the capabilities, found "IMAP4REV1 AUTH=PLAIN"`}, ""},
		{dialogueCase{"known before", imapLogin, "< * PREAUTH [CAPABILITY IMAP4rev1] hello", nil, probe.ReasonResponse,
			`logging in to "SERVER" as "u": the server takes us for logged in (PREAUTH), want it to ask`}, ""},
		{dialogueCase{"line end in the password", `{tls: none, username: u, password: "a\r\ns2 DELETE x"}`, imapHello, nil, probe.ReasonConfig,
			`logging in to "SERVER" as "u": the username or the password has a line end or a NUL byte in it, want none`}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := logins(test.run(t, "imap")); got != test.logins {
				t.Errorf("verdicts %q, want %q", got, test.logins)
			}
		})
	}
}

// TestIMAPWithoutLogin goes as far as one gets without an account.
func TestIMAPWithoutLogin(t *testing.T) {
	res := dialogueCase{"nobody", `{tls: none}`, `
		< * OK ready
		> s1 CAPABILITY
		< * CAPABILITY IMAP4rev1 STARTTLS
		< s1 OK done
		> s2 NOOP
		< s2 OK done
		> s3 LOGOUT
		< * BYE see you`, nil, 0, ""}.run(t, "imap")
	if got := strings.Join(probetest.Names(res.Samples), " "); strings.Contains(got, "messages") {
		t.Errorf("metrics %s, want none of a folder", got)
	}
	for _, section := range []string{`{tls: none, search: ALL}`, `{tls: none, folder: Archive}`, `{tls: none, max_messages: 5}`} {
		dialogueCase{"nobody looks into the mailbox", section, imapHello, nil, probe.ReasonConfig,
			`logging in to "SERVER": no account given, want a username or a credential, to look into the mailbox`}.run(t, "imap")
	}
}

func TestIMAPInvalid(t *testing.T) {
	for section, want := range map[string]string{
		`{tls: maybe}`:                            `tls: found "maybe", want none, starttls or tls`,
		`{auth: digest}`:                          `auth: found "digest", want login, plain, cram-md5 or xoauth2`,
		`{folder: ''}`:                            `folder: empty, want a name such as INBOX`,
		`{delete: some}`:                          `delete: found "some", want none, own or all`,
		`{mailbox: a@b}`:                          `mailbox: only used with delete: own, want that too`,
		`{min_messages: 2, max_messages: 1}`:      `min_messages 2 is above max_messages 1, want a range`,
		`{search: "ALL\r\ns9 DELETE x"}`:          `search: found "ALL\r\ns9 DELETE x", want printable ASCII characters`,
		`{search: "SUBJECT {3}"}`:                 `search: found "SUBJECT {3}", want no literals: a text goes in quotes`,
		`{search: 'SUBJECT "x'}`:                  `search: found "SUBJECT \"x", want balanced quotes and parentheses`,
		`{search: 'SUBJECT "x\'}`:                 `search: found "SUBJECT \"x\\", want balanced quotes and parentheses`,
		`{search: 'OR ALL) (ALL'}`:                `search: found "OR ALL) (ALL", want balanced parentheses`,
		`{search: '(ALL'}`:                        `search: found "(ALL", want balanced quotes and parentheses`,
		`{search: 'return (save) ALL'}`:           `search: found "return (save) ALL", want no RETURN: the number of messages is what comes back`,
		`{password: p}`:                           `password without username, want both`,
		`{tls: none, username: u, credential: c}`: `both credential and an account given, want at most one`,
	} {
		_, err := buildModules(t, Options{}, "modules: {m: {prober: imap, imap: "+section+"}}")
		if want = `module "m": line 1: imap: ` + want; err == nil || err.Error() != want {
			t.Errorf("%s gives\n %v, want\n %s", section, err, want)
		}
	}
	for _, keys := range []string{"", "ALL", `SUBJECT "a {3} (b \" c" (OR SEEN UNSEEN)`, "SINCE 1-Feb-2026"} {
		if err := validateSearch(keys); err != nil {
			t.Errorf("%q: %v, want it valid", keys, err)
		}
	}
}
