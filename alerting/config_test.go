// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
)

// read decodes as strictly as the daemon does.
func read(text string) (Config, error) {
	c := DefaultConfig()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	err := decoder.Decode(&c)
	return c, err
}

func TestConfigIsRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := read(`
notifiers:
- {name: ops, email: {smarthost: "mail.example.org:587", from: "W <w@example.org>", to: [a@example.org], username: w, password_file: password}}
- {name: screen, log: {}}
alerting: {group_wait: 0s, expire: 2d}
summary: {notify: [ops]}
`)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDirectory(dir)
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	want := Config{
		Notifiers: []NotifierConfig{
			{Name: "ops", Email: &EmailConfig{
				Smarthost: "mail.example.org:587", TLS: "starttls", From: "W <w@example.org>", To: []string{"a@example.org"},
				Username: "w", PasswordFile: filepath.Join(dir, "password"),
			}},
			{Name: "screen", Log: &LogConfig{}},
		},
		Policy: Policy{
			RetryMin: probe.Duration(5 * time.Second), RetryMax: probe.Duration(15 * time.Minute), Expire: probe.Duration(48 * time.Hour),
		},
		Summary: SummaryConfig{At: "07:00", Notify: []string{"ops"}},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := c.Notifiers[0].domain() + " " + c.Notifiers[1].domain(); got != "example.org localhost" {
		t.Errorf("domains %q, want those of the sender and localhost", got)
	}
}

func TestAbsentSections(t *testing.T) {
	c, err := read("{}")
	if err != nil || c.Validate() != nil || c.Summary.At != "" || c.Policy != DefaultPolicy() {
		t.Errorf("%+v, %v, want the defaults and no summary", c, err)
	}
}

func TestInvalidConfig(t *testing.T) {
	const good = `smarthost: "h:25", from: a@b.c, to: [d@e.f]`
	mail := func(rest string) string { return "notifiers: [{name: ops, email: {" + rest + "}}]" }
	tests := []struct{ text, want string }{
		{"notifiers: [{log: {}}]", "notifiers: number 1 has no name, want a name"},
		{"notifiers: [{name: x, log: {}}, {name: x, log: {}}]", `notifier "x": defined twice, want one of each name`},
		{"notifiers: [{name: x}]", `notifier "x": has no kind, want email: {...} or log: {}`},
		{"notifiers: [{name: x, log: {}, email: {}}]", `notifier "x": has both email and log, want one of them`},
		{mail(`from: a@b.c`), `notifier "ops": email: smarthost "": not understood, want host:port such as mail.example.org:587`},
		{mail(`smarthost: "h:0"`), `notifier "ops": email: smarthost "h:0": not understood, want host:port such as mail.example.org:587`},
		{mail(`smarthost: "smtp://nora:canary@h:25"`), `notifier "ops": email: smarthost "smtp://h:25": not understood, want host:port such as mail.example.org:587`},
		{mail(`smarthost: "h:25", tls: yes`), `notifier "ops": email: tls "yes": unknown, want starttls, tls or none`},
		{mail(`smarthost: "h:25", from: nobody`), `notifier "ops": email: from "nobody": mail: missing '@' or angle-addr, want a mail address`},
		{mail(`smarthost: "h:25", from: a@b.c`), `notifier "ops": email: to: empty, want at least one mail address`},
		{mail(`smarthost: "h:25", from: a@b.c, to: [""]`), `notifier "ops": email: to "": mail: no address, want a mail address`},
		{mail(good + `, hello: "a b"`), `notifier "ops": email: hello "a b": has white space, want a host name`},
		{mail(good + `, username: u`), `notifier "ops": email: password: empty, want password or password_file beside the username`},
		{mail(good + `, password: p`), `notifier "ops": email: username: empty, want one beside the password`},
		{mail(good + `, username: u, password: p, password_file: f`), `notifier "ops": email: both password and password_file are set, want one of them`},
		{mail(good + `, username: u, password_file: /no/such`),
			`notifier "ops": email: password_file: open /no/such: no such file or directory, want a readable file`},
		{mail(good + `, tls_config: {ca_file: /no/such}`),
			`notifier "ops": email: tls_config: ca_file: open /no/such: no such file or directory, want a readable file`},
		{mail(good + `, tls_config: {ca_file: /dev/null}`),
			`notifier "ops": email: tls_config: ca_file "/dev/null": no certificate found, want PEM`},
		{"alerting: {group_wait: 2h}", `alerting: group_wait "2h0m0s": out of range, want 0s to 1h`},
		{"alerting: {retry_min: 1ms}", `alerting: retry_min "1ms": too short, want at least 100ms`},
		{"alerting: {retry_max: 1s}", `alerting: retry_max "1s": out of range, want retry_min (5s) to 24h`},
		{"alerting: {expire: 1m}", `alerting: expire "1m0s": too short, want at least retry_max (15m0s)`},
		{"summary: {at: 7}", `summary: at "7": not understood, want a local time such as "07:00"`},
		{"summary: {notify: [x]}", `summary: notify "x": no such notifier, want one of []`},
		{"alerting: {group_wai: 2h}", "line 1: field group_wai not found"},
		{"summary: {when: x}", "line 1: field when not found"},
		{mail(good + `, smarthots: x`), "line 1: field smarthots not found"},
	}
	for _, test := range tests {
		c, err := read(test.text)
		if err == nil {
			err = c.Validate()
		}
		if err == nil || err.Error() != test.want && !strings.Contains(err.Error(), "field") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s:\n%v, want\n%s", test.text, err, test.want)
		}
	}
}

func TestConfigHidesThePassword(t *testing.T) {
	c, err := read(`notifiers: [{name: ops, email: {smarthost: "h:25", from: a@b.c, to: [d@e.f], username: u, password: ` + canary + `}}]`)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(c)
	if err != nil || !strings.Contains(string(text), "password: <secret>") {
		t.Errorf("yaml, error %v:\n%s\nwant the password hidden", err, text)
	}
	secretIn(t, string(text))
	secretIn(t, fmt.Sprintf("%v %+v %#v", c.Notifiers[0].Email, *c.Notifiers[0].Email, *c.Notifiers[0].Email))
	again, err := read(strings.Replace(string(text), "<secret>", canary, 1))
	if diff := cmp.Diff(c, again); err != nil || diff != "" {
		t.Errorf("read back, error %v (-want +got):\n%s", err, diff)
	}
}
