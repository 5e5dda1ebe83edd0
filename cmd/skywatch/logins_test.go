// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skywatch/internal/config"
	"skywatch/internal/probe"
)

// post is a server that all probers of this file log in to.
type post struct {
	mu       sync.Mutex
	secret   probe.Secret // that it accepts
	refused  int
	accepted int
	asked    int // probes that came to it
}

// letterbox is a prober that logs in with a secret of its own.
type letterbox struct {
	post   *post
	secret probe.Secret
}

func (*letterbox) Validate() error { return nil }

func (b *letterbox) Logins(t probe.Target) ([]probe.Login, error) {
	return []probe.Login{{Credential: t.Credential, Username: "nora", Address: t.Raw(), Secret: b.secret}}, nil
}

func (b *letterbox) Probe(_ context.Context, t probe.Target, r *probe.Recorder) error {
	b.post.mu.Lock()
	b.post.asked++
	b.post.mu.Unlock()
	logins, _ := b.Logins(t)
	if err := r.Entering(logins[0]); err != nil {
		return err
	}
	b.post.mu.Lock()
	defer b.post.mu.Unlock()
	r.Login(logins[0], b.secret == b.post.secret)
	if b.secret == b.post.secret {
		b.post.accepted++
		return nil
	}
	b.post.refused++
	return probe.Failf(probe.ReasonAuth, "logging in to %q: refused, want it accepted", t)
}

const letterboxes = `
modules: {box: {prober: tcp}, web: {prober: http}}
checks: [{name: Mail, module: box, target: "mail.example.org:993"}, {name: More, module: box, target: "mail.example.org:993"}]
`

// deliver makes the module box of the configuration in force one that logs in.
func (d testDaemon) deliver(t *testing.T, p *post, secret probe.Secret) []probe.Check {
	t.Helper()
	c := d.live.Current()
	c.Modules["box"].Prober = &letterbox{p, secret}
	c.Modules["box"].Permit = nil // the rule was made for the prober of the file
	return c.Checks
}

// TestPausedChecks: after three refusals no probe is made; the result says so and changes no state.
func TestPausedChecks(t *testing.T) {
	d, p := newTestDaemon(t, letterboxes), &post{secret: "right"}
	d.remembering(t)
	checks := d.deliver(t, p, "wrong")
	ctx := t.Context()
	for range 3 {
		r := d.runner.check(ctx, checks[0], nil)
		if r.Verdict != probe.Down || r.Reason != probe.ReasonAuth || r.Logins != nil {
			t.Errorf("%s %s with logins %v", r.Verdict, r.Reason, r.Logins)
		}
		d.alerter.Observe(ctx, r)
	}
	ended := 0
	r := d.runner.check(ctx, checks[1], func() { ended++ })
	want := `checking "More": logins to "mail.example.org:993" with the secret of module "box" are paused until `
	if r.Verdict != probe.Inconclusive || r.Reason != probe.ReasonAuth || r.Attempts != 0 || !strings.HasPrefix(r.Err, want) || p.asked != 3 || ended != 1 {
		t.Errorf("%s %s after %d attempts: %s; %d probes, ended %d times", r.Verdict, r.Reason, r.Attempts, r.Err, p.asked, ended)
	}
	if !strings.Contains(r.Trace.String(), `checking \"More\": logins to \"mail.example.org:993\"`) {
		t.Errorf("the trace does not say why:\n%s", r.Trace)
	}
	d.alerter.Observe(ctx, r)
	d.store.Observe(ctx, r)
	if state, _ := d.alerter.State("Mail"); state.State.String() != "down" {
		t.Errorf("the check that was down is %s", state.State)
	}
	if state, _ := d.alerter.State("More"); state.State.String() != "unknown" {
		t.Errorf("the check that was not made is %s", state.State)
	}
	if got := d.metric(`skywatch_login_refusals{address="mail.example.org:993",credential="module:box"}`); got != "3" {
		t.Errorf("metric %q, want 3", got)
	}
	page := d.get("/").Body.String()
	if !strings.Contains(page, "Logins to &#34;mail.example.org:993&#34; with the secret of module &#34;box&#34; are paused until") {
		t.Errorf("the page does not say so:\n%s", page)
	}
	if n := strings.Count(d.stderr.String(), `msg="logins are paused"`); n != 1 {
		t.Errorf("%d lines in the log, want one\n%s", n, d.stderr)
	}
}

// TestPacedRequests: /probe is answered with 429 and when to come again, a success with one secret clears for the checks.
func TestPacedRequests(t *testing.T) {
	d, p := newTestDaemon(t, letterboxes), &post{secret: "right"}
	checks := d.deliver(t, p, "wrong")
	const url = "/probe?module=box&target=MAIL.example.org.:0993"
	for range 3 {
		if w := d.get(url); w.Code != 200 || !strings.Contains(w.Body.String(), `probe_failure_info{reason="auth"} 1`) {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	}
	w := d.get(url)
	if w.Code != 429 || w.Header().Get("Retry-After") == "" || !strings.HasPrefix(w.Body.String(), `Logins to "mail.example.org:993" with the secret of module "box" are paused until `) || p.asked != 3 {
		t.Errorf("got %d, after %q: %s (%d probes)", w.Code, w.Header().Get("Retry-After"), w.Body, p.asked)
	}
	if r := d.runner.check(t.Context(), checks[0], nil); r.Verdict != probe.Inconclusive {
		t.Errorf("a check is %s, want it paused too", r.Verdict)
	}
	d.deliver(t, p, "right") // as after a change of the file
	if w := d.get(url); w.Code != 200 || !strings.Contains(w.Body.String(), success) {
		t.Errorf("with the changed secret: %d %s", w.Code, w.Body)
	}
	if r := d.runner.check(t.Context(), checks[0], nil); !r.Success() {
		t.Errorf("a check is %s: %s", r.Verdict, r.Err)
	}
	if got := d.metric(`skywatch_login_refusals{address="mail.example.org:993",credential="module:box"}`); got != "" {
		t.Errorf("metric %q, want none", got)
	}
}

// TestManyChecksAtOnce: 64 checks share a wrong secret and begin at once; no more than three logins reach the server.
func TestManyChecksAtOnce(t *testing.T) {
	d, p := newTestDaemon(t, letterboxes), &post{secret: "right"}
	checks := d.deliver(t, p, "wrong")
	var all sync.WaitGroup
	var mu sync.Mutex
	verdicts := map[probe.Verdict]int{}
	for range 64 {
		all.Go(func() {
			r := d.runner.check(t.Context(), checks[0], nil)
			mu.Lock()
			defer mu.Unlock()
			verdicts[r.Verdict]++
		})
	}
	all.Wait()
	if p.refused != 3 || verdicts[probe.Down] != 3 || verdicts[probe.Inconclusive] != 61 {
		t.Errorf("%d logins refused, verdicts %v, want 3, and 61 inconclusive", p.refused, verdicts)
	}
}

// TestManyChecksByHand: the command has a guard of its own, so that a wrong secret is refused no more often than by the daemon.
func TestManyChecksByHand(t *testing.T) {
	d, p := newTestDaemon(t, letterboxes), &post{secret: "right"}
	checks := slices.Repeat(d.deliver(t, p, "wrong")[:1], 64)
	held := 0
	for _, r := range d.runAll(t.Context(), checks, d.live.Current()) {
		if r.Verdict == probe.Inconclusive {
			held++
		}
	}
	if p.refused != 3 || held != 61 {
		t.Errorf("%d logins refused and %d held up, want 3 and 61", p.refused, held)
	}
}

// deaf is a prober that sends its secret and gets no answer.
type deaf struct{ letterbox }

func (b *deaf) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	logins, _ := b.Logins(t)
	if err := r.Entering(logins[0]); err != nil {
		return err
	}
	b.post.mu.Lock()
	b.post.asked++
	b.post.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

// TestHangingUpIsNoWayAround: neither a client that is gone before the server answers, nor one that gives the probe next to no time, nor a
// check with a short timeout and many attempts can have a password tried any number of times.
func TestHangingUpIsNoWayAround(t *testing.T) {
	for name, try := range map[string]func(t *testing.T, d testDaemon, c probe.Check){
		"gone": func(t *testing.T, d testDaemon, c probe.Check) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			c.Origin, c.Timeout, c.Attempts = probe.OriginRequest, time.Minute, 1
			d.runner.request(ctx, c)
		},
		"hasty": func(t *testing.T, d testDaemon, c probe.Check) {
			c.Origin, c.Timeout, c.Attempts = probe.OriginRequest, 10*time.Millisecond, 1
			r, err := d.runner.request(t.Context(), c)
			if err != nil || r.Reason != probe.ReasonTimeout {
				t.Errorf("%s: %v", r.Reason, err)
			}
		},
		"check": func(t *testing.T, d testDaemon, c probe.Check) {
			c.Timeout, c.Attempts, c.RetryDelay = 10*time.Millisecond, 5, 0
			if r := d.runner.check(t.Context(), c, nil); r.Verdict != probe.Down || r.Reason != probe.ReasonTimeout {
				t.Errorf("%s %s, want it down: the server gives no answer", r.Verdict, r.Reason)
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) { // so that the time is never over before the secret is sent
			d, p := newTestDaemon(t, letterboxes), &post{secret: "right"}
			checks := d.deliver(t, p, "wrong")
			d.live.Current().Modules["box"].Prober = &deaf{letterbox{p, "wrong"}}
			for range 8 {
				try(t, d, checks[0])
			}
			if p.asked != 3 {
				t.Errorf("%s: sent %d times, want 3", name, p.asked)
			}
		})
	}
}

// TestRefusalsOutliveRestartAndReload: with the real history.
func TestRefusalsOutliveRestartAndReload(t *testing.T) {
	dir, p := t.TempDir(), &post{secret: "right"}
	path := filepath.Join(dir, "skywatch.yml")
	process := func(use func(d testDaemon)) {
		ctx, cancel := context.WithCancel(context.Background())
		d := testDaemonAt(t, path)
		ended := make(chan error, 1)
		go func() { ended <- inOrder(ctx, d.alert, d.remember) }()
		<-d.opened
		use(d)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	try := func(d testDaemon, secret probe.Secret, check int) probe.Result {
		defer d.settle(t)
		return d.runner.check(t.Context(), d.deliver(t, p, secret)[check], nil)
	}
	writeConfig(t, path, letterboxes)
	process(func(d testDaemon) {
		for range 2 {
			try(d, "wrong", 0)
		}
		writeConfig(t, path, letterboxes+"time_zone: UTC\n")
		if err := d.reload(); err != nil {
			t.Error(err)
		}
		try(d, "wrong", 1)
		if r := try(d, "wrong", 0); r.Verdict != probe.Inconclusive {
			t.Errorf("after two refusals, a reload and one more: %s", r.Verdict)
		}
	})
	process(func(d testDaemon) {
		if r := try(d, "wrong", 0); r.Verdict != probe.Inconclusive || p.refused != 3 {
			t.Errorf("after a restart: %s, %d logins", r.Verdict, p.refused)
		}
		if got := d.metric(`skywatch_login_refusals{address="mail.example.org:993",credential="module:box"}`); got != "3" {
			t.Errorf("metric %q, want 3", got)
		}
		writeConfig(t, path, letterboxes+"login_guard: {auth_failures_max: 4}\n")
		if err := d.reload(); err != nil {
			t.Error(err)
		}
		if r := try(d, "wrong", 0); r.Verdict != probe.Down {
			t.Errorf("with a higher count: %s", r.Verdict)
		}
		if r := try(d, "right", 0); !r.Success() {
			t.Errorf("with a changed secret: %s %s", r.Verdict, r.Err)
		}
	})
	process(func(d testDaemon) {
		if r := try(d, "right", 0); !r.Success() {
			t.Errorf("after a success and a restart: %s %s", r.Verdict, r.Err)
		}
	})
	data, err := os.ReadFile(filepath.Join(dir, "skywatch.db"))
	if err != nil || strings.Contains(string(data), "wrong") || strings.Contains(string(data), "nora") {
		t.Errorf("%v, or the history holds the secret or the user", err)
	}
}

// TestCredentialsShareNoMemory: what a prober remembers of a login is not for a request with another credential.
func TestCredentialsShareNoMemory(t *testing.T) {
	r := newRunner(slog.New(slog.DiscardHandler), nil)
	one, other := countingCheck("", "a"), countingCheck("", "a")
	one.Target.Credential, other.Target.Credential = "one", "other"
	for i, test := range []struct {
		check probe.Check
		want  string
	}{{one, "|"}, {one, "+|+"}, {other, "|"}, {countingCheck("", "a"), "|"}} {
		if got := facts(asked(t, r, test.check)); got != test.want {
			t.Errorf("request %d remembered %q, want %q", i, got, test.want)
		}
	}
}

// TestCommandsAreToldHow: what the command line says of a probe that is not permitted.
func TestCommandsAreToldHow(t *testing.T) {
	target := probe.NewTarget("mail.example.org")
	for want, refused := range map[string]*probe.Refused{
		`probing with module "m": credential "c" is not allowed for target "mail.example.org"` + "\n" +
			`  hint: to allow it, name "mail.example.org:143" under allow of an entry of credentials, or configure a check that sends it there`: {
			Cause: probe.RefusedTarget, Text: `Credential "c" is not allowed for target "mail.example.org"`, Address: "mail.example.org:143"},
		`probing with module "m": unknown credential "c"`: {Cause: probe.RefusedRequest, Text: `Unknown credential "c"`},
	} {
		m := &probe.Module{Name: "m", Prober: counting{}, Permit: func(*probe.Module, probe.Target) error { return refused }}
		cfg := &config.Config{Modules: map[string]*probe.Module{"m": m}}
		if _, err := new(program).single(cfg, "m", target, nil); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func writeConfig(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
