// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap && !nopop3

package probes

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// parrotSteps answers each of n lines of the client with what it said itself, in the given form.
func parrotSteps(n int, form string) []probetest.Step {
	var steps []probetest.Step
	for range n {
		steps = append(steps, func(_ testing.TB, c *probetest.Conn) error {
			said, err := c.In.ReadString('\n')
			if err != nil {
				return nil // the prober has had enough
			}
			_, err = fmt.Fprintf(c, form, strings.TrimRight(said, "\r\n"))
			return err
		})
	}
	return steps
}

// TestMailSecrets meets servers that say again what they were told, which is the password, the token, or what was made of them.
func TestMailSecrets(t *testing.T) {
	const password = `pass"wo\rd-1`
	encoded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	const caps = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=CRAM-MD5 AUTH=XOAUTH2] ready"
	for _, test := range []struct {
		prober, auth, greeting string
		lines                  int
		form                   string
		never                  []string
	}{
		{"imap", "login", caps, 1, "s1 NO %s\r\n", []string{password, `pass\"wo\\rd-1`}},
		{"imap", "plain", caps, 1, "s1 NO %s\r\n", []string{encoded("\x00u\x00" + password)}},
		{"imap", "xoauth2", caps, 1, "+ %s\r\n", []string{strings.Trim(encoded(password), "=")}},
		{"imap", "xoauth2", caps, 1, "s1 NO [ALERT] %s\r\n", []string{encoded("user=u\x01auth=Bearer " + password + "\x01\x01")}},
		{"imap", "cram-md5", caps, 2, "+ %s PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n", []string{"PASSWORD"}},
		{"pop3", "user", "+OK ready", 3, "-ERR [AUTH] %s\r\n", []string{password}},
		{"pop3", "apop", "+OK <1.2@x>", 2, "-ERR %s\r\n", []string{"d7a67fc5b7bdb5d0ae5f53a3a0d1c8ba"}},
	} {
		section := fmt.Sprintf(`{tls: none, username: u, password: %q, auth: %s}`, password, test.auth)
		server := probetest.Serve(t, append([]probetest.Step{probetest.Send(test.greeting + "\r\n")}, parrotSteps(test.lines, test.form)...)...)
		res := runProbe(t, t.Context(), testModule(t, Options{}, test.prober, section), server.Addr, long)
		if res.Success() {
			t.Errorf("%s %s: up, want a failure", test.prober, test.auth)
		}
		for _, text := range append(test.never, password) {
			wantSecretFree(t, res, text)
		}
		server.Close()
	}
}

// TestDerivedSecretsAreHidden: what mechanisms make of a password is as good as the password, or lets it be guessed.
func TestDerivedSecretsAreHidden(t *testing.T) {
	const digest = "b913a602c7eda7a495b4e6e7334d3890" // of RFC 2195
	server := probetest.Serve(t, lines(`
		< * OK [CAPABILITY IMAP4rev1 AUTH=CRAM-MD5] ready
		> s1 AUTHENTICATE CRAM-MD5
		< + PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+
		> dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw
		< s1 NO dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw `+digest)...)
	res := runProbe(t, t.Context(), testModule(t, Options{}, "imap", `{tls: none, username: tim, password: tanstaaftanstaaf, auth: cram-md5}`), server.Addr, long)
	wantSecretFree(t, res, digest)
	wantSecretFree(t, res, "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw")
	if want := `refused with "NO <secret> <secret>"`; res.Reason != probe.ReasonAuth || !strings.Contains(res.Err, want) {
		t.Errorf("%s: %s, want %s", res.Reason, res.Err, want)
	}
	server = probetest.Serve(t, lines(pop3Hello+"> APOP mrose c4c9334bac560ecc979e58001b3e22fb\n< -ERR c4c9334bac560ecc979e58001b3e22fb")...)
	res = runProbe(t, t.Context(), testModule(t, Options{}, "pop3", `{tls: none, username: mrose, password: tanstaaf, auth: apop}`), server.Addr, long)
	wantSecretFree(t, res, "c4c9334bac560ecc979e58001b3e22fb")
}
