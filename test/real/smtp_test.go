// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"skywatch/internal/probetest"
)

// mailServers are Postfix and the Dovecot behind it.
type mailServers struct {
	*peers
	dovecot, postfix                                       *server
	imap, imaps, pop3, smtp, submission, smtps, lmtp, auth int
}

// startMail starts both. parameters are those of Postfix that are not as in its recipe.
func startMail(t *testing.T, parameters ...string) *mailServers {
	t.Helper()
	return startMailWith(t, nil, parameters...)
}

// startMailWith is startMail with what the recipe of Dovecot is told.
func startMailWith(t *testing.T, env []string, parameters ...string) *mailServers {
	t.Helper()
	m := &mailServers{peers: newPeers(t), imap: probetest.HoldPort(), imaps: probetest.HoldPort(), pop3: probetest.HoldPort(), smtp: probetest.HoldPort(), submission: probetest.HoldPort(), smtps: probetest.HoldPort(),
		lmtp: probetest.HoldPort(), auth: probetest.HoldPort()}
	m.dovecot = m.server("dovecot", greets(m.imap, "* OK"), m.imap, m.imaps, m.pop3, probetest.HoldPort(), m.lmtp, m.auth)
	m.postfix = m.server("postfix", greets(m.submission, "220 "), m.smtp, m.submission, m.smtps, m.lmtp, m.auth)
	m.dovecot.env, m.postfix.more = env, parameters
	m.dovecot.start()
	m.postfix.start()
	return m
}

// trust is the tls_config for the servers' certificate.
func (m *mailServers) trust() string {
	return fmt.Sprintf("tls_config: {ca_file: %q, server_name: localhost}", filepath.Join(m.pki(), "ca.pem"))
}

// inClear makes Postfix take logins on its first port without TLS.
var inClear = []string{"smtpd_sasl_auth_enable=yes", "smtpd_tls_auth_only=no"}

const watchAccount = "username: watch@skywatch.test, password: Watch-pw1"

func TestSMTPMatrix(t *testing.T) {
	m := startMail(t, inClear...)
	loggedIn := func(_, toClient []byte) bool { return bytes.Contains(toClient, []byte("\r\n235 ")) }
	for _, row := range []matrix{
		{secure: "tls: starttls", securePort: m.submission}, // frozen once TLS runs, which is seen in the bytes whatever came before
		{secure: "tls: tls", securePort: m.smtps},
	} {
		row.prober, row.server, row.clear, row.clearPort = "smtp", m.postfix, "tls: none", m.smtp
		row.username, row.password = "watch@skywatch.test", "Watch-pw1"
		row.greeted, row.loggedIn = afterReply("220 "), loggedIn
		row.run(t)
	}
}

// TestSMTPDelivery: what Postfix refuses is told with its codes, `rcpt` leaves nothing behind, `message` arrives.
func TestSMTPDelivery(t *testing.T) {
	m := startMail(t)
	envelope := "from: watch@skywatch.test, to: [%s]"
	module := func(name, section string, a ...any) string {
		return fmt.Sprintf("  %s: {prober: smtp, timeout: 60s, smtp: {%s, %s}}\n", name, fmt.Sprintf(section, a...), m.trust())
	}
	c := newCommand(t, m.dir, module("rcpt", envelope, "watch@skywatch.test")+module("unknown", envelope, "nobody@skywatch.test")+
		module("relay", envelope, "someone@elsewhere.test")+module("early", envelope+", tls: none", "watch@skywatch.test")+
		module("nologin", "credential: good")+module("message", envelope+", send: message, credential: good", "watch@skywatch.test")+
		module("need", "require: [STARTTLS, SIZE, 8BITMIME, PIPELINING]")+module("lacks", "require: [XCLIENT]"), "watch@skywatch.test", "Watch-pw1")
	smtp, submission := local(m.smtp), local(m.submission)
	for _, test := range []struct{ module, target, want, status string }{
		{"unknown", smtp, `sending "RCPT TO:<nobody@skywatch.test>" to "` + smtp + `": refused with "550 5.1.1 <nobody@skywatch.test>: Recipient address rejected: User unknown`, `code="550",enhanced="5.1.1"`},
		{"relay", smtp, `refused with "554 5.7.1 <someone@elsewhere.test>: Relay access denied", want 2xx`, `code="554",enhanced="5.7.1"`},
		{"early", submission, `refused with "530 5.7.0 Must issue a STARTTLS command first", want 2xx`, `code="530",enhanced="5.7.0"`},
		{"nologin", smtp, `AUTH is not offered`, ``},
		{"lacks", smtp, `want XCLIENT`, ``},
	} {
		o := c.want(test.module, test.target, "response")
		if !strings.Contains(o.Error, test.want) || !hasMetric(o, "probe_smtp_status_info", test.status) {
			t.Errorf("%s: %s with %v\nwant ...%s... and %s", test.module, o.Error, o.Metrics, test.want, test.status)
		}
	}
	c.want("need", smtp, "")
	c.want("rcpt", smtp, "")
	o := c.want("message", submission, "")
	for _, phase := range []string{"resolve", "connect", "greeting", "ehlo", "tls", "auth", "mail", "rcpt", "data", "quit"} {
		if !hasMetric(o, "probe_smtp_duration_seconds", `phase="`+phase+`"`) {
			t.Errorf("no phase %s in %v", phase, o.Metrics)
		}
	}
	inbox := openMailbox(t, m.peers, m.imaps)
	eventually(t, "the one message", func() error {
		all, err := inbox.letters()
		if err == nil && len(all) != 1 {
			err = fmt.Errorf("%d messages, want one", len(all))
		}
		if err == nil && !strings.HasPrefix(all[0].subject, "skywatch probe ") {
			t.Errorf("subject %q", all[0].subject)
		}
		return err
	})
}

func hasMetric(o outcome, name, label string) bool {
	for series := range o.Metrics {
		if strings.HasPrefix(series, name) && strings.Contains(series, label) {
			return true
		}
	}
	return false
}

// TestSMTPMechanismsReal logs in with every mechanism that Dovecot has for Postfix.
func TestSMTPMechanismsReal(t *testing.T) {
	m := startMailWith(t, []string{"DOVECOT_OAUTH2=" + introspection(t).URL}, inClear...)
	for name, secret := range map[string]string{"plain": mailPassword, "login": mailPassword, "cram-md5": mailPassword, "xoauth2": goodToken} {
		section := fmt.Sprintf("auth: %s, %s}}\n", name, m.trust())
		c := newCommand(t, m.dir, "  right: {prober: smtp, timeout: 60s, smtp: {credential: good, "+section+
			"  wrong: {prober: smtp, timeout: 60s, smtp: {credential: bad, "+section, mailUser, secret)
		if o := c.want("right", local(m.submission), ""); !strings.Contains(o.Trace, `> "AUTH `+strings.ToUpper(name)) {
			t.Errorf("%s was not used:\n%s", name, o.Trace)
		}
		if o := c.want("wrong", local(m.submission), "auth"); !strings.Contains(o.Error, `as "watch@skywatch.test": refused with "535 5.7.8 Error: authentication failed`) {
			t.Errorf("%s: %s", name, o.Error)
		}
	}
	c := newCommand(t, m.dir, "  best: {prober: smtp, timeout: 60s, smtp: {credential: good, tls: none}}\n", mailUser, mailPassword)
	if o := c.want("best", local(m.smtp), ""); !strings.Contains(o.Trace, `> "AUTH CRAM-MD5"`) {
		t.Errorf("in clear text, want CRAM-MD5:\n%s", o.Trace)
	}
}
