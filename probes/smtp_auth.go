// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nosmtp || !nomailloop

package probes

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"skywatch/internal/probe"
)

// sasl is a mechanism by which a client proves who it is (RFC 4422). All texts are in base64.
type sasl struct {
	name string
	// initial is what the client says at once; nil = the server begins.
	initial func(l *login, r *probe.Recorder) string
	// answers are what it says to the challenges, one after the other.
	answers []func(l *login, r *probe.Recorder, challenge []byte) string
}

var (
	saslPlain = &sasl{name: "PLAIN", initial: (*login).plainResponse}

	// saslLogin was never standardised; the prompts differ, their order does not.
	saslLogin = &sasl{name: "LOGIN", answers: []func(*login, *probe.Recorder, []byte) string{
		func(l *login, r *probe.Recorder, _ []byte) string { return hiddenBase64(r, l.username) },
		func(l *login, r *probe.Recorder, _ []byte) string { return hiddenBase64(r, l.Secret.Reveal()) },
	}}

	saslCRAMMD5 = &sasl{name: "CRAM-MD5", answers: []func(*login, *probe.Recorder, []byte) string{(*login).cramMD5Response}}

	// saslXOAUTH2 takes the secret for an access token. A server that refuses it says why in a challenge, which the client acknowledges.
	saslXOAUTH2 = &sasl{name: "XOAUTH2", initial: (*login).xoauth2Response, answers: []func(*login, *probe.Recorder, []byte) string{
		func(*login, *probe.Recorder, []byte) string { return "" },
	}}

	// saslProtected and saslClear are those for which a password suffices, the best first: in TLS what servers can check against a
	// stored hash, in clear text what does not give the password away.
	saslProtected = []*sasl{saslPlain, saslLogin, saslCRAMMD5}
	saslClear     = []*sasl{saslCRAMMD5, saslPlain, saslLogin}
)

// findSASL finds a mechanism by its name in any case; nil = unknown.
func findSASL(name string) *sasl {
	for _, m := range []*sasl{saslPlain, saslLogin, saslCRAMMD5, saslXOAUTH2} {
		if strings.EqualFold(m.name, name) {
			return m
		}
	}
	return nil
}

// authenticate is RFC 4954; without an account it does nothing.
func (c *smtpClient) authenticate() error {
	if !c.config.wanted(c.target) {
		return nil
	}
	mechanism, err := c.mechanism()
	if err != nil {
		return err
	}
	l, err := c.login()
	if err != nil || l == nil {
		return err
	}
	reply, why, err := c.exchange(mechanism, l)
	switch {
	case err != nil:
		return err
	case reply.code == 235:
		l.accepted(c.r)
		c.done("auth")
		return nil
	case refusesCredential(reply.code):
		return l.refused(c.r, strings.TrimSpace(reply.String()+" "+why))
	case reply.code/100 == 4:
		return l.putOff(c.r, reply.String())
	}
	return c.refusal("logging in with "+mechanism.name+" to", reply, "235")
}

// refusesCredential tells whether a reply to AUTH is a verdict on the credential. The codes from 500 to 504 are about the command itself,
// those from 400 on about the moment, and 530 and 538 want TLS first (RFC 3207, section 4; RFC 4954, section 6).
func refusesCredential(code int) bool {
	return code/100 == 5 && code > 504 && code != 530 && code != 538
}

// mechanism chooses one.
func (c *smtpClient) mechanism() (*sasl, error) {
	offer, ok := c.extensions["AUTH"]
	if !ok {
		return nil, probe.Failf(probe.ReasonResponse, "logging in to %q: AUTH is not offered, but %s, want it%s", c.server, c.offered(), c.authHint())
	}
	offered := strings.Fields(strings.ToUpper(offer))
	candidates, want := saslProtected, "PLAIN, LOGIN or CRAM-MD5"
	switch {
	case c.config.Auth != "":
		m := findSASL(c.config.Auth)
		candidates, want = []*sasl{m}, m.name
	case c.config.TLS == tlsNone:
		candidates = saslClear
	}
	for _, m := range candidates {
		if slices.Contains(offered, m.name) {
			return m, nil
		}
	}
	return nil, probe.Failf(probe.ReasonResponse, "logging in to %q: the mechanisms offered are %s, want %s", c.server, c.r.Evidence(offer), want)
}

// authHint says why AUTH may be missing.
func (c *smtpClient) authHint() string {
	if c.config.TLS == tlsNone {
		return "; servers that protect passwords offer it with tls: starttls or tls only"
	}
	return "; the ports of clients, " + strconv.Itoa(portSubmission) + " and " + strconv.Itoa(portSubmissions) + ", have it"
}

// exchange goes through a mechanism and gives the reply that ends it, with the reason that XOAUTH2 gives for a refusal.
func (c *smtpClient) exchange(m *sasl, l *login) (reply smtpReply, why string, err error) {
	shown := "AUTH " + m.name
	line := shown
	if m.initial != nil {
		line += " " + m.initial(l, c.r)
	}
	reply, err = c.command(line, shown)
	for _, answer := range m.answers {
		if err != nil || reply.code != 334 {
			return reply, "", err
		}
		challenge, err := c.challenge(reply, shown)
		if err != nil {
			return reply, "", err
		}
		if m == saslXOAUTH2 {
			why = string(challenge)
		}
		if reply, err = c.command(answer(l, c.r, challenge), "an answer of "+shown); err != nil {
			return reply, "", err
		}
	}
	return reply, why, err
}

// challenge takes it from a reply.
func (c *smtpClient) challenge(reply smtpReply, shown string) ([]byte, error) {
	text := strings.Join(reply.lines, "")
	challenge, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, probe.Failf(probe.ReasonProtocol, "sending %s to %q: got the challenge %s, want base64", shown, c.server, c.r.Evidence(text))
	}
	return challenge, nil
}
