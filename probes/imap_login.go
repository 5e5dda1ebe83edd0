// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap || !nomailloop

package probes

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"skywatch/internal/probe"
)

// The forms of `auth` of IMAP.
const (
	authLogin   = "login"    // the command LOGIN
	authPlain   = "plain"    // SASL PLAIN
	authCRAMMD5 = "cram-md5" // SASL CRAM-MD5, which does not send the password
	authXOAUTH2 = "xoauth2"  // SASL XOAUTH2, with an access token as the password
)

func validateIMAPAuth(auth string) error {
	if !slices.Contains([]string{authLogin, authPlain, authCRAMMD5, authXOAUTH2}, auth) {
		return fmt.Errorf("auth: found %q, want %s, %s, %s or %s", auth, authLogin, authPlain, authCRAMMD5, authXOAUTH2)
	}
	return nil
}

// temporary are the response codes of a login that was not judged (RFC 5530). An unknown one, and none, are those of a refusal: to
// go on trying would lock the account.
var temporary = []string{"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "OVERQUOTA", "PRIVACYREQUIRED"}

// logIn proves who the client is, and asks for the capabilities that it has then.
func (c *imapClient) logIn(l *login, auth string) error {
	if c.known {
		return probe.Failf(probe.ReasonResponse, "logging in to %q as %q: the server takes us for logged in (PREAUTH), want it to ask", c.server, l.username)
	}
	if err := c.offers(l, auth); err != nil {
		return err
	}
	status, err := c.authenticate(l, auth)
	switch {
	case err != nil:
		return err
	case status.condition == "OK":
		l.accepted(c.r)
		if status.code != "CAPABILITY" {
			c.caps = nil // those from before the login
		}
		c.done("auth")
		return c.capability()
	case status.condition == "BAD" || slices.Contains(temporary, status.code):
		return l.putOff(c.r, status.answer())
	}
	return l.refused(c.r, status.answer())
}

// offers fails when the server does not take this kind of login now, before it gets any secret.
func (c *imapClient) offers(l *login, auth string) error {
	if auth == authLogin {
		if c.can("LOGINDISABLED") {
			return probe.Failf(probe.ReasonResponse, "logging in to %q as %q: the server allows no LOGIN now (LOGINDISABLED), want it allowed: "+
				"TLS may have to come first, or another auth, found %s", c.server, l.username, c.foundCaps())
		}
		return nil
	}
	if mechanism := "AUTH=" + strings.ToUpper(auth); !c.can(mechanism) {
		return probe.Failf(probe.ReasonResponse, "logging in to %q as %q: %s is not offered, want it among the capabilities, found %s",
			c.server, l.username, mechanism, c.foundCaps())
	}
	return nil
}

// foundCaps shows the capabilities in an error.
func (c *imapClient) foundCaps() string { return c.r.Evidence(strings.Join(c.caps, " ")) }

// authenticate sends the command, and what it needs, and gives the status it ends with.
func (c *imapClient) authenticate(l *login, auth string) (imapStatus, error) {
	if strings.ContainsAny(l.username+l.Secret.Reveal(), "\r\n\x00") {
		return imapStatus{}, probe.Failf(probe.ReasonConfig, "logging in to %q as %q: the username or the password has a line end or a NUL byte in it, want none",
			c.server, l.username)
	}
	switch auth {
	case authPlain:
		return c.initial("PLAIN", l.plainResponse(c.r))
	case authXOAUTH2:
		return c.initial("XOAUTH2", l.xoauth2Response(c.r))
	case authCRAMMD5:
		return c.challenged(l)
	}
	if quoted := imapQuote(l.Secret.Reveal()); len(quoted) > len(l.Secret)+2 {
		c.r.Hide(probe.Secret(quoted))
	}
	return c.command(imapCommand{"LOGIN"}.withString(l.username).withString(l.Secret.Reveal()), nil)
}

// initial runs a mechanism in which the client speaks first (RFC 4959), and only once.
func (c *imapClient) initial(mechanism, response string) (imapStatus, error) {
	line, more := "AUTHENTICATE "+mechanism, []string{response}
	if c.can("SASL-IR") {
		line, more = line+" "+response, nil
	}
	tag, err := c.begun(line)
	if err != nil {
		return imapStatus{}, err
	}
	for _, text := range more {
		_, ended, err := c.read(tag, nil)
		if err != nil || ended != nil {
			return orZero(ended), err
		}
		if err := c.say(text); err != nil {
			return imapStatus{}, err
		}
	}
	return c.outcome(tag)
}

// outcome reads how a mechanism ended. XOAUTH2 says first in a challenge why it failed, and wants an empty line for that.
func (c *imapClient) outcome(tag string) (imapStatus, error) {
	challenge, ended, err := c.read(tag, nil)
	if err != nil || ended != nil {
		return orZero(ended), err
	}
	why, err := base64.StdEncoding.DecodeString(challenge)
	if err != nil {
		return imapStatus{}, c.badChallenge(challenge)
	}
	if err := c.say(""); err != nil {
		return imapStatus{}, err
	}
	status, err := c.reply(tag, nil)
	status.text += " " + string(why)
	return status, err
}

// challenged runs CRAM-MD5.
func (c *imapClient) challenged(l *login) (imapStatus, error) {
	tag, err := c.begun("AUTHENTICATE CRAM-MD5")
	if err != nil {
		return imapStatus{}, err
	}
	text, ended, err := c.read(tag, nil)
	if err != nil || ended != nil {
		return orZero(ended), err
	}
	challenge, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(challenge) == 0 {
		return imapStatus{}, c.badChallenge(text)
	}
	if err := c.say(l.cramMD5Response(c.r, challenge)); err != nil {
		return imapStatus{}, err
	}
	return c.reply(tag, nil)
}

func (c *imapClient) badChallenge(text string) error {
	return probe.Failf(probe.ReasonProtocol, "logging in to %q: got the challenge %s, want it in base64", c.server, c.r.Evidence(text))
}
