// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const smtpPassword = "tanstaaftanstaaf" // of the example of RFC 2195, as is what belongs to it

// smtpSASL are the ways in, as the server sees them, each with the last reply left out.
var smtpSASL = map[string][]probetest.Step{
	"PLAIN": {probetest.Line("AUTH PLAIN " + encode64("\x00tim\x00"+smtpPassword) + "\r\n")},
	"LOGIN": append(smtpSays("AUTH LOGIN", "334 VXNlcm5hbWU6", encode64("tim"), "334 UGFzc3dvcmQ6"), probetest.Line(encode64(smtpPassword)+"\r\n")),
	"CRAM-MD5": append(smtpSays("AUTH CRAM-MD5", "334 "+encode64("<1896.697170952@postoffice.reston.mci.net>")),
		probetest.Line(encode64("tim b913a602c7eda7a495b4e6e7334d3890")+"\r\n")),
	"XOAUTH2": {probetest.Line("AUTH XOAUTH2 " + encode64("user=tim\x01auth=Bearer "+smtpPassword+"\x01\x01") + "\r\n")},
}

func encode64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

const smtpAccount = ", username: tim, password: " + smtpPassword

// TestSMTPMechanisms: each is spoken as its description says, the verdict is noted, and nothing that is sent shows.
func TestSMTPMechanisms(t *testing.T) {
	for name, steps := range smtpSASL {
		section := "tls: none, auth: " + strings.ToLower(name) + smtpAccount
		hello := smtpHello("AUTH LOGIN PLAIN CRAM-MD5 XOAUTH2")
		res := probeSMTP(t, section, slices.Concat(hello, steps, []probetest.Step{probetest.Send("235 2.7.0 ok\r\n")}, smtpSays("NOOP", "250 ok", "QUIT", "221 bye"))...)
		if !res.Success() || len(res.Logins) != 1 || !res.Logins[0].Accepted || res.Logins[0].Secret != smtpPassword {
			t.Errorf("%s: %s with %d logins", name, res.Err, len(res.Logins))
		}
		wantSMTPSecretFree(t, res)
		echo := "535 5.7.8 you said " + smtpPassword + " " + encode64(smtpPassword) + " b913a602c7eda7a495b4e6e7334d3890 " +
			encode64("\x00tim\x00"+smtpPassword) + " " + encode64("tim b913a602c7eda7a495b4e6e7334d3890") + "\r\n"
		res = probeSMTP(t, section, slices.Concat(hello, steps, []probetest.Step{probetest.Send(echo), probetest.Line("QUIT\r\n")})...)
		if res.Reason != probe.ReasonAuth || len(res.Logins) != 1 || res.Logins[0].Accepted {
			t.Errorf("%s: reason %s (%s), %d logins", name, res.Reason, res.Err, len(res.Logins))
		}
		wantSMTPSecretFree(t, res)
	}
}

// wantSMTPSecretFree looks for the forms of the password that the server echoed; the digest is only sent, and so only hidden, by CRAM-MD5.
func wantSMTPSecretFree(t *testing.T, res probe.Result) {
	t.Helper()
	wantSecretFree(t, res, smtpPassword)
	wantSecretFree(t, res, encode64(smtpPassword))
	wantSecretFree(t, res, encode64("\x00tim\x00"+smtpPassword))
	if strings.Contains(res.Trace.String(), "AUTH CRAM-MD5") {
		wantSecretFree(t, res, "b913a602c7eda7a495b4e6e7334d3890")
		wantSecretFree(t, res, encode64("tim b913a602c7eda7a495b4e6e7334d3890"))
	}
}

// TestSMTPChoice shows which mechanism is taken when the module names none.
func TestSMTPChoice(t *testing.T) {
	ca := probetest.NewCA(t)
	secure := fmt.Sprintf("tls: tls, tls_config: {ca_file: %q}", ca.File())
	for _, test := range []struct{ section, offer, want string }{
		{"tls: none", "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2", "CRAM-MD5"},
		{"tls: none", "AUTH LOGIN PLAIN", "PLAIN"},
		{secure, "AUTH CRAM-MD5 LOGIN PLAIN", "PLAIN"},
		{secure, "auth login cram-md5", "LOGIN"},
		{secure, "AUTH=LOGIN", "LOGIN"},
		{secure, "AUTH SCRAM-SHA-1 CRAM-MD5", "CRAM-MD5"},
	} {
		var script []probetest.Step
		if test.section == secure {
			script = []probetest.Step{probetest.TLS(probetest.Config(ca.Good()))}
		}
		script = slices.Concat(script, smtpHello(test.offer), smtpSASL[test.want], []probetest.Step{probetest.Send("235 ok\r\n")}, smtpSays("NOOP", "250 ok", "QUIT", "221 bye"))
		if res := probeSMTP(t, test.section+smtpAccount, script...); !res.Success() {
			t.Errorf("%s of %q: %s", test.want, test.offer, res.Err)
		}
	}
}

func TestSMTPAuthFailures(t *testing.T) {
	plain := func(reply string, more ...probetest.Step) []probetest.Step {
		return slices.Concat(smtpHello("AUTH PLAIN"), smtpSASL["PLAIN"], []probetest.Step{probetest.Send(reply + "\r\n")}, more)
	}
	quit := probetest.Line("QUIT\r\n")
	for _, test := range []struct {
		auth   string
		script []probetest.Step
		reason probe.Reason
		text   string
		logins int
	}{
		{"plain", plain("535 5.7.8 authentication failed", quit), probe.ReasonAuth,
			`logging in to "SERVER" as "tim": refused with "535 5.7.8 authentication failed", want it accepted`, 1},
		{"plain", plain("534 5.7.9 use another mechanism", quit), probe.ReasonAuth,
			`logging in to "SERVER" as "tim": refused with "534 5.7.9 use another mechanism", want it accepted`, 1},
		{"plain", plain("454 4.7.0 try later", quit), probe.ReasonResponse,
			`logging in to "SERVER" as "tim": put off with "454 4.7.0 try later", want it accepted`, 0},
		{"plain", plain("530 5.7.0 Must issue a STARTTLS command first", quit), probe.ReasonResponse,
			`logging in with PLAIN to "SERVER": refused with "530 5.7.0 Must issue a STARTTLS command first", want 235`, 0},
		{"plain", plain("538 5.7.11 Encryption required for requested authentication mechanism", quit), probe.ReasonResponse,
			`logging in with PLAIN to "SERVER": refused with "538 5.7.11 Encryption required for requested authentication mechanism", want 235`, 0},
		{"plain", plain("504 5.5.4 no such thing", quit), probe.ReasonResponse,
			`logging in with PLAIN to "SERVER": refused with "504 5.5.4 no such thing", want 235`, 0},
		{"plain", plain("334 more", probetest.Line("")), probe.ReasonProtocol, `logging in with PLAIN to "SERVER": got "334 more", want 235`, 0},
		{"plain", plain("250 ok", probetest.Line("")), probe.ReasonProtocol, `logging in with PLAIN to "SERVER": got "250 ok", want 235`, 0},
		{"cram-md5", plainOnly(), probe.ReasonResponse, `logging in to "SERVER": the mechanisms offered are "PLAIN", want CRAM-MD5`, 0},
		{"login", append(smtpHello("AUTH LOGIN"), append(smtpSays("AUTH LOGIN", "334 no base64"), probetest.Line(""))...), probe.ReasonProtocol,
			`sending AUTH LOGIN to "SERVER": got the challenge "no base64", want base64`, 0},
		{"xoauth2", slices.Concat(smtpHello("AUTH XOAUTH2"), smtpSASL["XOAUTH2"], []probetest.Step{probetest.Send("334 " + encode64(`{"status":"401"}`) + "\r\n")},
			smtpSays("", "535 5.7.8 no", "QUIT", "")), probe.ReasonAuth,
			`logging in to "SERVER" as "tim": refused with "535 5.7.8 no {\"status\":\"401\"}", want it accepted`, 1},
	} {
		res := probeSMTP(t, "tls: none, auth: "+test.auth+smtpAccount, test.script...)
		if diff := cmp.Diff(atServer(res, test.text), res.Err); diff != "" || res.Reason != test.reason || len(res.Logins) != test.logins {
			t.Errorf("reason %s, %d logins (-want +got)\n%s", res.Reason, len(res.Logins), diff)
		}
	}
	res := probeSMTP(t, "tls: none"+smtpAccount, append(smtpHello("SIZE"), probetest.Line(""))...)
	want := `logging in to "SERVER": AUTH is not offered, but "SIZE", want it; servers that protect passwords offer it with tls: starttls or tls only`
	if diff := cmp.Diff(atServer(res, want), res.Err); diff != "" || res.Reason != probe.ReasonResponse {
		t.Errorf("reason %s (-want +got)\n%s", res.Reason, diff)
	}
}

func plainOnly() []probetest.Step { return append(smtpHello("AUTH PLAIN"), probetest.Line("")) }
