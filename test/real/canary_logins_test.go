// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The places where a secret may be configured.
const (
	inlineSecret = "inline"
	fileSecret   = "file"
	namedSecret  = "credential"
)

// canaryLogin is a prober with a way to log in.
type canaryLogin struct {
	name, prober string
	keys         string // LOGIN stands for who logs in, BOX for the address of the mailbox
	speak        func(c *parrotTalk)
	box          func(c *parrotTalk) // at BOX; nil = there is none
	places       []string            // where the secret is
}

// canaryLogins are the probers that speak with parrots.
func canaryLogins(t *testing.T) []canaryLogin {
	t.Helper()
	conf, ca := canaryTLS(t)
	all, one := []string{inlineSecret, fileSecret, namedSecret}, []string{inlineSecret}
	loop := "LOGIN, tls: none, from: a@skywatch.test, to: b@skywatch.test, wait: 10ms, poll: 10ms, "
	own := strings.Replace(loop, "LOGIN, ", "", 1) + "mailbox: {server: 'BOX', tls: none, LOGIN, preferred_ip_protocol: ip4, "
	return []canaryLogin{
		{"smtp_plain", "smtp", "tls: none, auth: plain, LOGIN", parrotSMTP, nil, all},
		{"smtp_login", "smtp", "tls: none, auth: login, LOGIN", parrotSMTP, nil, []string{fileSecret}},
		{"smtp_cram", "smtp", "tls: none, auth: cram-md5, LOGIN", parrotSMTP, nil, all},
		{"smtp_xoauth2", "smtp", "tls: none, auth: xoauth2, LOGIN", parrotSMTP, nil, []string{inlineSecret, namedSecret}},
		{"imap_login", "imap", "tls: none, auth: login, LOGIN", parrotIMAP, nil, all},
		{"imap_plain", "imap", "tls: none, auth: plain, LOGIN", parrotIMAP, nil, []string{fileSecret}},
		{"imap_cram", "imap", "tls: none, auth: cram-md5, LOGIN", parrotIMAP, nil, all},
		{"imap_xoauth2", "imap", "tls: none, auth: xoauth2, LOGIN", parrotIMAP, nil, []string{inlineSecret, namedSecret}},
		{"pop3_user", "pop3", "tls: none, auth: user, LOGIN", parrotPOP3, nil, all},
		{"pop3_apop", "pop3", "tls: none, auth: apop, LOGIN", parrotPOP3, nil, all},
		{"ftp", "ftp", "tls: none, LOGIN", parrotFTP(false), nil, all},
		{"ftp_account", "ftp", "tls: none, username: watch, password: x, account: CANARY", parrotFTP(true), nil, one},
		{"mysql_native", "mysql", "tls: none, mode: ping, LOGIN", parrotMySQL(nil), nil, all},
		{"mysql_clear", "mysql", fmt.Sprintf("tls_config: {ca_file: %q}, mode: ping, allow_cleartext_passwords: true, LOGIN", ca), parrotMySQL(conf), nil, all},
		{"mailloop_both", "mailloop", loop + "mailbox: {server: 'BOX', tls: none, preferred_ip_protocol: ip4}", parrotSMTP, parrotIMAP, all},
		{"mailloop_imap", "mailloop", own + "auth: cram-md5}", parrotSMTP, parrotIMAP, all},
		{"mailloop_pop3", "mailloop", own + "protocol: pop3, auth: apop}", parrotSMTP, parrotPOP3, all},
	}
}

// canaryLoginRows are the rows of them.
func canaryLoginRows(t *testing.T) (rows []canary) {
	t.Helper()
	dir := t.TempDir()
	for _, login := range canaryLogins(t) {
		for _, place := range login.places {
			row := canary{name: login.name + "_" + place, prober: login.prober}
			row.secret = canarySecret(row.name, len(rows))
			server := newParrot(t, row.secret, login.speak)
			row.parrots, row.keys = []*parrot{server}, login.keys
			if login.box != nil {
				box := newParrot(t, row.secret, login.box)
				row.parrots, row.keys = append(row.parrots, box), strings.Replace(row.keys, "BOX", box.serve(), 1)
			}
			row.place(t, dir, place, "password")
			row.serve = func(*testing.T, string, []string) string { return server.serve() }
			rows = append(rows, row)
		}
	}
	return append(rows, canaryOpenStackRows(t, dir)...)
}

// canarySecret makes one up. Those of every other row may be the name of an extension or a capability.
func canarySecret(name string, i int) string {
	if i%2 == 1 {
		return fmt.Sprintf("kanarienvogel%dkanarienvogel", i)
	}
	return fmt.Sprintf("cana+ry/%s&%d/cana+ry", name, i)
}

// place puts the secret where it is to be; key is that of the secret.
func (c *canary) place(t *testing.T, dir, place, key string) {
	t.Helper()
	login := "username: watch, " + key + ": CANARY"
	switch place {
	case fileSecret:
		file := filepath.Join(dir, c.name)
		writeFile(t, file, c.secret+"\n")
		login = "username: watch, " + key + "_file: " + strconv.Quote(file)
		c.elsewhere = true
	case namedSecret:
		login = "credential: " + c.name
		c.named = true
	}
	c.keys = strings.Replace(c.keys, "LOGIN", login, 1)
}

// canaryOpenStackRows are those with a token.
func canaryOpenStackRows(t *testing.T, dir string) (rows []canary) {
	t.Helper()
	const user, application = "user_domain_name: Default, LOGIN", "application_credential_name: a, user_domain_name: Default, LOGIN"
	for i, login := range []struct {
		name, keys, place, key string
		version                int
	}{
		{"openstack", user, inlineSecret, "password", 3},
		{"openstack", user, fileSecret, "password", 3},
		{"openstack", user, namedSecret, "password", 3},
		{"openstack_application", application, inlineSecret, "application_credential_secret", 3},
		{"openstack_application", application, fileSecret, "application_credential_secret", 3},
		{"openstack_2", "LOGIN", inlineSecret, "password", 2},
	} {
		row := canary{name: login.name + "_" + login.place, prober: "http", serve: canaryService}
		row.secret = canarySecret(row.name, i)
		row.keys = fmt.Sprintf("openstack: {auth_url: %q, %s}", parrotKeystone(t, row.secret, login.version), login.keys)
		row.place(t, dir, login.place, login.key)
		rows = append(rows, row)
	}
	return rows
}
