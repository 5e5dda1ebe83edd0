// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"skywatch/internal/probetest"
)

// plus makes Postfix take mail for subaddresses, which Dovecot puts into the folder of that name.
const plus = "recipient_delimiter=+"

// loopDaemon is a skywatch that checks the way of mail from Postfix to Dovecot every second.
func loopDaemon(t *testing.T, m *mailServers, section string) *daemon {
	t.Helper()
	ca := fmt.Sprintf("tls_config: {ca_file: %q, server_name: localhost}", filepath.Join(m.pki(), "ca.pem"))
	d := newDaemon(t, m.dir, fmt.Sprintf(`
modules:
  loop:
    prober: mailloop
    timeout: 60s
    mailloop: {%s, from: watch@skywatch.test, wait: 300ms, %s, %s}
checks:
  - {name: loop, module: loop, target: %q, every: 1s, attempts: 1, timeout: 60s}
history: {path: %q}
`, watchAccount, ca, strings.ReplaceAll(section, "TLS", ca), local(m.submission), filepath.Join(m.dir, "ring.db")))
	d.start()
	return d
}

// loopState is what the loop remembers, as the ring has it.
type loopState struct {
	Totals      map[string]int
	outstanding int
}

// readLoop reads it while the daemon runs.
func readLoop(r *ring) (s loopState, err error) {
	var main []byte
	if err := r.db.QueryRow("SELECT value FROM memory WHERE name = 'loop' AND key = 'mailloop'").Scan(&main); err != nil {
		return s, err
	}
	if err := json.Unmarshal(main, &s); err != nil {
		return s, err
	}
	rows, err := r.db.Query("SELECT value FROM memory WHERE name = 'loop' AND key LIKE 'mailloop_sent_%'")
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		var page []byte
		if err := rows.Scan(&page); err != nil {
			return s, err
		}
		s.outstanding += bytes.Count(page, []byte("\n"))
	}
	return s, rows.Err()
}

// awaitLoop waits until the state of the loop satisfies the condition.
func awaitLoop(d *daemon, what string, ok func(loopState) bool) (s loopState) {
	d.t.Helper()
	r := openRing(d.t, d.file("ring.db"), "ro")
	eventually(d.t, what, func() (err error) {
		if s, err = readLoop(r); err == nil && !ok(s) {
			err = fmt.Errorf("the state is %+v", s)
		}
		return err
	})
	return s
}

// postfixCommand runs a command of Postfix on the queue of the test.
func (m *mailServers) postfixCommand(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join("/usr/sbin", name), append([]string{"-c", filepath.Join(m.dir, "postfix", "etc")}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("running %s %q: %v\n%s", name, args, err, out)
	}
}

// TestMailloopDelivers: the loop closes by IMAP and by POP3, and nothing is left in the mailbox.
func TestMailloopDelivers(t *testing.T) {
	m := startMail(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(tail(filepath.Join(m.dir, "postfix", "postfix.log"), 3000))
			t.Log(tail(filepath.Join(m.dir, "dovecot", "dovecot.log"), 3000))
		}
	})
	for protocol, port := range map[string]int{"imap": m.imap, "pop3": m.pop3} {
		section := fmt.Sprintf(`{credential: good, from: watch@skywatch.test, to: watch@skywatch.test, %s, poll: 50ms, mailbox: {protocol: %s, server: %q, %s}}`,
			m.trust(), protocol, local(port), m.trust())
		c := newCommand(t, m.dir, "  loop: {prober: mailloop, timeout: 60s, mailloop: "+section+"}\n  refused: {prober: mailloop, timeout: 60s, mailloop: "+
			strings.Replace(section, "good", "bad", 1)+"}\n", "watch@skywatch.test", "Watch-pw1")
		o := c.want("loop", local(m.submission), "")
		for _, metric := range []string{`probe_mailloop_messages{outcome="arrived"}`, "probe_mailloop_outstanding_messages", "probe_mailloop_in_junk"} {
			if want := map[bool]float64{true: 1}[strings.Contains(metric, "arrived")]; o.Metrics[metric] != want {
				t.Errorf("%s: %s is %v, want %v\n%s", protocol, metric, o.Metrics[metric], want, o.Trace)
			}
		}
		if !hasMetric(o, "probe_mailloop_hop_duration_seconds", `hop="2"`) || !hasMetric(o, "probe_mailloop_hop_duration_seconds", `by="mail.skywatch.test"`) {
			t.Errorf("%s: hops are missing in %v", protocol, o.Metrics)
		}
		c.want("refused", local(m.submission), "auth")
	}
	if all, err := openMailbox(t, m.peers, m.imaps).letters(); err != nil || len(all) != 0 {
		t.Errorf("%d messages left (%v), want none", len(all), err)
	}
}

// TestMailloopMatrix is about the server that takes the mail.
func TestMailloopMatrix(t *testing.T) {
	m := startMail(t, inClear...)
	common := fmt.Sprintf("from: watch@skywatch.test, to: watch@skywatch.test, poll: 50ms, mailbox: {server: %q, tls: none}, ", local(m.imap))
	matrix{prober: "mailloop", server: m.postfix, secure: common + "tls: starttls", securePort: m.submission, clear: common + "tls: none", clearPort: m.smtp,
		username: "watch@skywatch.test", password: "Watch-pw1", greeted: afterReply("220 "), loggedIn: afterReply("\r\n235 ")}.run(t)
}

// TestMailloopMailbox is about the server of the mailbox; the mail is taken without a login, which that server would be asked about.
func TestMailloopMailbox(t *testing.T) {
	m := startMail(t)
	strange := strings.Replace(m.trust(), filepath.Join(m.pki(), "ca.pem"), probetest.NewCA(t).File(), 1)
	module := func(name, timeout, server, login, tls string) string {
		return fmt.Sprintf("  %s: {prober: mailloop, timeout: %s, mailloop: {from: a@skywatch.test, to: watch@skywatch.test, tls: none, poll: 50ms, mailbox: {server: %q, %s, %s}}}\n",
			name, timeout, server, login, tls)
	}
	frozen := freezing(t, m.dovecot, m.imap, afterReply(" OK [CAPABILITY"))
	c := newCommand(t, m.dir, module("loop", "60s", local(m.imap), "credential: good", m.trust())+module("refused", "60s", local(m.imap), "credential: bad", m.trust())+
		module("strange", "60s", local(m.imap), "credential: good", strange)+module("frozen", "3s", frozen.addr, "credential: good", "tls: none"),
		"watch@skywatch.test", "Watch-pw1")
	target := local(m.smtp)
	c.want("loop", target, "")
	c.want("refused", target, "auth")
	c.want("strange", target, "tls")
	c.want("frozen", target, "timeout")
	frozen.thaw()
	m.dovecot.stop()
	c.want("loop", target, "connect")
	m.dovecot.start()
	c.want("loop", target, "")
}

// TestMailloopHeld holds delivery back in Postfix, with a restart of skywatch in between: no probe fails or lasts longer than it
// may, and once released every message is matched, as late as it is.
func TestMailloopHeld(t *testing.T) {
	m := startMail(t, "smtpd_end_of_data_restrictions=check_client_access static:HOLD")
	d := loopDaemon(t, m, fmt.Sprintf("to: watch@skywatch.test, late: 2s, mailbox: {server: %q, TLS}", local(m.imap)))
	awaitLoop(d, "held messages", func(s loopState) bool { return s.outstanding >= 3 })
	d.stop(t)
	d.start()
	awaitLoop(d, "more held messages", func(s loopState) bool { return s.outstanding >= 8 })
	held, err := filepath.Glob(filepath.Join(m.dir, "postfix", "spool", "hold", "*"))
	if err != nil || len(held) < 5 {
		t.Fatalf("Postfix holds %d messages (%v), want some", len(held), err)
	}
	m.postfixCommand(t, "postsuper", "-H", "ALL") // Postfix goes on to hold what comes
	s := awaitLoop(d, "all that was held", func(s loopState) bool { return s.Totals["Arrived"] >= len(held) })
	if s.Totals["Late"] < 3 || s.Totals["Lost"]+s.Totals["Duplicate"]+s.Totals["Foreign"] > 0 {
		t.Errorf("the state is %+v, want late messages, and none lost, duplicate or foreign", s)
	}
	d.awaitState("loop", 1)
	if failures, _, err := d.metric("skywatch_check_failures_total", `check="loop"`); failures > 0 || err != nil {
		t.Errorf("%v failures (%v), want none: each probe ends within its timeout", failures, err)
	}
	d.stop(t)
	if err := openRing(t, d.file("ring.db"), "ro").check(); err != nil {
		t.Error(err)
	}
}

// TestMailloopJunkAndDuplicates: what goes to Junk and what arrives twice is seen as such, and deleted. Of two copies either may come first,
// so that each has servers of its own.
func TestMailloopJunkAndDuplicates(t *testing.T) {
	const to = "to: watch+Junk@skywatch.test, poll: 50ms, mailbox: {server: %q, TLS}"
	for name, test := range map[string]struct {
		main []string
		seen func(s loopState) bool
	}{
		"junk":       {[]string{plus}, func(s loopState) bool { return s.Totals["Junk"] >= 2 && s.Totals["Duplicate"] == 0 }},
		"duplicates": {[]string{plus, "recipient_bcc_maps=inline:{ watch+Junk@skywatch.test=watch@skywatch.test }"}, func(s loopState) bool { return s.Totals["Duplicate"] >= 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			m := startMail(t, test.main...)
			d := loopDaemon(t, m, fmt.Sprintf(to, local(m.imap)))
			awaitLoop(d, name, test.seen)
			d.awaitState("loop", 1)
			expectLint(t, d, "/metrics/checks")
			if text, err := d.get("/metrics/checks"); err != nil || !strings.Contains(text, "\nprobe_mailloop_messages{check=\"loop\",outcome=\"junk\"} ") {
				t.Errorf("what the check measured lacks the messages in Junk (%v):\n%s", err, text)
			}
			d.stop(t)
		})
	}
}

// TestMailloopLost: what Postfix throws away is lost after its time, and told with its token.
func TestMailloopLost(t *testing.T) {
	m := startMail(t, "smtpd_end_of_data_restrictions=check_client_access static:DISCARD")
	d := loopDaemon(t, m, fmt.Sprintf("to: watch@skywatch.test, late: 1s, ttl: 2s, mailbox: {server: %q, TLS}", local(m.imap)))
	d.awaitState("loop", 0)
	awaitLoop(d, "lost messages", func(s loopState) bool { return s.Totals["Lost"] >= 2 && s.Totals["Arrived"] == 0 })
	want := regexp.MustCompile(`[1-9]\d* lost, the first with token [A-Z0-9]{8}-[a-z0-9]+-[A-Z0-9]{16} sent at 20\S+Z, want it within 2s`)
	if log := readText(t, d.file("skywatch.log")); !want.MatchString(log) {
		t.Errorf("the log does not tell what is lost, want %s:\n%s", want, log)
	}
	d.stop(t)
}
