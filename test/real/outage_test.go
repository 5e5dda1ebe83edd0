// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"skywatch/internal/probetest"
)

const outageConfig = `
modules:
  site: {prober: http, timeout: 60s, http: {preferred_ip_protocol: ip4}}
checks:
  - {name: Website, module: site, target: "http://%s/", every: 1s, attempts: 1}
notifiers:
  - name: ops
    email:
      smarthost: localhost:%d
      from: watch@skywatch.test
      to: [watch@skywatch.test]
      username: watch@skywatch.test
      password_file: password
      tls_config: {ca_file: pki/ca.pem}
alerting: {group_wait: 100ms, retry_min: 200ms, retry_max: 1s}
history: {path: skywatch.db}
`

// chain is everything between a web server and the mailbox of who answers for it.
type chain struct {
	*daemon
	nginx, postfix, dovecot *server
	mailbox                 *mailbox
}

// newChain starts all of it, with the daemon watching nginx every second.
func newChain(t *testing.T) *chain {
	t.Helper()
	p := newPeers(t)
	web, submission, imaps, lmtp, auth := probetest.HoldPort(), probetest.HoldPort(), probetest.HoldPort(), probetest.HoldPort(), probetest.HoldPort()
	c := &chain{nginx: p.nginx(web), postfix: p.postfix(submission, lmtp, auth), dovecot: p.dovecot(imaps, lmtp, auth)}
	c.dovecot.start()
	c.postfix.start()
	c.nginx.start()
	c.mailbox = openMailbox(t, p, imaps)
	c.daemon = newDaemon(t, p.dir, fmt.Sprintf(outageConfig, address(web), submission))
	writeFile(t, c.file("password"), "Watch-pw1\n")
	c.daemon.start()
	c.awaitState("Website", 1)
	return c
}

// awaitLetters waits until the mailbox has n letters and gives them, oldest first.
func (c *chain) awaitLetters(n int) (all []letter) {
	c.t.Helper()
	eventually(c.t, fmt.Sprintf("%d letters in the mailbox", n), func() (err error) {
		if all, err = c.mailbox.letters(); err == nil && len(all) < n {
			err = fmt.Errorf("%d letters", len(all))
		}
		return err
	})
	return all
}

// expectLetters gives the letters of the mailbox, which must be n in the end: when the check has been made several times more,
// nothing is left to be sent, and Postfix has delivered all it took.
func (c *chain) expectLetters(n int) []letter {
	c.t.Helper()
	c.awaitLetters(n)
	c.awaitRounds("Website", 3)
	c.awaitDelivery()
	all := c.awaitLetters(n)
	if len(all) != n {
		c.t.Fatalf("%d letters, want exactly %d:\n%s", len(all), n, subjects(all))
	}
	return all
}

// awaitDelivery waits until all that is to be told is in the mailbox.
func (c *chain) awaitDelivery() {
	c.t.Helper()
	c.awaitEmptyOutbox()
	eventually(c.t, "Postfix to have delivered everything", func() error {
		for range 2 { // a message that moves from one directory to the next may be missed once
			queue, err := filepath.Glob(c.file("postfix/spool/[aid]*/*")) // active, incoming, deferred
			if err != nil || len(queue) > 0 {
				return errors.Join(err, fmt.Errorf("%d files in its queue", len(queue)))
			}
		}
		return nil
	})
}

func subjects(all []letter) string {
	var b strings.Builder
	for _, l := range all {
		fmt.Fprintln(&b, l.id, l.subject)
	}
	return b.String()
}

func expectSubject(t *testing.T, l letter, prefix string) {
	t.Helper()
	if !strings.HasPrefix(l.subject, prefix) || !strings.Contains(l.subject, "Website") {
		t.Errorf("subject %q, want %s and the name of the check", l.subject, prefix)
	}
}

// goneAway is what a probe meets at a server that ends: mostly it has ended, but it may be about to.
var goneAway = regexp.MustCompile("connection (refused|reset by peer|was closed)")

// TestOutageReachesTheMailbox: one outage of a real web server is exactly one mail when it begins and one, in the same thread, when it ends.
func TestOutageReachesTheMailbox(t *testing.T) {
	c := newChain(t)
	c.nginx.stop()
	down := c.expectLetters(1)[0]
	expectSubject(t, down, "DOWN")
	if !strings.Contains(down.received, "SMTPSA ") {
		t.Errorf("the mail came by %q, want SMTPSA: over TLS and logged in", down.received)
	}
	if !goneAway.MatchString(down.text) {
		t.Errorf("the mail does not tell what happened, want %s in:\n%s", goneAway, down.text)
	}

	c.nginx.start()
	up := c.expectLetters(2)[1]
	expectSubject(t, up, "UP")
	if up.inReplyTo != down.id || !strings.Contains(up.references, down.id) {
		t.Errorf("In-Reply-To %q, References %q, want %q", up.inReplyTo, up.references, down.id)
	}
}

// killInOutage stops Postfix, then nginx, and kills the daemon once the outage is in its file. What it has only seen when it is killed it
// cannot know later.
func (c *chain) killInOutage() {
	c.t.Helper()
	c.postfix.stop()
	c.nginx.stop()
	r := openRing(c.t, c.file("skywatch.db"), "ro")
	defer r.db.Close()
	eventually(c.t, "the outage in the file", func() error {
		all, err := r.transitions(stateDown)
		if err == nil && all["Website"] != 1 {
			err = fmt.Errorf("%d transitions, want 1", all["Website"])
		}
		return err
	})
	c.kill()
}

// TestMailSurvivesKill: what could not be sent before a kill -9 is sent after it, once.
func TestMailSurvivesKill(t *testing.T) {
	c := newChain(t)
	c.killInOutage()

	c.postfix.start()
	c.daemon.start()
	down := c.expectLetters(1)[0]
	expectSubject(t, down, "DOWN")

	c.nginx.start()
	up := c.expectLetters(2)[1]
	expectSubject(t, up, "UP")
	if up.inReplyTo != down.id {
		t.Errorf("In-Reply-To %q, want %q: the recovery belongs to the thread of the failure", up.inReplyTo, down.id)
	}
}

// TestMailSurvivesKillOfEverything: nothing of the outage is left when the daemon comes back, and still it is told, once.
func TestMailSurvivesKillOfEverything(t *testing.T) {
	c := newChain(t)
	c.killInOutage()

	c.postfix.start()
	c.nginx.start()
	c.daemon.start()
	c.awaitState("Website", 1)
	c.awaitRounds("Website", 3)
	c.awaitDelivery()
	c.expectOutageTold()
}

// expectOutageTold wants one outage told in full, in one merged letter or in one each for its beginning and its end.
func (c *chain) expectOutageTold() {
	c.t.Helper()
	all := c.awaitLetters(1)
	all = c.expectLetters(len(all))
	seen := make(map[string]bool)
	for _, l := range all {
		if seen[l.id] {
			c.t.Errorf("%s arrived twice:\n%s", l.id, subjects(all))
		}
		seen[l.id] = true
	}
	switch last := all[len(all)-1]; len(all) {
	case 1:
		expectSubject(c.t, last, "UP")
		if !strings.Contains(last.text, "was down") {
			c.t.Errorf("the merged mail does not tell of the outage, want \"was down\" in:\n%s", last.text)
		}
	case 2:
		expectSubject(c.t, all[0], "DOWN")
		expectSubject(c.t, last, "UP")
	default:
		c.t.Errorf("%d letters, want one or two:\n%s", len(all), subjects(all))
	}
}
