// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nossh

package probes

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"

	"skywatch/internal/probe"
)

var (
	descSSHPhase  = phaseDesc("ssh", "resolve, connect, greeting (the version lines), handshake (key exchange up to the checked host key), auth, command")
	descSSHBanner = bannerDesc("ssh")
	descSSHKey    = &probe.Desc{Name: "probe_ssh_host_key_info", Labels: []string{"type", "fingerprint"},
		Help: "The server's host key, also when it was refused: its type and SHA-256 fingerprint as ssh-keygen -l prints it."}
	descSSHVerified = &probe.Desc{Name: "probe_ssh_host_key_verified", Labels: []string{"reason"},
		Help: "Whether the host key was verified; if not, why: changed, unknown, revoked, invalid or skipped."}
	descSSHAlgorithms = &probe.Desc{Name: "probe_ssh_algorithms_info", Labels: []string{"key_exchange", "host_key", "cipher", "mac"},
		Help: "What client and server agreed on; cipher and mac are those of the server's direction, mac is empty with a cipher that has its own."}
	descSSHExit   = &probe.Desc{Name: "probe_ssh_command_exit_status", Help: "Exit status of the command."}
	descSSHOutput = &probe.Desc{Name: "probe_ssh_command_output_bytes", Help: "Length of the standard output of the command."}

	sshDescs = []*probe.Desc{descSSHPhase, descSSHBanner, descSSHKey, descSSHVerified, descSSHAlgorithms, descSSHExit, descSSHOutput}
)

func init() { register("ssh", newSSH, slices.Concat(dialDescs, sshDescs)...) }

// SSH exchanges keys with a server (RFC 4253), checks its host key, logs in if it is told who as, and runs a command if there is one.
type SSH struct {
	IPConfig          `yaml:",inline"`
	LoginConfig       `yaml:",inline"`
	PrivateKey        `yaml:",inline"` // of the account here, instead of its password or besides it
	HostKey           HostKeyPins      `yaml:"host_key,omitempty"`            // what the server's key must be; exactly one of it and known_hosts
	KnownHosts        string           `yaml:"known_hosts,omitempty"`         // path of a file as OpenSSH has it, read when it changed
	HostKeyAlgorithms []string         `yaml:"host_key_algorithms,omitempty"` // asked for, in order of preference; none = those of known_hosts, then all safe ones
	Command           string           `yaml:"command,omitempty"`             // without terminal and input; "" = none is run
	ExpectExit        int              `yaml:"expect_exit,omitempty"`         // exit status that the command must have
	ExpectOutput      *Regexp          `yaml:"expect_output,omitempty"`       // must match the whole standard output of the command; nil = anything will do

	options Options
	dialer  dialer
}

func newSSH(o Options) probe.Prober { return &SSH{IPConfig: defaultIPConfig, options: o} }

// Validate checks the module.
func (p *SSH) Validate() (err error) {
	if p.dialer, err = p.IPConfig.dialer(p.options); err != nil {
		return err
	}
	if err := p.validateLogin(); err != nil {
		return err
	}
	if err := p.validateHostKey(); err != nil {
		return err
	}
	if p.Command == "" && (p.ExpectExit != 0 || p.ExpectOutput != nil) {
		return errors.New("expect_exit or expect_output without command, want the command whose result it is")
	}
	if p.ExpectExit < 0 || p.ExpectExit > 255 {
		return fmt.Errorf("expect_exit: found %d, want 0 to 255", p.ExpectExit)
	}
	return nil
}

func (p *SSH) validateLogin() error {
	if err := p.LoginConfig.validate(p.options, &p.PrivateKey); err != nil {
		return err
	}
	if err := p.PrivateKey.validate(); err != nil {
		return err
	}
	switch key := !p.PrivateKey.empty(); {
	case key && p.Credential != "":
		return errors.New("both credential and private_key given, want at most one")
	case key && p.Username == "":
		return errors.New("private_key without username, want both")
	case p.Username != "" && !key && p.Account.empty():
		return errors.New("username without a secret, want password, password_file, private_key or private_key_file")
	}
	if p.PrivateKey.PrivateKey == "" || p.PassphraseFile != "" {
		return nil // a file is read by the probe
	}
	if _, err := parseSSHKey(p.PrivateKey.PrivateKey, p.Passphrase); err != nil {
		return fmt.Errorf("private_key: %w", err)
	}
	return nil
}

// Warnings tells what is questionable about a module that is valid.
func (p *SSH) Warnings() []string {
	if p.HostKey.any() && (p.Username != "" || p.Credential != "") {
		return []string{"ssh: host_key: any with a login gives it to whoever answers, want known_hosts or the fingerprint of the key"}
	}
	return nil
}

// CheckTarget tells why no check can aim at t; nil when one can.
func (p *SSH) CheckTarget(t probe.Target) error {
	_, _, err := p.split(context.Background(), t)
	return err
}

// split takes the target apart; without a port it is the standard one.
func (p *SSH) split(ctx context.Context, t probe.Target) (host string, port uint16, err error) {
	return splitOptionalPort(ctx, t, t.Raw(), 22)
}

// Logins is that of Service.
func (p *SSH) Logins(t probe.Target) ([]probe.Login, error) {
	host, port, err := p.split(context.Background(), t)
	if err != nil {
		return nil, err
	}
	return p.logins(p.options, t, joinHostPort(host, port), &p.PrivateKey)
}

// Probe succeeds when the host key is the right one, and the login and the command that are configured do as they should.
func (p *SSH) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	return p.dialer.each(ctx, r, func(ctx context.Context, r *probe.Recorder) error { return p.attempt(ctx, t, r) })
}

// attempt probes one address.
func (p *SSH) attempt(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	host, port, err := p.split(ctx, t)
	if err != nil {
		return err
	}
	c := &sshClient{prober: p, address: joinHostPort(host, port)}
	if err := c.prepare(t, r); err != nil {
		return err
	}
	if c.trust, err = p.hostTrust(t, host, port, r); err != nil {
		return err
	}
	if c.link, err = p.dialer.reach(ctx, t, host, port, descSSHPhase, 0, r); err != nil {
		return err
	}
	defer c.close()
	if c.wire, err = greetSSH(ctx, c.link); err != nil {
		return err
	}
	client, err := c.connect(ctx)
	if err != nil || client == nil {
		return err
	}
	defer hangUp(ctx, client)
	if p.Command == "" {
		return nil
	}
	return c.run(ctx, client)
}

// prepare finds out who logs in.
func (c *sshClient) prepare(t probe.Target, r *probe.Recorder) (err error) {
	p := c.prober
	if c.who, err = p.hidden(p.options, t, c.address, &p.PrivateKey, r); err != nil {
		return err
	}
	if c.who == nil {
		if p.Command != "" {
			return probe.Failf(probe.ReasonConfig, "running %q on %q: nobody logs in, want username or credential", p.Command, c.address)
		}
		return nil
	}
	if c.who.key == "" {
		return nil
	}
	if c.signer, err = parseSSHKey(c.who.key, c.who.passphrase); err != nil {
		return probe.Failf(probe.ReasonConfig, "reading the private key of %q: %w", c.who.username, err)
	}
	return nil
}

// parseSSHKey reads a private key; passphrase may be "". The error does not show the key.
func parseSSHKey(key, passphrase probe.Secret) (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey([]byte(key.Reveal()))
	if missing := new(ssh.PassphraseMissingError); errors.As(err, &missing) {
		if passphrase == "" {
			return nil, errors.New("the key is encrypted, want passphrase or passphrase_file")
		}
		if signer, err = ssh.ParsePrivateKeyWithPassphrase([]byte(key.Reveal()), []byte(passphrase.Reveal())); err != nil {
			return nil, errors.New("the passphrase does not open the key, want the one it was encrypted with")
		}
	}
	if err != nil {
		return nil, errors.New("not a private key, want one in OpenSSH or PEM form")
	}
	return signer, nil
}
