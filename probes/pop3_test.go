// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nopop3

package probes

import (
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const (
	pop3Login   = `{tls: none, username: u, password: Secret-1}`
	pop3Hello   = "< +OK ready <1896.697170952@dbc.mtview.ca.us>\n> CAPA\n< +OK\n< USER\n< TOP\n< .\n"
	pop3In      = pop3Hello + "> USER u\n< +OK\n> PASS Secret-1\n< +OK in\n"
	pop3Out     = "> QUIT\n< +OK bye\n"
	pop3Metrics = tcpDialMetrics + " probe_pop3_duration_seconds probe_pop3_banner_info probe_pop3_capability_info probe_pop3_messages probe_pop3_mailbox_size_bytes"
)

var _ = enroll("pop3", subject{
	section: pop3Login,
	healthy: func(t testing.TB) string {
		return probetest.Serve(t, lines(pop3In+"> STAT\n< +OK 2 320\n"+pop3Out)...).Addr
	},
	presence: map[situation]string{
		healthy:  pop3Metrics,
		refused:  tcpDialMetrics + " probe_pop3_duration_seconds",
		unsolved: tcpDialMetrics,
		silent:   tcpDialMetrics + " probe_pop3_duration_seconds",
		early:    tcpDialMetrics + " probe_pop3_duration_seconds",
	},
	echo: func(text string) []probetest.Step {
		return lines("< +OK " + text + "\n> CAPA\n< +OK\n< " + text + "\n< .\n> USER u\n< +OK " + text + "\n> PASS Secret-1\n< -ERR " + text)
	},
})

// TestPOP3Login shows both ways, and that only a verdict on the password is one.
func TestPOP3Login(t *testing.T) {
	const apop = `{tls: none, username: mrose, password: tanstaaf, auth: apop}`
	for _, test := range []struct {
		dialogueCase
		logins string
	}{
		{dialogueCase{"the example of RFC 1939", apop, pop3Hello + "> APOP mrose c4c9334bac560ecc979e58001b3e22fb\n< +OK in\n> STAT\n< +OK 0 0\n" + pop3Out, nil, 0, ""}, "+"},
		{dialogueCase{"no timestamp", apop, "< +OK ready\n> CAPA\n< -ERR unknown", nil, probe.ReasonResponse,
			`logging in to "SERVER" as "mrose": no timestamp in the greeting "ready", want one: there is no APOP without`}, ""},
		{dialogueCase{"APOP refused", apop, pop3Hello + "> APOP mrose c4c9334bac560ecc979e58001b3e22fb\n< -ERR [AUTH] no", nil, probe.ReasonAuth,
			`logging in to "SERVER" as "mrose": refused with "-ERR [AUTH] no", want it accepted`}, "-"},
		{dialogueCase{"password refused", pop3Login, pop3Hello + "> USER u\n< +OK\n> PASS Secret-1\n< -ERR no", nil, probe.ReasonAuth,
			`logging in to "SERVER" as "u": refused with "-ERR no", want it accepted`}, "-"},
		{dialogueCase{"user refused", pop3Login, pop3Hello + "> USER u\n< -ERR who", nil, probe.ReasonAuth,
			`logging in to "SERVER" as "u": refused with "-ERR who", want it accepted`}, "-"},
		{dialogueCase{"in use", pop3Login, pop3Hello + "> USER u\n< +OK\n> PASS Secret-1\n< -ERR [IN-USE] locked", nil, probe.ReasonResponse,
			`logging in to "SERVER" as "u": put off with "-ERR [IN-USE] locked", want it accepted`}, ""},
		{dialogueCase{"temporary", pop3Login, pop3Hello + "> USER u\n< +OK\n> PASS Secret-1\n< -ERR [sys/temp] later", nil, probe.ReasonResponse,
			`logging in to "SERVER" as "u": put off with "-ERR [SYS/TEMP] later", want it accepted`}, ""},
		{dialogueCase{"USER is not allowed", pop3Login, "< +OK ready\n> CAPA\n< +OK\n< STLS\n< .\n> USER u\n< -ERR [AUTH] Plaintext authentication disallowed", nil, probe.ReasonResponse,
			`logging in to "SERVER" as "u": the server allows no USER now and says "-ERR [AUTH] Plaintext authentication disallowed", want it allowed: ` +
				`TLS may have to come first, or another auth`}, ""},
		{dialogueCase{"turned away", pop3Login, "< -ERR [SYS/TEMP] full", nil, probe.ReasonResponse,
			`reading from "SERVER": turned away with "-ERR [SYS/TEMP] full", want a greeting`}, ""},
		{dialogueCase{"line end in the password", `{tls: none, username: u, password: "a\r\nDELE 1"}`, pop3Hello, nil, probe.ReasonConfig,
			`logging in to "SERVER" as "u": the username or the password has a line end or a NUL byte in it, want none`}, ""},
		{dialogueCase{"STLS refused", `{username: u, password: p}`, "< +OK ready\n> STLS\n< -ERR no", nil, probe.ReasonResponse,
			`starting TLS with "SERVER": refused with "-ERR no", want it begun`}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := logins(test.run(t, "pop3")); got != test.logins {
				t.Errorf("verdicts %q, want %q", got, test.logins)
			}
		})
	}
}

func TestPOP3Mailbox(t *testing.T) {
	const pipelined = "< +OK ready\n> CAPA\n< +OK\n< USER\n< PIPELINING\n< .\n> USER u\n< +OK\n> PASS Secret-1\n< +OK in\n> STAT\n"
	top := func(token string) string {
		return "< +OK\n< Subject: dear diary\n< X-Skywatch-Token: " + strings.ReplaceAll(token, " ", "\n< \t") + "\n< ..dot\n< \n< .\n"
	}
	for _, test := range []struct {
		dialogueCase
		values map[string]float64
	}{
		{dialogueCase{"nobody", `{tls: none}`, pop3Hello + pop3Out, nil, 0, ""}, map[string]float64{"probe_pop3_messages": -1}},
		{dialogueCase{"nobody deletes", `{tls: none, delete: all}`, pop3Hello, nil, probe.ReasonConfig,
			`logging in to "SERVER": no account given, want a username or a credential, to look into the mailbox`}, nil},
		{dialogueCase{"own messages", `{tls: none, username: u, password: Secret-1, delete: own}`, pop3In + "> STAT\n< +OK 3 900\n" +
			"> TOP 3 0\n" + top(signed(t, "A")) + "> TOP 2 0\n" + top("forged "+strings.Repeat("0", 64)) + "> TOP 1 0\n< +OK\n< Subject: x\n< \n< .\n" +
			"> DELE 3\n< +OK\n" + pop3Out, nil, 0, ""}, map[string]float64{"probe_pop3_messages": 3, "probe_pop3_mailbox_size_bytes": 900, "probe_pop3_deleted_messages": 1}},
		{dialogueCase{"pipelining", `{tls: none, username: u, password: Secret-1, delete: own}`, pipelined + "< +OK 2 600\n> TOP 2 0\n> TOP 1 0\n" +
			top(signed(t, "A")) + top(signed(t, "B")) + "> DELE 2\n> DELE 1\n< +OK\n< +OK\n" + pop3Out, nil, 0, ""}, map[string]float64{"probe_pop3_deleted_messages": 2}},
		{dialogueCase{"all messages", `{tls: none, username: u, password: Secret-1, delete: all}`, pop3In + "> STAT\n< +OK 2 600\n> DELE 1\n< +OK\n> DELE 2\n< +OK\n" +
			pop3Out, nil, 0, ""}, map[string]float64{"probe_pop3_deleted_messages": 2}},
		{dialogueCase{"too few messages", `{tls: none, username: u, password: Secret-1, min_messages: 1}`, pop3In + "> STAT\n< +OK 0 0\n" + pop3Out, nil,
			probe.ReasonResponse, `counting messages in the mailbox on "SERVER": found 0, want at least 1`}, nil},
		{dialogueCase{"no TOP", `{tls: none, username: u, password: Secret-1, delete: own}`, pop3In + "> STAT\n< +OK 1 9\n> TOP 1 0\n< -ERR unknown", nil,
			probe.ReasonResponse, `fetching the header of message 1 from "SERVER": refused with "-ERR unknown", want it`}, nil},
		{dialogueCase{"DELE refused", `{tls: none, username: u, password: Secret-1, delete: all}`, pop3In + "> STAT\n< +OK 1 9\n> DELE 1\n< -ERR no", nil,
			probe.ReasonResponse, `deleting message 1 on "SERVER": refused with "-ERR no", want it deleted`}, nil},
		{dialogueCase{"QUIT fails", pop3Login, pop3In + "> STAT\n< +OK 0 0\n> QUIT\n< -ERR [SYS/PERM] not all deleted", nil,
			probe.ReasonResponse, `ending the session with "SERVER": refused with "-ERR [SYS/PERM] not all deleted", want the deletions done`}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			res := test.run(t, "pop3")
			wantValues(t, res, test.values)
			if text := res.Trace.String(); strings.Contains(text, "diary") {
				t.Errorf("the trace shows a letter:\n%s", text)
			}
		})
	}
}

func TestPOP3Invalid(t *testing.T) {
	for section, want := range map[string]string{
		`{tls: maybe}`:    `tls: found "maybe", want none, starttls or tls`,
		`{auth: plain}`:   `auth: found "plain", want user or apop`,
		`{delete: some}`:  `delete: found "some", want none, own or all`,
		`{password: p}`:   `password without username, want both`,
		`{mailbox: a@b}`:  `mailbox: only used with delete: own, want that too`,
		`{folder: INBOX}`: ``,
	} {
		_, err := buildModules(t, Options{}, "modules: {m: {prober: pop3, pop3: "+section+"}}")
		if want = `module "m": line 1: pop3: ` + want; section == `{folder: INBOX}` {
			want = `module "m": pop3: line 1: unknown field "folder"`
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s gives\n %v, want\n %s", section, err, want)
		}
	}
}
