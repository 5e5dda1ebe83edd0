// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nopop3 || !nomailloop

package probes

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"skywatch/internal/probe"
)

// The forms of `auth` of POP3.
const (
	authUser = "user" // the commands USER and PASS
	authAPOP = "apop" // the command APOP, which does not send the password
)

func validatePOP3Auth(auth string) error {
	if auth != authUser && auth != authAPOP {
		return fmt.Errorf("auth: found %q, want %s or %s", auth, authUser, authAPOP)
	}
	return nil
}

// pop3Client speaks POP3 (RFC 1939, RFC 2449) over a link: one command at a time, or several where the server takes them.
type pop3Client struct {
	*textLink
	banner   string   // text of the greeting without the stamp
	stamp    string   // what APOP works with, other in each greeting; "" = none
	caps     []string // capabilities with their arguments, in upper case; nil = none announced
	messages uint32   // in the mailbox at the login
	octets   uint64   // of them
	partial  bool     // whether marked looked at some of the messages only
}

// openPOP3 connects, reads the greeting and goes over to TLS if that is how. desc and budget are as in ServiceConfig.open. The caller
// closes the client.
func openPOP3(ctx context.Context, conf *ServiceConfig, t probe.Target, desc *probe.Desc, budget int64, r *probe.Recorder) (*pop3Client, error) {
	l, err := conf.open(ctx, t, desc, budget, r)
	if err != nil {
		return nil, err
	}
	c := &pop3Client{textLink: l.text()}
	if err := c.begin(ctx, conf.TLS == tlsStart); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// begin goes from the first byte to known capabilities.
func (c *pop3Client) begin(ctx context.Context, startTLS bool) error {
	answer, err := c.reply("a greeting")
	if err != nil {
		return err
	}
	if !answer.ok {
		return probe.Failf(probe.ReasonResponse, "reading from %q: turned away with %s, want a greeting", c.server, c.r.Evidence(answer.line()))
	}
	c.stamp = stamp.FindString(answer.text)
	c.banner = c.shortBanner(strings.TrimSpace(stamp.ReplaceAllString(answer.text, "")))
	c.r.Fact("banner", c.banner)
	c.done("greeting")
	if startTLS {
		if _, err := c.must("starting TLS with "+c.quotedServer(), "STLS", "it begun"); err != nil {
			return err
		}
		if err := c.startTLS(ctx); err != nil {
			return err
		}
	}
	return c.capability()
}

// capability asks for the capabilities; a server need not have any (RFC 2449).
func (c *pop3Client) capability() error {
	answer, err := c.command("CAPA", "an answer to CAPA")
	if err != nil || !answer.ok {
		return err
	}
	c.caps = []string{}
	return c.lines("capabilities", func(line string) error {
		if len(c.caps) < maxPOP3Capabilities {
			c.caps = append(c.caps, strings.ToUpper(line))
		}
		return nil
	})
}

// maxPOP3Capabilities is how many are kept.
const maxPOP3Capabilities = 100

// can tells whether a capability was announced.
func (c *pop3Client) can(capability string) bool {
	return slices.ContainsFunc(c.caps, func(line string) bool { name, _, _ := strings.Cut(line, " "); return name == capability })
}

// pop3Reply is the first line of a reply.
type pop3Reply struct {
	ok         bool
	code, text string // response code in upper case, "" without one (RFC 2449, 8); what follows
}

// line is the reply as the server said it, for an error.
func (p pop3Reply) line() string {
	sign, code := "-ERR", ""
	if p.ok {
		sign = "+OK"
	}
	if p.code != "" {
		code = " [" + p.code + "]"
	}
	return strings.TrimRight(sign+code+" "+p.text, " ")
}

// parsePOP3 reads the first line of a reply; ok tells whether it is one.
func parsePOP3(line string) (p pop3Reply, ok bool) {
	sign, text, _ := strings.Cut(line, " ")
	switch sign {
	case "+OK":
		p.ok = true
	case "-ERR":
	default:
		return pop3Reply{}, false
	}
	p.text = strings.TrimLeft(text, " ")
	if inside, rest, found := strings.Cut(p.text, "]"); found && !p.ok && strings.HasPrefix(inside, "[") {
		p.code, p.text = strings.ToUpper(inside[1:]), strings.TrimLeft(rest, " ")
	}
	return p, true
}

// reply reads the first line of a reply. want says what it should be, for the error.
func (c *pop3Client) reply(want string) (pop3Reply, error) {
	line, err := c.readLine(want)
	if err != nil {
		return pop3Reply{}, err
	}
	answer, ok := parsePOP3(line)
	if !ok {
		return pop3Reply{}, probe.Failf(probe.ReasonProtocol, "reading from %q: got %s, want %s: +OK or -ERR", c.server, c.r.Evidence(line), want)
	}
	return answer, nil
}

// command sends a command and reads the first line of its reply.
func (c *pop3Client) command(text, want string) (pop3Reply, error) {
	if err := c.say(text); err != nil {
		return pop3Reply{}, err
	}
	return c.reply(want)
}

// must sends a command that is to succeed. doing begins the error, want ends it.
func (c *pop3Client) must(doing, text, want string) (pop3Reply, error) {
	answer, err := c.command(text, want)
	if err == nil && !answer.ok {
		err = probe.Failf(probe.ReasonResponse, "%s: refused with %s, want %s", doing, c.r.Evidence(answer.line()), want)
	}
	return answer, err
}

// lines reads the rest of a reply of many lines, up to the line with a dot alone (RFC 1939, 3).
func (c *pop3Client) lines(want string, each func(line string) error) error {
	for {
		line, err := c.readLine(want + " up to the final dot")
		if err != nil || line == "." {
			return err
		}
		if err := each(strings.TrimPrefix(line, ".")); err != nil {
			return err
		}
	}
}

// stamp is the part of a greeting that APOP works with (RFC 1939, 7).
var stamp = regexp.MustCompile(`<[^<>@ ]+@[^<> ]*>`)

// logIn proves who the client is, and asks how many messages there are.
func (c *pop3Client) logIn(l *login, auth string) error {
	answer, err := c.authenticate(l, auth)
	switch {
	case err != nil:
		return err
	case answer.ok:
		l.accepted(c.r)
		c.done("auth")
		return nil
	case slices.Contains(notJudged, answer.code):
		return l.putOff(c.r, answer.line())
	}
	return l.refused(c.r, answer.line())
}

// notJudged are the response codes of a login that was not judged (RFC 2449, 8.1; RFC 3206). Any other, and none, are those of a refusal.
var notJudged = []string{"IN-USE", "LOGIN-DELAY", "SYS/TEMP", "SYS/PERM"}

// authenticate gives the answer that ends the login. USER refused by a server that still offers TLS, or says that it has no USER, is no
// verdict: it wants TLS first (Dovecot announces USER all the same).
func (c *pop3Client) authenticate(l *login, auth string) (pop3Reply, error) {
	if strings.ContainsAny(l.username+l.Secret.Reveal(), "\r\n\x00") {
		return pop3Reply{}, probe.Failf(probe.ReasonConfig, "logging in to %q as %q: the username or the password has a line end or a NUL byte in it, want none",
			c.server, l.username)
	}
	if auth == authAPOP {
		return c.apop(l)
	}
	answer, err := c.command("USER "+l.username, "an answer to USER")
	if err == nil && !answer.ok && c.caps != nil && (c.can("STLS") || !c.can("USER")) {
		return answer, probe.Failf(probe.ReasonResponse, "logging in to %q as %q: the server allows no USER now and says %s, want it allowed: "+
			"TLS may have to come first, or another auth", c.server, l.username, c.r.Evidence(answer.line()))
	}
	if err != nil || !answer.ok {
		return answer, err
	}
	return c.command("PASS "+l.Secret.Reveal(), "an answer to PASS")
}

func (c *pop3Client) apop(l *login) (pop3Reply, error) {
	if c.stamp == "" {
		return pop3Reply{}, probe.Failf(probe.ReasonResponse, "logging in to %q as %q: no timestamp in the greeting %s, want one: there is no APOP without",
			c.server, l.username, c.r.Evidence(c.banner))
	}
	sum := md5.Sum([]byte(c.stamp + l.Secret.Reveal()))
	digest := hex.EncodeToString(sum[:])
	c.r.Hide(probe.Secret(digest))
	return c.command("APOP "+l.username+" "+digest, "an answer to APOP")
}

// quit ends the session, which makes the server delete what is to be deleted (RFC 1939, 6).
func (c *pop3Client) quit() error {
	if _, err := c.must("ending the session with "+c.quotedServer(), "QUIT", "the deletions done"); err != nil {
		return err
	}
	c.done("logout")
	return nil
}
