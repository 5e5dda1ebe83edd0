// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/probes"
)

// service is a prober that sends a secret to its target, and another one to a server of its own.
type service struct {
	credential string       // "" = secret
	secret     probe.Secret // written in the module
	server     string       // that the module names; "" = none
	unread     bool         // whether the secret is in a file that cannot be read
}

func (*service) Validate() error { return nil }

func (*service) Probe(context.Context, probe.Target, *probe.Recorder) error { return nil }

func (s *service) Logins(t probe.Target) (all []probe.Login, err error) {
	if t.Raw() == "nonsense" || strings.Contains(t.Raw(), "@") {
		return nil, errors.New("reading target \"" + t.Raw() + "\": no host name")
	}
	if s.credential == "" && s.secret == "" && t.Credential == "" && !s.unread {
		return nil, nil
	}
	own := probe.Login{Credential: cmp.Or(t.Credential, s.credential), Address: t.Raw()}
	if own.Credential == "" {
		own.Secret = s.secret
	}
	all = append(all, own)
	if s.server != "" {
		own.Address, own.Fixed = s.server, true
		all = append(all, own)
	}
	return all, nil
}

// plain is a prober that sends no secrets.
type plain struct{}

func (plain) Validate() error { return nil }

func (plain) Probe(context.Context, probe.Target, *probe.Recorder) error { return nil }

// loadServices loads a configuration whose modules, all of them tcp in the text, are then these probers.
func loadServices(t *testing.T, text string, modules map[string]probe.Prober) (*Config, error) {
	t.Helper()
	var section strings.Builder
	for name := range modules {
		section.WriteString("  " + name + ": {prober: tcp}\n")
	}
	path := filepath.Join(t.TempDir(), "skywatch.yml")
	c, err := parse(path, []byte("modules:\n"+section.String()), probes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	doc, root, err := decode([]byte("modules:\n" + section.String() + text))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := doc.Credentials.Validate(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	for name, p := range modules {
		c.Modules[name].Prober = p
	}
	doc.Modules = c.doc.Modules
	c.doc = doc
	return c, c.completeChecks(root)
}

const someCredentials = `
credentials:
  - {name: listed, password: pw-1, allow: ["mail.example.org:993", "*.inside.example:*"]}
  - {name: used, password: pw-2}
  - {name: idle, password: pw-3}
`

func services() map[string]probe.Prober {
	return map[string]probe.Prober{
		"imap":   &service{secret: "inline"},
		"named":  &service{credential: "used"},
		"barred": &service{credential: "listed"},
		"loop":   &service{secret: "inline", server: "relay.example:25"},
		"relay":  &service{credential: "used", server: "relay.example:25"},
		"open":   &service{},
		"tcp":    plain{},
	}
}

const someChecks = `
checks:
  - {name: A, module: imap, target: "one.example:993"}
  - {name: B, module: named, target: "Two.example.:0993"}
  - {name: C, module: open, target: "three.example:993", credential: used}
  - {name: D, module: barred, target: "mail.example.org:993"}
  - {name: E, module: loop, target: "four.example:993"}
  - {name: F, module: tcp, target: "five.example:993"}
  - {name: G, module: open, target: "six.example:993"}
`

// TestWhereRequestsMaySendSecrets is the rule itself.
func TestWhereRequestsMaySendSecrets(t *testing.T) {
	c, err := loadServices(t, someCredentials+someChecks, services())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		module, target, credential, hostname string
		want                                 string // "" = yes
	}{
		// written in the module: where checks of the module go
		{"imap", "one.example:993", "", "", ""},
		{"imap", "ONE.example.:993", "", "", ""},
		{"imap", "one.example:143", "", "", `Credential "imap" is not allowed for target "one.example:143"`},
		{"imap", "two.example:993", "", "", `Credential "imap" is not allowed for target "two.example:993"`},
		{"imap", "mail.example.org:993", "", "", `Credential "imap" is not allowed for target "mail.example.org:993"`},
		{"loop", "one.example:993", "", "", `Credential "loop" is not allowed for target "one.example:993"`},
		// a credential without allow: where checks with it go, by whatever module
		{"named", "two.example:993", "", "", ""},
		{"named", "three.example:993", "", "", ""},
		{"named", "one.example:993", "", "", `Credential "used" is not allowed for target "one.example:993"`},
		{"named", "six.example:993", "", "", `Credential "used" is not allowed for target "six.example:993"`},
		{"imap", "two.example:993", "used", "", ""},
		{"imap", "one.example:993", "used", "", `Credential "used" is not allowed for target "one.example:993"`},
		{"open", "three.example:993", "idle", "", `Credential "idle" is not allowed for target "three.example:993"`},
		// a credential with allow: there, and nowhere else
		{"open", "mail.example.org:993", "listed", "", ""},
		{"open", "x.inside.example:1", "listed", "", ""},
		{"open", "mail.example.org:143", "listed", "", `Credential "listed" is not allowed for target "mail.example.org:143"`},
		{"barred", "two.example:993", "", "", `Credential "listed" is not allowed for target "two.example:993"`},
		// a server that the module names
		{"loop", "four.example:993", "", "", ""},
		{"loop", "relay.example:25", "", "", `Credential "loop" is not allowed for target "relay.example:25"`},
		{"relay", "two.example:993", "", "", ""},
		{"relay", "mail.example.org:993", "listed", "", `Credential "listed" is not allowed for target "mail.example.org:993"`},
		{"loop", "two.example:993", "used", "", `Credential "used" is not allowed for target "two.example:993"`},
		// the name whose certificate is good
		{"imap", "one.example:993", "", "one.example", ""},
		{"imap", "one.example:993", "", "evil.example", `Credential "imap" is not allowed for hostname "evil.example"`},
		{"imap", "one.example:993", "", "one.example:993", `Credential "imap" is not allowed for hostname "one.example:993"`},
		{"open", "x.inside.example:993", "listed", "mail.example.org", ""},
		{"open", "x.inside.example:143", "listed", "mail.example.org", `Credential "listed" is not allowed for hostname "mail.example.org"`},
		// no secret, no rule
		{"open", "anywhere.example:1", "", "evil.example", ""},
		{"tcp", "anywhere.example:1", "", "", ""},
		// requests without sense
		{"imap", "one.example:993", "nosuch", "", `Unknown credential "nosuch"`},
		{"imap", "one.example:993", "LISTED", "", `Unknown credential "LISTED"`},
		{"tcp", "one.example:993", "used", "", `module "tcp" takes no credential, want one whose prober logs in`},
		{"imap", "nonsense", "", "", `reading target "nonsense": no host name`},
		{"imap", "nora:geheim@one.example:993", "", "", `reading target "nora:<secret>@one.example:993": no host name`},
	} {
		target := probe.NewTarget(test.target)
		target.Credential, target.Hostname = test.credential, test.hostname
		err := c.Modules[test.module].Permitted(target)
		if got := text(err); got != test.want {
			t.Errorf("%s of %q with %q as %q: %s, want %s", test.module, test.target, test.credential, test.hostname, got, test.want)
		}
		refused := new(probe.Refused)
		if err != nil && !errors.As(err, &refused) {
			t.Errorf("%v is no refusal", err)
		}
		if not := strings.Contains(test.want, "is not allowed for"); not != (refused.Cause == probe.RefusedTarget) || not && refused.Address == "" {
			t.Errorf("%s: cause %d, address %q", test.want, refused.Cause, refused.Address)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestParametersDoNotMoveSecrets: a variant that names another server, or another secret, is judged by what stands in the file.
func TestParametersDoNotMoveSecrets(t *testing.T) {
	c, err := loadServices(t, someCredentials+someChecks, services())
	if err != nil {
		t.Fatal(err)
	}
	m := c.Modules["loop"]
	m.Vary = func(p url.Values) (*probe.Module, error) {
		variant := *m
		variant.Prober = &service{secret: "inline", credential: p.Get("own"), server: p.Get("server")}
		return &variant, nil
	}
	for query, want := range map[string]string{
		"server=relay.example:25":                "",
		"server=evil.example:25":                 `Credential "loop" is not allowed for target "four.example:993"`,
		"server=RELAY.example:25&own=listed":     `Credential "listed" is not allowed for target "four.example:993"`,
		"server=relay.example:25&own=used":       `Credential "used" is not allowed for target "four.example:993"`,
		"server=user@relay.example:25":           `Credential "loop" is not allowed for target "four.example:993"`,
		"server=relay.example:25@evil.example:1": `Credential "loop" is not allowed for target "four.example:993"`,
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		variant, err := m.Vary(values)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(variant.Permitted(probe.NewTarget("four.example:993"))); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// TestSecretsOfOneTargetStayThere: what a check brings along for its own target opens no way for the module's own secret.
func TestSecretsOfOneTargetStayThere(t *testing.T) {
	c, err := loadServices(t, someCredentials+someChecks, services())
	if err != nil {
		t.Fatal(err)
	}
	variant := *c.Modules["imap"]
	variant.Prober = &service{secret: "another"}
	for address, m := range map[string]*probe.Module{"seven.example:993": &variant, "eight.example:993": c.Modules["imap"]} {
		if err := c.reachFor(m, probe.NewTarget(address)); err != nil {
			t.Error(err)
		}
	}
	if err := c.Modules["imap"].Permitted(probe.NewTarget("seven.example:993")); err == nil {
		t.Error("the module's secret may go where a check sends another one")
	}
	if err := c.Modules["imap"].Permitted(probe.NewTarget("eight.example:993")); err != nil {
		t.Error(err)
	}
}

// TestUnreadSecretsAreNotTheSame: files that are not there when the configuration is read may hold anything later.
func TestUnreadSecretsAreNotTheSame(t *testing.T) {
	modules := services()
	modules["late"] = &service{unread: true}
	c, err := loadServices(t, someCredentials+someChecks, modules)
	if err != nil {
		t.Fatal(err)
	}
	variant := *c.Modules["late"]
	variant.Prober = &service{unread: true}
	for address, m := range map[string]*probe.Module{"seven.example:993": &variant, "eight.example:993": c.Modules["late"]} {
		if err := c.reachFor(m, probe.NewTarget(address)); err != nil {
			t.Error(err)
		}
		if err := c.Modules["late"].Permitted(probe.NewTarget(address)); (err == nil) != (m == c.Modules["late"]) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestChecksWithCredentials: what is refused at load.
func TestChecksWithCredentials(t *testing.T) {
	for check, want := range map[string]string{
		`{name: a, module: barred, target: "two.example:993"}`:                        `target: "two.example:993": credential "listed" is not allowed there, want "two.example:993" under its allow`,
		`{name: a, module: open, target: "mail.example.org:143", credential: listed}`: `target: "mail.example.org:143": credential "listed" is not allowed there, want "mail.example.org:143" under its allow`,
		`{name: a, module: open, target: "two.example:993", credential: nosuch}`:      `credential: "nosuch" is not configured, want it under credentials`,
		`{name: a, module: tcp, target: "two.example:993", credential: used}`:         `credential: module "tcp" takes no credential, want one whose prober logs in`,
		`{name: a, module: relay, target: "x.inside.example:1", credential: listed}`:  `target: "x.inside.example:1": credential "listed" is not allowed there, want "relay.example:25" under its allow`,
	} {
		_, err := loadServices(t, someCredentials+"checks:\n  - "+check+"\n", services())
		if want = `line 15: check "a": ` + want; text(err) != want {
			t.Errorf("%s:\n%v, want\n%s", check, err, want)
		}
	}
}

// TestCredentialOfACheckIsItsTargets: the check's own credential arrives where probers look for it.
func TestCredentialOfACheckIsItsTargets(t *testing.T) {
	c, err := loadServices(t, someCredentials+someChecks, services())
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range c.Checks {
		if want := map[string]string{"C": "used"}[check.Name]; check.Target.Credential != want {
			t.Errorf("check %s has the credential %q, want %q", check.Name, check.Target.Credential, want)
		}
	}
}

// TestCredentialsInTheFile: lines, and what /config shows.
func TestCredentialsInTheFile(t *testing.T) {
	c, err := loadText(t, "credentials:\n  - {name: box, username: nora, password: canary-1, allow: ['mail:993']}\n  - {name: key, private_key: canary-2, passphrase: canary-3}\nlogin_guard: {pause_max: 1h}\n")
	if err != nil {
		t.Fatal(err)
	}
	shown, err := c.YAML()
	want := "credentials:\n    - name: box\n      username: nora\n      password: <secret>\n      allow:\n        - mail:993\n" +
		"    - name: key\n      private_key: <secret>\n      passphrase: <secret>\nlogin_guard:\n    auth_failures_max: 3\n    pause_min: 15m0s\n    pause_max: 1h0m0s\n"
	if err != nil || string(shown) != want {
		t.Errorf("%v, shown\n%swant\n%s", err, shown, want)
	}
	for text, want := range map[string]string{
		"credentials:\n  - {name: a, password: x}\n  - {name: a, password: x}\n": `line 3: credential "a": name: given twice, want a unique name`,
		"credentials:\n  - {name: a, password: x, alow: ['h:1']}\n":              `line 2: unknown field "alow", want one of allow, name, passphrase, passphrase_file, password, password_file, private_key, private_key_file, username`,
		"credentials: [{name: a, password_file: nosuch}]\n":                      `no such file or directory, want a readable file`,
		"credentials: {a: b}\n":                          `line 1: found a mapping, want a list`,
		"credentials: [{name: a, password: [canary]}]\n": `line 1: found a list, want a text`,
		"login_guard: {auth_failures_max: -1}\n":         `login_guard: auth_failures_max: -1, want 1 to 100, or 0 to pause never`,
		"login_guard: {pause_min: 7h}\n":                 `login_guard: pause_max: 6h0m0s, want pause_min (7h0m0s) to 168h0m0s`,
		"login_guard: {pause: 7h}\n":                     `line 1: unknown field "pause", want one of auth_failures_max, pause_max, pause_min`,
	} {
		if _, err := loadText(t, text); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: %v, want ... %s", text, err, want)
		}
	}
}

// TestSecretFilesLieBesideTheConfiguration: their paths are relative to its directory, wherever skywatch was started.
func TestSecretFilesLieBesideTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "skywatch.yml"), "credentials: [{name: a, password_file: secrets/a}]\n")
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "secrets", "a"), "canary\n")
	if _, err := Load(filepath.Join(dir, "skywatch.yml"), probes.Options{}); err != nil {
		t.Error(err)
	}
}
