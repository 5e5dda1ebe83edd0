// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nosmtp && !noimap && !nopop3 && !noftp && !nomysql && !nomailloop

package probes

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// TestEarlySecrets: a server may know the secret from an earlier probe, and say it before it is sent. It is masked from the first word on, be it
// in a file, in the log, or cut in two.
func TestEarlySecrets(t *testing.T) {
	const secret = "hunter42-of-the-file"
	file := probetest.WriteFile(t, "password", []byte(secret+"\n"))
	o := Options{Credentials: Credentials{{Name: "named", Account: Account{Username: "u", PasswordFile: file}}}}
	long256 := strings.Repeat("x", 250) + secret // longer than a banner
	long300 := strings.Repeat("x", 260) + secret // longer than evidence
	for _, test := range []struct {
		prober, keys string // LOGIN stands for who logs in
		greetings    []string
	}{
		{"smtp", "LOGIN", []string{"220 " + long256 + "\r\n", "421 " + long300 + "\r\n", long300 + "\r\n"}},
		{"imap", "LOGIN", []string{"* OK " + long256 + "\r\n", "* BYE [" + secret + "] " + long300 + "\r\n", "* OK [CAPABILITY IMAP4rev1 " + secret + "] x\r\n"}},
		{"pop3", "LOGIN", []string{"+OK " + long256 + "\r\n", "-ERR [" + secret + "] " + long300 + "\r\n"}},
		{"ftp", "LOGIN", []string{"220 " + long256 + "\r\n", "421-" + secret + "\r\n421 " + long300 + "\r\n"}},
		{"mysql", "LOGIN, mode: ping", []string{mysqlFrame(0, mysqlFail(1040, "08004", long300)), mysqlFrame(0, strings.Repeat("x", 290)+secret),
			mysqlFrame(0, "\x0a"+long300+"\x00"+strings.Repeat("\x00", 60))}},
		{"mailloop", "from: a@b.test, to: a@b.test, mailbox: {server: '127.0.0.1:1', tls: none, LOGIN}", []string{"220 " + secret + "\r\n", "421 " + long300 + "\r\n"}},
	} {
		for _, greeting := range test.greetings {
			for _, login := range []string{fmt.Sprintf("username: u, password_file: %q", file), "credential: named"} {
				m := testModule(t, o, test.prober, "{tls: none, "+strings.Replace(test.keys, "LOGIN", login, 1)+"}")
				wantEarlySecretMasked(t, m, secret, greeting)
			}
		}
	}
}

// wantEarlySecretMasked meets a server that greets with a text, in which the secret is, and nothing else.
func wantEarlySecretMasked(t *testing.T, m *probe.Module, secret, greeting string) {
	t.Helper()
	server := probetest.Serve(t, probetest.Send(greeting))
	defer server.Close()
	var log strings.Builder
	check := probe.Check{Module: m, Target: probe.NewTarget(server.Addr), Timeout: long}
	res := probe.Run(t.Context(), check, probe.Env{Log: slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}), Ended: func() {}})
	for _, part := range []string{secret[:6], strings.ToUpper(secret[:6])} {
		wantSecretFree(t, res, part)
		if strings.Contains(log.String(), part) {
			t.Errorf("the log shows the secret:\n%s", log.String())
		}
	}
	if all := res.Trace.String() + fmt.Sprint(res.Samples); res.Success() || !strings.Contains(all, "<secret>") {
		t.Errorf("%q: %s\n%s\nwant a failure, and the secret masked", greeting, res.Err, all)
	}
}
