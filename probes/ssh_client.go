// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nossh

package probes

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"skywatch/internal/probe"
)

// The methods of authentication (RFC 4252, RFC 4256).
const (
	sshByKey      = "publickey"
	sshByPassword = "password"
	sshByDialogue = "keyboard-interactive"
)

// errKeyOnly ends the key exchange of a probe that does not log in. Nobody gets to see it.
var errKeyOnly = errors.New("the key is all that was wanted")

// sshClient is our side of one connection.
type sshClient struct {
	*link
	prober  *SSH
	address string // host:port as asked for
	trust   *hostTrust
	who     *login // nil = nobody
	signer  ssh.Signer
	wire    *sshWire

	key     ssh.PublicKey // that the server has shown
	refusal error         // of ours: why we do not go on
	offered []string      // methods, at the last failure
	tried   []string      // methods that failed
	partly  []string      // methods that passed, but were not enough
	asked   bool          // whether the server asked for the password in a dialogue, and got it
	greeted bool          // whether the text before the login was noted
	entered bool          // whether the login was permitted
}

// connect exchanges the keys and logs in; the client is nil when there is nobody to log in.
func (c *sshClient) connect(ctx context.Context) (*ssh.Client, error) {
	conf := &ssh.ClientConfig{
		ClientVersion: sshVersion, HostKeyCallback: c.checkHostKey, HostKeyAlgorithms: c.trust.algorithms(c.prober.HostKeyAlgorithms),
		AuthCallback: c.nextMethod, BannerCallback: c.noteText,
	}
	if c.who != nil {
		conf.User = c.who.username
	}
	conn, channels, requests, err := ssh.NewClientConn(c.wire, c.server, conf)
	switch {
	case errors.Is(err, errKeyOnly):
		return nil, nil
	case c.refusal != nil:
		return nil, c.refusal
	case err != nil && c.key == nil:
		return nil, c.exchangeError(ctx, err)
	case err != nil:
		return nil, c.loginError(ctx, err)
	}
	if a, ok := conn.(ssh.AlgorithmsConnMetadata); ok {
		agreed := a.Algorithms()
		c.r.Set(descSSHAlgorithms, 1, agreed.KeyExchange, agreed.HostKey, agreed.Read.Cipher, agreed.Read.MAC)
	}
	if len(c.tried) == 0 && c.offered == nil {
		c.r.Log.Warn("the server let us in without a secret")
	} else {
		c.who.accepted(c.r)
	}
	c.done("auth")
	return ssh.NewClient(conn, channels, requests), nil
}

// checkHostKey judges the key of the server, which has proved to have it, before anything secret is sent. It is called again when the
// server exchanges keys anew.
func (c *sshClient) checkHostKey(_ string, remote net.Addr, key ssh.PublicKey) error {
	if c.key != nil {
		if !bytes.Equal(c.key.Marshal(), key.Marshal()) {
			return errors.New("another host key on the same connection")
		}
		return nil
	}
	c.key = key
	c.r.Set(descSSHKey, 1, key.Type(), ssh.FingerprintSHA256(key))
	c.r.Fact("host_key", showKey(key))
	why, err := c.trust.check(remote, key)
	verified := 1.0
	if why != "" {
		verified = 0
	}
	c.r.Set(descSSHVerified, verified, why)
	c.r.Log.Debug("server has shown its host key", "type", key.Type(), "fingerprint", ssh.FingerprintSHA256(key), "verified", why == "")
	if err != nil {
		c.refusal = err
		return err
	}
	c.done("handshake")
	c.wire.slow.Store(true)
	if c.who == nil {
		return errKeyOnly
	}
	return nil
}

// exchangeError says why there was no key to check.
func (c *sshClient) exchangeError(ctx context.Context, err error) error {
	if none := new(ssh.AlgorithmNegotiationError); errors.As(err, &none) {
		return probe.Failf(probe.ReasonTLS, "exchanging keys with %q: no common algorithm for %s, the server has %s, want one of %s",
			c.server, none.What, c.r.Evidence(strings.Join(none.RequestedAlgorithms, " ")), strings.Join(none.SupportedAlgorithms, " "))
	}
	return c.lost(ctx, "exchanging keys with", err)
}

// lost says what became of the connection. A server that says goodbye has answered.
func (c *sshClient) lost(ctx context.Context, doing string, err error) error {
	text := errText(err)
	if said, ok := strings.CutPrefix(text, "disconnect, reason "); ok {
		number, quoted, _ := strings.Cut(said, ": ")
		message, err := strconv.Unquote(quoted)
		if err != nil {
			message = quoted
		}
		return probe.Failf(probe.ReasonResponse, "%s %q: the server ended it with %s (reason %s), want it to go on", doing, c.server, c.r.Evidence(message), number)
	}
	return lostSSH(ctx, doing, c.link, trimmedError{err, text})
}

// errText is an error of the client without what all of them begin with.
func errText(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "ssh: handshake failed: "), "ssh: ")
}

// trimmedError is an error with a text of its own.
type trimmedError struct {
	error
	text string
}

func (e trimmedError) Error() string { return e.text }

func (e trimmedError) Unwrap() error { return e.error }

// noteText notes what the server says before the login; more than one text is left out.
func (c *sshClient) noteText(text string) error {
	if !c.greeted {
		c.greeted = true
		c.r.Log.Debug("server says before the login " + c.r.Evidence(text))
	}
	return nil
}

// nextMethod chooses how to log in, after what was offered and failed so far: with the key, then with the password. A dialogue is the way for
// the password only where the other is not offered, as each refusal counts at the server.
func (c *sshClient) nextMethod(a *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	c.offered, c.tried, c.partly = a.AllowedMethods, withoutNone(a.TriedMethods), a.PartialSuccessMethods
	c.r.Log.Debug("server offers logins", "methods", strings.Join(c.offered, " "), "refused", strings.Join(c.tried, " "), "passed", strings.Join(c.partly, " "))
	open := func(method string) bool {
		return slices.Contains(c.offered, method) && !slices.Contains(c.tried, method) && !slices.Contains(c.partly, method)
	}
	password := c.who.password()
	var method ssh.AuthMethod
	switch {
	case c.signer != nil && open(sshByKey):
		method = ssh.PublicKeys(c.signer)
	case password == "" || slices.Contains(c.tried, sshByPassword):
	case open(sshByPassword):
		method = ssh.Password(password.Reveal())
	case open(sshByDialogue):
		method = ssh.KeyboardInteractive(c.answer)
	}
	if method != nil && !c.entered {
		c.entered, c.refusal = true, c.r.Entering(c.who.Login) // not before: a server that cannot be reached must not make other logins wait
	}
	if method == nil || c.refusal != nil {
		c.wire.stop() // the client gives up
		return nil, c.refusal
	}
	return method, nil
}

func withoutNone(methods []string) []string {
	return slices.DeleteFunc(slices.Clone(methods), func(method string) bool { return method == "none" })
}

// answer gives the password to the one question of a dialogue that is not shown while it is typed. The others, and a second such, are not for us.
func (c *sshClient) answer(_, _ string, questions []string, shown []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i := range questions {
		if shown[i] || c.asked {
			c.refusal = probe.Failf(probe.ReasonResponse, "logging in to %q as %q: the server asks %s, want a question for the password only",
				c.server, c.who.username, c.r.Evidence(questions[i]))
			c.wire.stop()
			return nil, c.refusal
		}
		answers[i], c.asked = c.who.password().Reveal(), true
	}
	return answers, nil
}

// loginError tells a refused secret from all else that may end a login.
func (c *sshClient) loginError(ctx context.Context, err error) error {
	text, offers := errText(err), strings.Join(c.offered, " ")
	judged := slices.DeleteFunc(slices.Clone(c.tried), func(method string) bool { return method == sshByDialogue && !c.asked })
	refused := "no to " + strings.Join(judged, " and ") + ", offers " + offers
	switch {
	case strings.HasPrefix(text, "disconnect, ") && strings.Contains(strings.ToLower(text), "too many authentication failures") && c.offered != nil:
		return c.who.refused(c.r, text)
	case strings.HasPrefix(text, "unable to authenticate") && len(judged) > 0:
		return c.who.refused(c.r, refused)
	case strings.HasPrefix(text, "unable to authenticate") && len(c.partly) > 0:
		return probe.Failf(probe.ReasonResponse, "logging in to %q as %q: %s was accepted, but the server wants one of %s as well",
			c.server, c.who.username, strings.Join(c.partly, " and "), c.r.Evidence(offers))
	case strings.HasPrefix(text, "unable to authenticate"), slices.Contains(c.tried, sshByDialogue) && !c.asked:
		return probe.Failf(probe.ReasonResponse, "logging in to %q as %q: the server offers %s, want %s",
			c.server, c.who.username, c.r.Evidence(offers), strings.Join(c.able(), " or "))
	case strings.HasPrefix(text, "unexpected message type 60"):
		return probe.Failf(probe.ReasonResponse, "logging in to %q as %q: the server asks for a new password, want the old one to do", c.server, c.who.username)
	}
	return c.lost(ctx, "logging in to", err)
}

// able are the methods for which there is a secret.
func (c *sshClient) able() (methods []string) {
	if c.signer != nil {
		methods = append(methods, sshByKey)
	}
	if c.who.password() != "" {
		methods = append(methods, sshByPassword, sshByDialogue)
	}
	return methods
}

// password is that of a login, which may have only a key: then Secret is the key.
func (l *login) password() probe.Secret {
	if l.Secret == l.key {
		return ""
	}
	return l.Secret
}
