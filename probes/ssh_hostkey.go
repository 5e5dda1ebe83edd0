// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nossh

package probes

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/ssh"

	"skywatch/internal/probe"
)

// hostKeyAny is the value of host_key that takes every key.
const hostKeyAny = "any"

// HostKeyPins are the fingerprints of which a host key must have one, as ssh-keygen -l prints them (SHA256:...), or "any" alone. A plain
// text stands for a list of one.
type HostKeyPins []string

// UnmarshalYAML reads the short form too.
func (p *HostKeyPins) UnmarshalYAML(unmarshal func(any) error) error {
	var node place
	if err := unmarshal(&node); err != nil {
		return err
	}
	if node.Kind == yaml.ScalarNode {
		*p = make(HostKeyPins, 1)
		return unmarshal(&(*p)[0])
	}
	type plain HostKeyPins
	return unmarshal((*plain)(p))
}

func (p HostKeyPins) any() bool { return slices.Equal(p, HostKeyPins{hostKeyAny}) }

func (p HostKeyPins) validate() error {
	if p.any() {
		return nil
	}
	for _, pin := range p {
		hash, ok := strings.CutPrefix(pin, "SHA256:")
		sum, err := base64.RawStdEncoding.DecodeString(hash)
		if !ok || err != nil || len(sum) != 32 {
			return fmt.Errorf("host_key: found %q, want SHA256: and 43 characters as ssh-keygen -l prints them, or any alone", pin)
		}
	}
	return nil
}

func (p *SSH) validateHostKey() error {
	switch {
	case len(p.HostKey) == 0 && p.KnownHosts == "":
		return errors.New("neither host_key nor known_hosts, want host_key: SHA256:... (ssh-keyscan HOST | ssh-keygen -lf - prints it), known_hosts: FILE, " +
			"or host_key: any to take every key")
	case len(p.HostKey) > 0 && p.KnownHosts != "":
		return errors.New("both host_key and known_hosts given, want one of them")
	}
	if err := p.HostKey.validate(); err != nil {
		return err
	}
	for _, name := range p.HostKeyAlgorithms {
		if !slices.Contains(ssh.SupportedAlgorithms().HostKeys, name) && !slices.Contains(ssh.InsecureAlgorithms().HostKeys, name) {
			return fmt.Errorf("host_key_algorithms: found %q, want such as ssh-ed25519, ecdsa-sha2-nistp256 or rsa-sha2-512", name)
		}
	}
	return nil
}

// hostTrust is what a server's key must be.
type hostTrust struct {
	server string // host:port, for errors
	pins   HostKeyPins
	known  *knownHost // nil without a file
}

// hostTrust finds out what the key of a host must be. The error's reason is config: a file that cannot be used.
func (p *SSH) hostTrust(t probe.Target, host string, port uint16, r *probe.Recorder) (*hostTrust, error) {
	trust := &hostTrust{server: joinHostPort(host, port), pins: p.HostKey}
	if p.KnownHosts == "" {
		return trust, nil
	}
	name := t.Hostname
	if name == "" {
		name = host
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	var err error
	trust.known, err = p.lookUpKnown(joinHostPort(name, port), r)
	return trust, err
}

// algorithms are those of host keys to ask for, in order of preference: as configured, else those of the keys that the file has for the
// host, so that the server shows one that can be compared, then all that are safe.
func (h *hostTrust) algorithms(configured []string) []string {
	if len(configured) > 0 {
		return configured
	}
	safe := ssh.SupportedAlgorithms().HostKeys
	var wanted, certificates, others []string
	for _, name := range safe {
		switch {
		case strings.Contains(name, "-cert-"):
			if h.known != nil && h.known.authority {
				certificates = append(certificates, name)
			}
		case h.known != nil && slices.Contains(h.known.types(), keyTypeOf(name)):
			wanted = append(wanted, name)
		default:
			others = append(others, name)
		}
	}
	for _, list := range [][]string{wanted, others} {
		slices.SortStableFunc(list, func(a, b string) int { return strength(a) - strength(b) })
	}
	return slices.Concat(certificates, wanted, others)
}

// keyTypeOf is the type of the keys that sign with an algorithm (RFC 8332: those of RSA have several).
func keyTypeOf(algorithm string) string {
	if strings.HasPrefix(algorithm, "rsa-sha2-") {
		return ssh.KeyAlgoRSA
	}
	return algorithm
}

// strength puts the algorithms into the order of OpenSSH, so that a server shows us the key that it shows at a first ssh.
func strength(algorithm string) int {
	switch {
	case algorithm == ssh.KeyAlgoED25519:
		return 0
	case strings.HasPrefix(algorithm, "ecdsa-"):
		return 1
	case algorithm == ssh.KeyAlgoRSASHA512:
		return 2
	case algorithm == ssh.KeyAlgoRSASHA256:
		return 3
	}
	return 4
}

// check judges a key that the server has proved to have. reason is "" for a verified key, else the label that tells why it is not; a key
// that is taken although it is not verified has no error.
func (h *hostTrust) check(remote net.Addr, key ssh.PublicKey) (reason string, err error) {
	found := showKey(key)
	switch {
	case h.known != nil:
		return h.known.check(h.server, remote, key)
	case h.pins.any():
		return "skipped", nil
	case slices.Contains(h.pins, ssh.FingerprintSHA256(key)):
		return "", nil
	}
	return "changed", probe.Failf(probe.ReasonTLS, "checking the host key of %q: the key has changed, found %s, want %s", h.server, found, strings.Join(h.pins, " or "))
}

// showKey is the type and the fingerprint.
func showKey(key ssh.PublicKey) string { return key.Type() + " " + ssh.FingerprintSHA256(key) }
