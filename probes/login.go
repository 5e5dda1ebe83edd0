// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"errors"
	"fmt"

	"skywatch/internal/probe"
)

// LoginConfig is who a service prober logs in as, embedded inline: an account of its own or the name of a credential. The zero value logs
// in as nobody.
type LoginConfig struct {
	Account    `yaml:",inline"`
	Credential string `yaml:"credential,omitempty"` // name of a credential, instead of an account here
}

// Service is what the probers that send secrets have besides Probe, so that nobody can have a secret sent where it does not belong.
type Service interface {
	// Logins tells, before anything is sent, which secrets a probe of t would send to whom; none for a probe without login. Reading a
	// file of a secret may fail, which leaves Secret empty. An error says that the target or the credential it picks makes no sense.
	Logins(t probe.Target) ([]probe.Login, error)
}

// login is a secret as a probe uses it.
type login struct {
	probe.Login
	username        string
	key, passphrase probe.Secret // of SSH
}

// validate checks the keys. own is the prober's own private key; nil = it has no use for one. It is for use in Validate.
func (c *LoginConfig) validate(o Options, own *PrivateKey) error {
	if err := c.Account.validate(); err != nil {
		return err
	}
	if c.Credential == "" {
		if c.Username == "" && !c.Account.empty() {
			return errors.New("password without username, want both")
		}
		return nil
	}
	if c.Username != "" || !c.Account.empty() {
		return errors.New("both credential and an account given, want at most one")
	}
	if _, err := picked(o, c.Credential, own != nil); err != nil {
		return fmt.Errorf("credential: %w", err)
	}
	return nil
}

// picked finds a named credential that has what a login needs. A private key is of use to those who take keys alone: to others it would go
// as the password.
func picked(o Options, name string, keys bool) (*Credential, error) {
	credential := o.Credentials.Find(name)
	switch {
	case credential == nil:
		return nil, fmt.Errorf("%q is not configured, want it under credentials", name)
	case credential.Username == "":
		return nil, fmt.Errorf("%q has no username, want one", name)
	case !keys && credential.Account.empty():
		return nil, fmt.Errorf("%q has no password, want one", name)
	}
	return credential, nil
}

// wanted tells whether a probe of t logs in.
func (c *LoginConfig) wanted(t probe.Target) bool {
	return c.Credential != "" || t.Credential != "" || c.Username != ""
}

// resolve finds who logs in at an address (host:port as asked for): the credential that the target picks, else that of the module, else its
// account. nil = nobody does. own is as in validate. The caller hides the secrets, see use.
func (c *LoginConfig) resolve(o Options, t probe.Target, address string, own *PrivateKey) (*login, error) {
	if !c.wanted(t) {
		return nil, nil
	}
	name, account, key := c.Credential, c.Account, own
	if t.Credential != "" {
		name = t.Credential
	}
	if name != "" {
		credential, err := picked(o, name, own != nil)
		if err != nil {
			return nil, probe.Failf(probe.ReasonConfig, "logging in: credential %w", err)
		}
		account = credential.Account
		if own != nil {
			key = &credential.PrivateKey
		}
	}
	l := &login{Login: probe.Login{Credential: name, Username: account.Username, Address: address}, username: account.Username}
	var err error
	if l.Secret, err = account.password(o); err != nil {
		return l, err
	}
	if key == nil {
		return l, nil
	}
	l.key, l.passphrase, err = key.key(o)
	if l.Secret == "" {
		l.Secret = l.key
	}
	return l, err
}

// use is resolve for a probe under way, right before it sends the secrets: they are hidden in everything it records. Where too many logins
// were refused it waits, or fails.
func (c *LoginConfig) use(o Options, t probe.Target, address string, own *PrivateKey, r *probe.Recorder) (*login, error) {
	l, err := c.hidden(o, t, address, own, r)
	if err != nil || l == nil {
		return nil, err
	}
	if err := r.Entering(l.Login); err != nil {
		return nil, err
	}
	return l, nil
}

// hidden is use for a probe that has yet to connect. It asks Recorder.Entering itself before it sends the secrets.
func (c *LoginConfig) hidden(o Options, t probe.Target, address string, own *PrivateKey, r *probe.Recorder) (*login, error) {
	l, err := c.resolve(o, t, address, own)
	if err != nil || l == nil {
		return nil, err
	}
	r.Hide(l.Secret, l.key, l.passphrase)
	return l, nil
}

// hide masks the secrets from the first word of the server on: it may know them from an earlier probe, and say them before they are sent. One that
// cannot be read is left to use.
func (c *LoginConfig) hide(o Options, t probe.Target, own *PrivateKey, r *probe.Recorder) {
	if l, err := c.resolve(o, t, "", own); err == nil && l != nil {
		r.Hide(l.Secret, l.key, l.passphrase)
	}
}

// logins is what Service.Logins gives for one server.
func (c *LoginConfig) logins(o Options, t probe.Target, address string, own *PrivateKey) ([]probe.Login, error) {
	l, err := c.resolve(o, t, address, own)
	if l == nil {
		return nil, err
	}
	return []probe.Login{l.Login}, nil
}

// refused notes that the server refused the login, and gives the failure. answer is what it said, detail what is wanted.
func (l *login) refused(r *probe.Recorder, answer string) error {
	r.Login(l.Login, false)
	return probe.Failf(probe.ReasonAuth, "logging in to %q as %q: refused with %s, want it accepted", l.Address, l.username, r.Evidence(answer))
}

// accepted notes that the server accepted the login.
func (l *login) accepted(r *probe.Recorder) { r.Login(l.Login, true) }
