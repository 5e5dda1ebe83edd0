// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nosmtp || !nomailloop

package probes

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"skywatch/internal/probe"
)

// maxExtensions is how many extensions are shown.
const maxExtensions = 40

// smtpClient speaks SMTP on an open link. The order of calls: greet (SMTPConfig.begin does it), prepare, then any of noop, rehearse and
// deliver, then quit. end comes last in any case.
type smtpClient struct {
	*textLink
	config     *SMTPConfig
	descs      smtpDescs
	extensions map[string]string // of the last EHLO: names in upper case, with their parameters
	startable  bool              // whether STARTTLS was offered before TLS
	last       smtpReply         // that decided, so far
	said       bool              // whether QUIT was said
}

// greet waits for the server to introduce itself.
func (c *smtpClient) greet() error {
	reply, err := c.read("a greeting of SMTP")
	if err != nil {
		return err
	}
	c.last = reply
	if c.descs.banner != nil {
		c.r.Set(c.descs.banner, 1, shortBanner(strings.Join(reply.lines, " ")))
	}
	if reply.code != 220 {
		return c.refusal("connecting to", reply, "220")
	}
	c.done("greeting")
	return nil
}

// prepare introduces the client, goes over to TLS if that is wanted, checks what the server must offer, and logs in.
func (c *smtpClient) prepare(ctx context.Context, require []string) error {
	if err := c.hello(); err != nil {
		return err
	}
	if c.config.TLS == tlsStart {
		if err := c.beginTLS(ctx); err != nil {
			return err
		}
	}
	c.recordExtensions()
	for _, extension := range require {
		if _, ok := c.extensions[extension]; !ok && !(extension == "STARTTLS" && c.startable) {
			return probe.Failf(probe.ReasonResponse, "sending EHLO to %q: offered are %s, want %s", c.server, c.offered(), extension)
		}
	}
	return c.authenticate()
}

// hello says EHLO; what was known of the server before is forgotten.
func (c *smtpClient) hello() error {
	reply, err := c.ask("EHLO " + c.config.hello())
	if err != nil {
		return err
	}
	c.extensions = make(map[string]string, len(reply.lines))
	for _, line := range reply.lines[1:] {
		name, params, _ := strings.Cut(line, " ")
		name = strings.ToUpper(name)
		if mechanism, ok := strings.CutPrefix(name, "AUTH="); ok { // how it was written before RFC 2554
			name, params = "AUTH", mechanism+" "+params
		}
		if isKeyword(name) {
			c.extensions[name] = strings.TrimSpace(c.extensions[name] + " " + params)
		}
	}
	c.done("ehlo")
	return nil
}

// beginTLS is RFC 3207: what the server said before the handshake may be forged, so that EHLO is said again.
func (c *smtpClient) beginTLS(ctx context.Context) error {
	if _, c.startable = c.extensions["STARTTLS"]; !c.startable {
		return probe.Failf(probe.ReasonResponse, "starting TLS with %q: STARTTLS is not offered, but %s, want it", c.server, c.offered())
	}
	reply, err := c.command("STARTTLS", "STARTTLS")
	if err != nil {
		return err
	}
	if reply.code != 220 {
		return c.refusal("starting TLS with", reply, "220")
	}
	if err := c.startTLS(ctx); err != nil {
		return err
	}
	return c.hello()
}

// names lists the extensions, sorted, at most maxExtensions.
func (c *smtpClient) names() []string {
	var names []string
	for name := range c.extensions {
		names = append(names, name)
	}
	if _, again := c.extensions["STARTTLS"]; c.startable && !again {
		names = append(names, "STARTTLS")
	}
	slices.Sort(names)
	return names[:min(len(names), maxExtensions)]
}

// offered shows the extensions in an error.
func (c *smtpClient) offered() string { return c.r.Evidence(strings.Join(c.names(), " ")) }

// recordExtensions shows what the server offers.
func (c *smtpClient) recordExtensions() {
	names := c.names()
	c.r.Fact("extensions", strings.Join(names, " "))
	if c.descs.extension != nil {
		for _, name := range names {
			c.r.Set(c.descs.extension, 1, name)
		}
	}
	if limit, err := strconv.ParseUint(c.extensions["SIZE"], 10, 64); err == nil && limit > 0 && c.descs.size != nil {
		c.r.Set(c.descs.size, float64(limit)) // RFC 1870: 0 or nothing = no fixed limit
	}
}

// noop asks for nothing, to see that the server still answers after the login.
func (c *smtpClient) noop() error {
	if _, err := c.ask("NOOP"); err != nil {
		return err
	}
	c.done("noop")
	return nil
}

// quit takes leave. All is decided by now: a server that just hangs up does not fail for that.
func (c *smtpClient) quit() {
	c.said = true
	decided := c.last
	reply, err := c.command("QUIT", "QUIT")
	c.last = decided
	switch {
	case err != nil:
		c.r.Log.Warn("QUIT is not answered", "err", err)
	case !reply.fine():
		c.r.Log.Warn("QUIT is refused", "reply", reply.String())
	default:
		c.done("quit")
	}
}

// end closes the connection. After a failure it takes leave in passing, so that the server need not log a lost connection.
func (c *smtpClient) end() {
	c.recordStatus()
	if !c.said && c.last.refuses() {
		_ = c.say("QUIT")
	}
	c.close()
}
