// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const loopMetrics = tcpDialMetrics + " probe_mailloop_duration_seconds probe_mailloop_outstanding_messages probe_mailloop_oldest_outstanding_age_seconds probe_mailloop_messages"

// loopPort is that of the mailbox in the conformance suite, which must be known before any server runs.
var loopPort = probetest.HoldPort()

var _ = enroll("mailloop", subject{
	section: fmt.Sprintf(`{tls: none, ehlo: probe.test, from: a@probe.test, to: b@mail.test, username: b, password: secret-pw, poll: 10ms, `+
		`mailbox: {server: "127.0.0.1:%d", tls: none}}`, loopPort),
	healthy: func(t testing.TB) string {
		var p post
		listener, err := probetest.ListenHeld(loopPort)
		if err != nil {
			t.Fatal(err)
		}
		probetest.ServeOn(t, listener, p.imap())
		return probetest.Serve(t, p.smtp()).Addr
	},
	presence: map[situation]string{
		healthy: loopMetrics + " probe_mailloop_delivery_duration_seconds probe_mailloop_hop_duration_seconds probe_mailloop_in_junk probe_mailloop_status_info probe_mailloop_banner_info",
		refused: loopMetrics, unsolved: strings.Replace(loopMetrics, " probe_mailloop_duration_seconds", "", 1), silent: loopMetrics, early: loopMetrics,
	},
	echo: func(text string) []probetest.Step {
		return append(smtpHello("AUTH PLAIN"), append([]probetest.Step{probetest.Line("AUTH PLAIN AGIAc2VjcmV0LXB3\r\n")},
			append([]probetest.Step{probetest.Send("235 ok\r\n")}, smtpSays("MAIL FROM:<a@probe.test>", "550 5.1.8 "+text, "QUIT", "")...)...)...)
	},
})

// loop is a module of mailloop with a mail system, whose probes share what is remembered.
type loop struct {
	t      *testing.T
	module *probe.Module
	target probe.Target
	env    probe.Env
	*post
}

// newLoop starts a mail system and makes the module; section are keys beside those all have in common.
func newLoop(t *testing.T, protocol, section string) *loop {
	t.Helper()
	p := new(post)
	box := p.imap()
	if protocol == mailboxPOP3 {
		box = p.pop3()
	}
	server := probetest.Serve(t, box)
	text := fmt.Sprintf(`{tls: none, ehlo: probe.test, from: a@probe.test, to: b@mail.test, poll: 10ms, mailbox: {protocol: %s, server: %q, tls: none, username: b, password: box-pw}, %s}`,
		protocol, server.Addr, section)
	return &loop{t: t, module: testModule(t, Options{}, "mailloop", text), target: probe.NewTarget(probetest.Serve(t, p.smtp()).Addr), post: p,
		env: probe.Env{Store: new(probe.MemoryStore), Cache: new(probe.MemoryStore), Shared: new(probe.MemoryStore), Alone: new(sync.Mutex)}}
}

// probe makes a run of so many attempts.
func (l *loop) probe(attempts int) probe.Result {
	return probe.Run(l.t.Context(), probe.Check{Module: l.module, Target: l.target, Timeout: long, Attempts: attempts}, l.env)
}

// want makes a run, and compares its outcome and the counts of messages.
func (l *loop) want(what string, attempts int, reason probe.Reason, counts string) probe.Result {
	l.t.Helper()
	res := l.probe(attempts)
	if res.Reason != reason {
		l.t.Errorf("%s: reason %q (%s), want %q\n%s", what, res.Reason, res.Err, reason, res.Trace)
	}
	var got []string
	for _, outcome := range []string{"sent", "arrived", "late", "lost", "junk", "duplicate", "foreign"} {
		if n, _ := probetest.Value(res.Samples, "probe_mailloop_messages", outcome); n > 0 {
			got = append(got, fmt.Sprintf("%s %v", outcome, n))
		}
	}
	outstanding, _ := probetest.Value(res.Samples, "probe_mailloop_outstanding_messages")
	got = append(got, fmt.Sprintf("outstanding %v", outstanding))
	if diff := cmp.Diff(counts, strings.Join(got, ", ")); diff != "" {
		l.t.Errorf("%s (-want +got)\n%s\n%s", what, diff, res.Trace)
	}
	return res
}

func TestMailloopDelivers(t *testing.T) {
	for _, protocol := range []string{mailboxIMAP, mailboxPOP3} {
		l := newLoop(t, protocol, "")
		l.want("first", 1, probe.ReasonNone, "sent 1, arrived 1, outstanding 0")
		res := l.want("second", 1, probe.ReasonNone, "sent 2, arrived 2, outstanding 0")
		if inbox, _ := l.left(); inbox != 0 {
			t.Errorf("%s: %d messages left, want none", protocol, inbox)
		}
		trace := res.Trace.String()
		login, fetch, logout := strings.LastIndex(trace, "phase=auth"), strings.LastIndex(trace, "phase=fetch"), strings.LastIndex(trace, "phase=logout")
		if fetch < login || logout < fetch {
			t.Errorf("%s: want the times of login, fetching and logout told apart:\n%s", protocol, trace)
		}
		for i, by := range []string{"mx1.test", "mx2.test"} {
			if took, ok := probetest.Value(res.Samples, "probe_mailloop_hop_duration_seconds", fmt.Sprint(i+1), by); !ok || took < 0 || took > long.Seconds() {
				t.Errorf("%s: hop to %s took %v (%v)", protocol, by, took, ok)
			}
		}
	}
}

// TestMailloopHeld: a message that takes its time fails no probe, and is matched by a later one.
func TestMailloopHeld(t *testing.T) {
	for _, protocol := range []string{mailboxIMAP, mailboxPOP3} {
		l := newLoop(t, protocol, "wait: 50ms")
		l.set(func(p *post) { p.hold = true })
		l.want("held", 1, probe.ReasonNone, "sent 1, outstanding 1")
		l.want("held again", 1, probe.ReasonNone, "sent 2, outstanding 2")
		l.release()
		l.want("released", 1, probe.ReasonNone, "sent 3, arrived 3, outstanding 0")
	}
}

func TestMailloopOddities(t *testing.T) {
	l := newLoop(t, mailboxIMAP, "")
	l.set(func(p *post) { p.twice = true })
	l.want("duplicate", 1, probe.ReasonNone, "sent 1, arrived 1, duplicate 1, outstanding 0")
	l.set(func(p *post) { p.twice, p.toJunk = false, true })
	res := l.want("junk", 1, probe.ReasonNone, "sent 2, arrived 2, junk 1, duplicate 1, outstanding 0")
	if junk, ok := probetest.Value(res.Samples, "probe_mailloop_in_junk"); junk != 1 || !ok {
		t.Errorf("in junk %v (%v)", junk, ok)
	}
	if inbox, junk := l.left(); inbox+junk != 0 {
		t.Errorf("%d and %d messages left, want none", inbox, junk)
	}
	l.set(func(p *post) {
		p.toJunk = false
		p.inbox = append(p.inbox, tokenHeader+": "+strings.Repeat("A", 26)+" 00\r\nDate: x\r\n\r\n")
	})
	l.want("forged", 1, probe.ReasonNone, "sent 3, arrived 3, junk 1, duplicate 1, outstanding 0")
	if inbox, _ := l.left(); inbox != 1 {
		t.Errorf("%d messages left, want the forged one", inbox)
	}
}

// TestMailloopBacklog: more messages than one probe looks at are worked off by several, and none is taken for lost meanwhile.
func TestMailloopBacklog(t *testing.T) {
	for _, protocol := range []string{mailboxIMAP, mailboxPOP3} {
		l := newLoop(t, protocol, "")
		signer, err := newMailSigner(l.env.Shared)
		if err != nil {
			t.Fatal(err)
		}
		book := ledgerOf(t, l.env.Store)
		for i := range maxMarked + 50 {
			token, _ := book.send(time.Now().Add(time.Duration(i)*time.Second - 3*time.Hour))
			l.inbox = append(l.inbox, tokenHeader+": "+signer.sign("b@mail.test", token.String())+"\r\n\r\n")
		}
		if err := book.save(); err != nil {
			t.Fatal(err)
		}
		l.want(protocol, 1, probe.ReasonNone, "sent 251, arrived 200, late 199, outstanding 51")
		l.want(protocol, 1, probe.ReasonNone, "sent 252, arrived 252, late 250, outstanding 0")
	}
}

// TestMailloopSharedLogin: an account that the mail server has just refused is not tried at the mailbox too.
func TestMailloopSharedLogin(t *testing.T) {
	for login, reached := range map[string]bool{"": false, ", username: b, password: box-pw": true} {
		sent := probetest.Serve(t, append(smtpHello("AUTH PLAIN"), append(smtpSASL["PLAIN"], append([]probetest.Step{probetest.Send("535 5.7.8 no\r\n")}, smtpSays("QUIT", "")...)...)...)...)
		fetched := probetest.Serve(t, probetest.Send("* OK ready\r\n"))
		m := testModule(t, Options{}, "mailloop", fmt.Sprintf("{tls: none, ehlo: probe.test, from: a@b, to: b@c%s, mailbox: {tls: none, server: %q%s}}", smtpAccount, fetched.Addr, login))
		res := runProbe(t, t.Context(), m, sent.Addr, long)
		if res.Reason != probe.ReasonAuth || len(fetched.Accepted) > 0 != reached {
			t.Errorf("%q: %s, mailbox reached %d times, want %v", login, res.Reason, len(fetched.Accepted), reached)
		}
	}
}

func TestMailloopWithoutJunkFolder(t *testing.T) {
	l := newLoop(t, mailboxIMAP, "")
	for i, refusal := range []string{"[NONEXISTENT] what?", "no such folder"} {
		l.set(func(p *post) { p.noJunk = refusal })
		l.want(refusal, 1, probe.ReasonNone, fmt.Sprintf("sent %d, arrived %[1]d, outstanding 0", i+1))
	}
	l.set(func(p *post) { p.noJunk = "[NOPERM] not for you" })
	if res := l.want("not for us", 1, probe.ReasonResponse, "sent 3, arrived 2, outstanding 1"); !strings.Contains(res.Err, `refused with "NO [NOPERM] not for you", want it opened`) {
		t.Error(res.Err)
	}
}

func TestMailloopJunkIsFailure(t *testing.T) {
	l := newLoop(t, mailboxIMAP, "junk_is_failure: true")
	l.set(func(p *post) { p.toJunk = true })
	res := l.want("junk", 3, probe.ReasonResponse, "sent 1, arrived 1, junk 1, outstanding 0")
	if !strings.Contains(res.Err, `is in folder "Junk", want it in "INBOX"`) || res.Attempts != 3 || l.taken != 1 {
		t.Errorf("%s after %d attempts with %d messages", res.Err, res.Attempts, l.taken)
	}
}

// TestMailloopRetries: however often a run is tried, it sends one message, unless the server refuses it.
func TestMailloopRetries(t *testing.T) {
	l := newLoop(t, mailboxIMAP, "")
	l.set(func(p *post) { p.closed = true })
	res := l.want("mailbox out of order", 5, probe.ReasonResponse, "sent 1, outstanding 1")
	if l.taken != 1 || res.Attempts != 5 || !strings.Contains(res.Err, "put off with") {
		t.Errorf("%d messages in %d attempts: %s", l.taken, res.Attempts, res.Err)
	}
	wantSecretFree(t, res, "box-pw")
	l.set(func(p *post) { p.closed = false })
	l.want("mailbox in order", 5, probe.ReasonNone, "sent 2, arrived 2, outstanding 0")
	l.set(func(p *post) { p.refuse, p.hold = true, true })
	res = l.want("refused", 2, probe.ReasonResponse, "sent 2, arrived 2, outstanding 0")
	if l.taken != 2 || !strings.Contains(res.Err, `put off with "451 4.7.1 later"`) {
		t.Errorf("%d messages: %s", l.taken, res.Err)
	}
}

// TestMailloopHostileMailbox: the message was sent, and what the mailbox says makes no sense.
func TestMailloopHostileMailbox(t *testing.T) {
	for name, script := range map[string][]probetest.Step{
		"garbage": {probetest.Garbage()}, "early close": nil, "endless line": {probetest.Endless("a")}, "endless lines": {probetest.Endless("* OK spam\r\n")},
		"NUL": {probetest.Send("* OK a\x00b\r\n+OK\r\n")}, "another protocol": {probetest.Send("220 hi\r\n")},
	} {
		for _, protocol := range []string{mailboxIMAP, mailboxPOP3} {
			var p post
			m := testModule(t, Options{}, "mailloop", fmt.Sprintf("{tls: none, ehlo: probe.test, from: a@b, to: b@c, mailbox: {protocol: %s, server: %q, tls: none, username: b, password: box-pw}}",
				protocol, probetest.Serve(t, script...).Addr))
			res := runProbe(t, t.Context(), m, probetest.Serve(t, p.smtp()).Addr, long)
			if res.Reason != probe.ReasonProtocol || p.taken != 1 {
				t.Errorf("%s by %s: reason %s (%s), %d messages", name, protocol, res.Reason, res.Err, p.taken)
			}
		}
	}
}

// TestMailloopDoubtful: a message that the server took without a word is not sent again, and is a success of the next attempt if it arrives.
func TestMailloopDoubtful(t *testing.T) {
	l := newLoop(t, mailboxIMAP, "wait: 50ms")
	l.set(func(p *post) { p.mute = true })
	res := l.want("mute, one attempt", 1, probe.ReasonProtocol, "sent 1, arrived 1, outstanding 0")
	if !strings.HasSuffix(res.Err, "(the message may be on its way)") {
		t.Error(res.Err)
	}
	l.want("mute, two attempts", 2, probe.ReasonNone, "sent 2, arrived 2, outstanding 0")
	l.set(func(p *post) { p.hold = true })
	res = l.want("mute and held", 3, probe.ReasonProtocol, "sent 3, arrived 2, outstanding 1")
	if l.taken != 3 || !strings.HasSuffix(res.Err, "(the message may be on its way), in an earlier attempt") {
		t.Errorf("%d messages: %s", l.taken, res.Err)
	}
}

// TestMailloopWithoutStore: what cannot be remembered is not sent.
func TestMailloopWithoutStore(t *testing.T) {
	l := newLoop(t, mailboxIMAP, "")
	l.env.Store = new(fullStore)
	if res := l.probe(1); res.Reason != probe.ReasonInternal || res.Err != `storing the state of a mail loop: disk full, want it stored` || l.taken != 0 {
		t.Errorf("%s: %s, %d messages", res.Reason, res.Err, l.taken)
	}
}

func TestMailloopLogins(t *testing.T) {
	credentials := Credentials{{Name: "c", Account: Account{Username: "u", Password: "named-pw"}}}
	for section, want := range map[string]string{
		`username: s, password: send-pw`: ":send-pw@mail.test:587 :send-pw@mail.test:143",
		`username: s, password: send-pw, mailbox: {protocol: pop3, tls: tls, username: b, password: box-pw}`: ":send-pw@mail.test:587 :box-pw@mail.test:995",
		`mailbox: {server: "box.test:1143", credential: c}`:                                                  "c:named-pw@box.test:1143 fixed",
		`credential: c, mailbox: {server: box.test}`:                                                         "c:named-pw@mail.test:587 c:named-pw@box.test:143 fixed",
	} {
		p := testModule(t, Options{Credentials: credentials}, "mailloop", "{from: a@b, to: b@c, "+section+"}").Prober.(*Mailloop)
		logins, err := p.Logins(probe.NewTarget("mail.test"))
		var got []string
		for _, l := range logins {
			got = append(got, l.Credential+":"+l.Secret.Reveal()+"@"+l.Address)
			if l.Fixed {
				got = append(got, "fixed")
			}
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", section, err, diff)
		}
	}
}

// TestMailloopWithoutLogin: without an account for the mailbox nothing is sent, and no check is taken.
func TestMailloopWithoutLogin(t *testing.T) {
	p := new(post)
	server := probetest.Serve(t, p.smtp())
	m := testModule(t, Options{}, "mailloop", "{tls: none, ehlo: probe.test, from: a@b, to: b@c, mailbox: {server: box.test}}")
	res := runProbe(t, t.Context(), m, server.Addr, long)
	want := `logging in to "box.test": no account given, want a username or a credential, to look into the mailbox`
	if res.Reason != probe.ReasonConfig || res.Err != want || len(server.Accepted) > 0 {
		t.Errorf("%s: %s, %d connections", res.Reason, res.Err, len(server.Accepted))
	}
	if err := m.Prober.(*Mailloop).CheckTarget(probe.NewTarget(server.Addr)); fmt.Sprint(err) != want {
		t.Error(err)
	}
}

func TestMailloopConfigErrors(t *testing.T) {
	const mail = "from: a@b, to: b@c, "
	for section, want := range map[string]string{
		`to: b@c`:                           `from: found "", want an address such as watch@example.org`,
		`from: a@b`:                         `to: found "", want an address such as watch@example.org`,
		mail + `auth: x`:                    `auth: found "x", want plain, login, cram-md5 or xoauth2`,
		mail + `addresses: all`:             `addresses: found any or all, want first: a probe sends one message`,
		mail + `late: 2h`:                   `late: found 2h0m0s with a ttl of 1h0m0s, want it above 0 and below ttl`,
		mail + `late: 0s`:                   `late: found 0s with a ttl of 1h0m0s, want it above 0 and below ttl`,
		mail + `poll: 1ms`:                  `poll: found 1ms, want at least 10ms`,
		mail + `wait: -1s`:                  `wait: found -1s, want 0 or more`,
		mail + `mailbox: {protocol: nntp}`:  `mailbox: protocol: found "nntp", want imap or pop3`,
		mail + `mailbox: {folder: ""}`:      `mailbox: folder: empty, want a name such as INBOX`,
		mail + `mailbox: {junk: INBOX}`:     `mailbox: junk: found "INBOX", which is the folder too, want another or ""`,
		mail + `mailbox: {junk: inbox}`:     `mailbox: junk: found "inbox", which is the folder too, want another or ""`,
		mail + `mailbox: {auth: apop}`:      `mailbox: auth: found "apop", want login, plain, cram-md5 or xoauth2`,
		mail + `mailbox: {tls: x}`:          `mailbox: tls: found "x", want none, starttls or tls`,
		mail + `mailbox: {password: x}`:     `mailbox: password without username, want both`,
		mail + `mailbox: {server: "a:b:c"}`: `mailbox: server: reading target "a:b:c": no host name or address, want host or host:port`,
	} {
		_, err := buildModules(t, Options{}, "modules: {m: {prober: mailloop, mailloop: {"+section+"}}}")
		if diff := cmp.Diff(`module "m": line 1: mailloop: `+want, fmt.Sprint(err)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", section, diff)
		}
	}
}
