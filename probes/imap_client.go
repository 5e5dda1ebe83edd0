// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap || !nomailloop

package probes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"skywatch/internal/probe"
)

// maxIMAPLine is the longest line of a response: room for the numbers of 30,000 messages.
const maxIMAPLine = 256 << 10

// imapClient speaks IMAP4rev1 and rev2 (RFC 3501, RFC 9051) over a link: one command at a time, and nothing that is not bounded. It has
// no goroutine of its own.
type imapClient struct {
	*textLink
	tags    int
	banner  string   // text of the greeting
	caps    []string // capabilities as last announced, in upper case; nil = not known
	known   bool     // whether the server greeted a client that it knows already
	leaving bool     // whether LOGOUT was sent
	folder  string   // the selected one; "" = none

	validity map[string]string // UIDVALIDITY of the folders opened so far: UIDs from before a change are those of other messages
}

// openIMAP connects, reads the greeting, goes over to TLS if that is how, and asks for the capabilities. desc and budget are as in
// ServiceConfig.open. The caller closes the client.
func openIMAP(ctx context.Context, conf *ServiceConfig, t probe.Target, desc *probe.Desc, budget int64, r *probe.Recorder) (*imapClient, error) {
	l, err := conf.open(ctx, t, desc, budget, r)
	if err != nil {
		return nil, err
	}
	c := &imapClient{textLink: l.text()}
	if err := c.begin(ctx, conf.TLS == tlsStart); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// begin goes from the first byte to known capabilities.
func (c *imapClient) begin(ctx context.Context, startTLS bool) error {
	if err := c.greeting(); err != nil {
		return err
	}
	c.allowLines(maxIMAPLine)
	if startTLS {
		if err := c.beginTLS(ctx); err != nil {
			return err
		}
	}
	return c.capability()
}

// greeting reads what a server says first (RFC 9051, 7.1).
func (c *imapClient) greeting() error {
	resp, err := c.response("a greeting")
	if err != nil {
		return err
	}
	status, ok := resp.status()
	switch {
	case resp.tag != "*" || !ok || status.condition == "NO" || status.condition == "BAD":
		return probe.Failf(probe.ReasonProtocol, "reading from %q: got %s, want a greeting of IMAP (* OK)", c.server, c.r.Evidence(resp.line()))
	case status.condition == "BYE":
		return probe.Failf(probe.ReasonResponse, "reading from %q: turned away with %s, want a greeting", c.server, c.r.Evidence(status.answer()))
	}
	c.note(status)
	c.banner, c.known = c.shortBanner(status.text), status.condition == "PREAUTH"
	c.r.Fact("banner", c.banner)
	c.done("greeting")
	return nil
}

// beginTLS goes over to TLS. What the server said before is forgotten: anybody may have said it.
func (c *imapClient) beginTLS(ctx context.Context) error {
	if c.known {
		return probe.Failf(probe.ReasonProtocol, "starting TLS with %q: the server takes us for logged in (PREAUTH), want a greeting that leaves room for STARTTLS", c.server)
	}
	if c.caps == nil {
		if err := c.capability(); err != nil {
			return err
		}
	}
	if !c.can("STARTTLS") {
		return probe.Failf(probe.ReasonResponse, "starting TLS with %q: not offered, want STARTTLS among the capabilities, found %s",
			c.server, c.foundCaps())
	}
	if _, err := c.must("starting TLS with "+c.quotedServer(), "STARTTLS", "it begun", nil); err != nil {
		return err
	}
	c.caps = nil
	return c.startTLS(ctx)
}

// capability asks for the capabilities, unless they came unasked since something changed.
func (c *imapClient) capability() error {
	if c.caps != nil {
		return nil
	}
	if _, err := c.must("asking "+c.quotedServer()+" for its capabilities", "CAPABILITY", "them", nil); err != nil {
		return err
	}
	if c.caps == nil {
		return probe.Failf(probe.ReasonProtocol, "asking %q for its capabilities: got none, want a CAPABILITY response", c.server)
	}
	return nil
}

func (c *imapClient) can(capability string) bool { return slices.Contains(c.caps, capability) }

// imapRefusal is a command that the server did not carry out, such as to open a folder that does not exist.
type imapRefusal struct {
	status imapStatus
	shown  string // the answer, fit for an error
}

func (e *imapRefusal) Error() string { return "refused with " + e.shown }

// noSuchFolder tells whether an error is that of a folder that does not exist (RFC 5530), or that of a refusal of a server that gives no
// response codes.
func noSuchFolder(err error) bool {
	var refusal *imapRefusal
	return errors.As(err, &refusal) && slices.Contains([]string{"", "NONEXISTENT", "TRYCREATE"}, refusal.status.code)
}

// must sends a command that is to succeed. doing begins the error, want ends it. each is as in reply.
func (c *imapClient) must(doing, text, want string, each func(imapResponse) error) (imapStatus, error) {
	status, err := c.command(imapCommand{text}, each)
	if err == nil && status.condition != "OK" {
		refusal := &imapRefusal{status, c.r.Evidence(status.answer())}
		err = probe.Failf(probe.ReasonResponse, "%s: %w, want %s", doing, refusal, want)
	}
	return status, err
}

// imapCommand is a command without its tag, cut where a literal begins.
type imapCommand []string

// withString adds a space and a string: quoted, or as a literal when it has other characters than those of ASCII (RFC 9051, 4.3).
func (m imapCommand) withString(s string) imapCommand {
	last := len(m) - 1
	if strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) {
		m[last] += fmt.Sprintf(" {%d}", len(s))
		return append(m, s)
	}
	m[last] += " " + imapQuote(s)
	return m
}

var imapEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// imapQuote makes a quoted string.
func imapQuote(s string) string { return `"` + imapEscapes.Replace(s) + `"` }

// command sends a command and reads up to its tagged reply. each is as in reply.
func (c *imapClient) command(m imapCommand, each func(imapResponse) error) (imapStatus, error) {
	tag, err := c.begun(m[0])
	if err != nil {
		return imapStatus{}, err
	}
	for _, part := range m[1:] {
		_, ended, err := c.read(tag, nil)
		if err != nil || ended != nil {
			return orZero(ended), err
		}
		if err := c.say(part); err != nil {
			return imapStatus{}, err
		}
	}
	return c.reply(tag, each)
}

// begun sends the first line of a command under a fresh tag.
func (c *imapClient) begun(line string) (tag string, err error) {
	c.tags++
	tag = fmt.Sprintf("s%d", c.tags)
	return tag, c.say(tag + " " + line)
}

func orZero(status *imapStatus) imapStatus {
	if status == nil {
		return imapStatus{}
	}
	return *status
}

// reply reads up to the reply with a tag. each gets the untagged data that come before; nil = they do not matter.
func (c *imapClient) reply(tag string, each func(imapResponse) error) (imapStatus, error) {
	text, status, err := c.read(tag, each)
	if err == nil && status == nil {
		err = probe.Failf(probe.ReasonProtocol, "reading from %q: asked for more with %s, want a reply with the tag %s", c.server, c.r.Evidence(text), tag)
	}
	return orZero(status), err
}

// read reads up to a continuation request, which gives its text, or the tagged reply, which gives its status.
func (c *imapClient) read(tag string, each func(imapResponse) error) (text string, ended *imapStatus, err error) {
	for {
		resp, err := c.response("a reply with the tag " + tag)
		if err != nil {
			return "", nil, err
		}
		status, isStatus := resp.status()
		switch {
		case resp.tag == "+":
			return resp.parts[0], nil, nil
		case resp.tag == tag && isStatus && status.final():
			c.note(status)
			return "", &status, nil
		case resp.tag != "*":
			return "", nil, probe.Failf(probe.ReasonProtocol, "reading from %q: got %s, want a reply with the tag %s", c.server, c.r.Evidence(resp.line()), tag)
		case isStatus && status.condition == "BYE" && !c.leaving:
			return "", nil, probe.Failf(probe.ReasonResponse, "reading from %q: thrown out with %s, want a reply with the tag %s", c.server, c.r.Evidence(status.answer()), tag)
		case isStatus:
			c.note(status)
		}
		if data, ok := strings.CutPrefix(strings.ToUpper(resp.parts[0]), "CAPABILITY "); ok {
			c.announce(data)
		}
		if each != nil {
			if err := each(resp); err != nil {
				return "", nil, err
			}
		}
	}
}

// note takes capabilities from a status.
func (c *imapClient) note(s imapStatus) {
	if s.code == "CAPABILITY" {
		c.announce(strings.ToUpper(s.args))
	}
}

func (c *imapClient) announce(data string) { c.caps = append([]string{}, strings.Fields(data)...) }

// logout ends the session politely. A server that closes right after its goodbye will do.
func (c *imapClient) logout() error {
	c.leaving = true
	bye := false
	status, err := c.command(imapCommand{"LOGOUT"}, func(resp imapResponse) error {
		s, ok := resp.status()
		bye = bye || ok && s.condition == "BYE"
		return nil
	})
	switch {
	case bye && (err == nil || probe.ReasonOf(err) == probe.ReasonProtocol):
		c.done("logout")
		return nil
	case err != nil:
		return err
	}
	return probe.Failf(probe.ReasonProtocol, "logging out from %q: got %s, want a goodbye (* BYE)", c.server, c.r.Evidence(status.answer()))
}
