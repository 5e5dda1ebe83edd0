// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

var descLinkPhase = phaseDesc("link", "resolve, connect, tls, greeting")

// linkProber says hello over a link: greeting, STARTTLS if wanted, login by the line "<user> <password>".
type linkProber struct {
	ServiceConfig `yaml:",inline"`
}

func (p *linkProber) Validate() error { return p.validate() }

func (p *linkProber) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	l, err := p.open(ctx, t, descLinkPhase, 0, r)
	if err != nil {
		return err
	}
	talk := l.text()
	defer l.close()
	if _, err := talk.readLine("a greeting"); err != nil {
		return err
	}
	l.done("greeting")
	if p.TLS == tlsStart {
		if err := talk.startTLS(ctx); err != nil {
			return err
		}
	}
	who, err := l.login()
	if err != nil || who == nil {
		return err
	}
	if err := talk.say(who.username + " " + who.Secret.Reveal()); err != nil {
		return err
	}
	answer, err := talk.readLine("a verdict")
	if err != nil {
		return err
	}
	if answer != "ok" {
		return who.refused(r, answer)
	}
	who.accepted(r)
	return nil
}

func newLinkModule(t testing.TB, o Options, change func(c *ServiceConfig)) *probe.Module {
	t.Helper()
	o.Resolver = localhost
	p := &linkProber{newServiceConfig(o, 1, 2)}
	change(&p.ServiceConfig)
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	return &probe.Module{Name: "m", Kind: "link", Prober: p, Secrets: secretsOf(p)}
}

func TestLinkFailures(t *testing.T) {
	ca := probetest.NewCA(t)
	for name, test := range map[string]struct {
		tls    string
		script []probetest.Step
		reason probe.Reason
		text   string
	}{
		"closed":         {tlsNone, nil, probe.ReasonProtocol, "connection closed, want a greeting"},
		"NUL":            {tlsNone, []probetest.Step{probetest.Send("hel\x00lo\r\n")}, probe.ReasonProtocol, `got "hel\x00lo", want a greeting in a line of text`},
		"cut":            {tlsNone, []probetest.Step{probetest.Send("hello")}, probe.ReasonProtocol, `got "hello", want a greeting in a line of text`},
		"long":           {tlsNone, []probetest.Step{probetest.Send(strings.Repeat("a", maxReplyLine+1) + "\r\n")}, probe.ReasonProtocol, "want a greeting in a line of text of at most 5120 bytes"},
		"endless":        {tlsNone, []probetest.Step{probetest.Endless("a")}, probe.ReasonProtocol, "line longer than 65535 bytes"},
		"early text":     {tlsStart, []probetest.Step{probetest.Send("hello\r\ninjected\r\n")}, probe.ReasonProtocol, `got "injected\r\n" before the handshake, want nothing`},
		"no TLS":         {tlsStart, []probetest.Step{probetest.Send("hello\r\n"), probetest.Meanwhile(func() {}), probetest.Garbage()}, probe.ReasonProtocol, ""},
		"text, not TLS":  {tlsImplicit, []probetest.Step{probetest.Send("220 hello\r\n")}, probe.ReasonProtocol, "the server does not speak TLS here, is tls: tls right for this port?"},
		"expired":        {tlsImplicit, []probetest.Step{probetest.TLS(probetest.Config(ca.Expired()))}, probe.ReasonTLS, "certificate has expired"},
		"silent":         {tlsNone, []probetest.Step{probetest.Silence()}, probe.ReasonTimeout, "want a greeting"},
		"silent for TLS": {tlsImplicit, []probetest.Step{probetest.Silence()}, probe.ReasonTimeout, "not done in time"},
	} {
		inTime(t, test.reason, func(t testing.TB, timeout time.Duration) {
			m := newLinkModule(t, Options{}, func(c *ServiceConfig) { c.TLS, c.TLSConfig.CA = test.tls, string(ca.PEM) })
			server := probetest.Serve(t, test.script...)
			res := runProbe(t, t.Context(), m, strings.Replace(server.Addr, "127.0.0.1", "localhost", 1), timeout)
			if res.Reason != test.reason || !strings.Contains(res.Err, test.text) {
				t.Errorf("%s: %s: %s, want %s: ...%s...", name, res.Reason, res.Err, test.reason, test.text)
			}
		})
	}
}

// TestLinkLogsIn shows whose secret is sent: the one that the target picks, the module's credential, the module's own account, each as it
// is in its file now.
func TestLinkLogsIn(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte("from-file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	credentials := Credentials{{Name: "named", Account: Account{Username: "nora", Password: "named-pw"}}, {Name: "filed", Account: Account{Username: "fred", PasswordFile: "secret"}}}
	if _, err := credentials.Validate(dir); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		login        LoginConfig
		pick, says   string
		wantAccepted bool
	}{
		{LoginConfig{Account: Account{Username: "anna", Password: "own-pw"}}, "", "anna own-pw", true},
		{LoginConfig{Credential: "named"}, "", "nora named-pw", true},
		{LoginConfig{Credential: "named"}, "filed", "fred from-file", true},
		{LoginConfig{Account: Account{Username: "anna", Password: "own-pw"}}, "filed", "fred from-file", false},
	} {
		answer := map[bool]string{true: "ok", false: "no"}[test.wantAccepted]
		server := probetest.Serve(t, probetest.Send("hello\r\n"), probetest.Line(test.says+"\r\n"), probetest.Send(answer+"\r\n"))
		m := newLinkModule(t, Options{Credentials: credentials}, func(c *ServiceConfig) { c.TLS, c.LoginConfig = tlsNone, test.login })
		target := probe.NewTarget(server.Addr)
		target.Credential = test.pick
		res := probe.Run(t.Context(), probe.Check{Module: m, Target: target, Timeout: long, Attempts: 3}, probe.Env{})
		if res.Success() != test.wantAccepted || len(res.Logins) != 1 || res.Logins[0].Accepted != test.wantAccepted || res.Logins[0].Address != server.Addr {
			t.Errorf("%q: %s %s after %d attempts with %v", test.says, res.Verdict, res.Err, res.Attempts, res.Logins)
		}
		wantSecretFree(t, res, strings.Fields(test.says)[1])
		logins, err := m.Prober.(Service).Logins(target)
		if err != nil || len(logins) != 1 || logins[0] != res.Logins[0].Login {
			t.Errorf("%q: announced %v (%v), sent %v", test.says, logins, err, res.Logins)
		}
	}
}

func TestLinkPorts(t *testing.T) {
	for mode, want := range map[string]string{tlsNone: "mail.example:1", tlsStart: "mail.example:1", tlsImplicit: "mail.example:2"} {
		m := newLinkModule(t, Options{}, func(c *ServiceConfig) { c.TLS, c.Username, c.Password = mode, "u", "p" })
		logins, err := m.Prober.(Service).Logins(probe.NewTarget("mail.example"))
		if err != nil || len(logins) != 1 || logins[0].Address != want {
			t.Errorf("%s: %v (%v), want %s", mode, logins, err, want)
		}
	}
}

func TestServiceConfigErrors(t *testing.T) {
	for want, change := range map[string]func(c *ServiceConfig){
		`tls: found "maybe", want none, starttls or tls`:                         func(c *ServiceConfig) { c.TLS = "maybe" },
		`both password and password_file given, want at most one`:                func(c *ServiceConfig) { c.Username, c.Password, c.PasswordFile = "u", "p", "f" },
		`username without a secret, want password or password_file`:              func(c *ServiceConfig) { c.Username = "u" },
		`password without username, want both`:                                   func(c *ServiceConfig) { c.Password = "p" },
		`both credential and an account given, want at most one`:                 func(c *ServiceConfig) { c.Credential, c.Username = "c", "u" },
		`credential: "c" is not configured, want it under credentials`:           func(c *ServiceConfig) { c.Credential = "c" },
		`preferred_ip_protocol: found "ip5", want ip4 or ip6`:                    func(c *ServiceConfig) { c.PreferredIPProtocol = "ip5" },
		`tls_config: both ca and ca_file given, want at most one`:                func(c *ServiceConfig) { c.TLSConfig.CA, c.TLSConfig.CAFile = "a", "b" },
		`addresses: found ` + strconv.Quote("some") + `, want first, any or all`: func(c *ServiceConfig) { c.Addresses = "some" },
	} {
		p := &linkProber{newServiceConfig(Options{}, 1, 2)}
		change(&p.ServiceConfig)
		got := ""
		if err := p.Validate(); err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

// TestEmptyPasswordFile: nothing is sent to the server, which would count it.
func TestEmptyPasswordFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := newLinkModule(t, Options{}, func(c *ServiceConfig) { c.TLS, c.Username, c.PasswordFile = tlsNone, "nora", file })
	server := probetest.Serve(t, probetest.Send("hello\r\n"), wantEnd)
	res := probe.Run(t.Context(), probe.Check{Module: m, Target: probe.NewTarget(server.Addr), Timeout: long}, probe.Env{})
	if want := "reading password_file: it is empty, want a secret"; res.Reason != probe.ReasonConfig || res.Err != want || len(res.Logins) > 0 {
		t.Errorf("%s: %s, %v, want %s", res.Reason, res.Err, res.Logins, want)
	}
}

// TestKeysAreNoPasswords: a private key of SSH goes to nobody in place of a password that is not there, whoever picks it.
func TestKeysAreNoPasswords(t *testing.T) {
	o := Options{Credentials: Credentials{
		{Name: "key", Account: Account{Username: "nora"}, PrivateKey: PrivateKey{PrivateKey: "canary"}},
		{Name: "nobody", Account: Account{Password: "canary"}},
	}}
	for credential, want := range map[string]string{"key": `"key" has no password, want one`, "nobody": `"nobody" has no username, want one`} {
		for _, name := range Names() {
			if _, ok := registered[name].factory(o).(Service); !ok || name == "http" || name == "ssh" && credential == "key" {
				continue // http's openstack has tests of its own
			}
			var more string
			if needed[name] != "" {
				more = ", " + needed[name]
			}
			_, err := buildModules(t, o, "modules: {m: {prober: "+name+", "+name+": {credential: "+credential+more+"}}}")
			if err == nil || !strings.HasSuffix(err.Error(), ": credential: "+want) {
				t.Errorf("%s with %s: %v, want %s", name, credential, err, want)
			}
			target := probe.NewTarget("localhost:1")
			target.Credential = credential
			logins, err := testModule(t, o, name, "{username: u, password: p"+more+"}").Prober.(Service).Logins(target)
			if err == nil || err.Error() != "logging in: credential "+want {
				t.Errorf("%s with %s picked: %v (%v), want %s", name, credential, logins, err, want)
			}
		}
	}
}
