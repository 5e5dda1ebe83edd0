// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nossh

package probes

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"skywatch/internal/probe"
)

// knownHost is what a known_hosts file says of one host.
type knownHost struct {
	file, address string // host:port as the file is asked
	keys          []knownhosts.KnownKey
	authority     bool // whether the file has one whose certificates of this host are good
	verify        ssh.HostKeyCallback
}

// lookUpKnown reads the file, if it changed, and looks a host up.
func (p *SSH) lookUpKnown(address string, r *probe.Recorder) (*knownHost, error) {
	text, err := p.options.pems.load(p.options, p.KnownHosts, r.Log)
	if err != nil {
		return nil, err
	}
	parsed, err := text.derive(func() (any, error) { return p.parseKnown() })
	if err != nil {
		return nil, probe.Failf(probe.ReasonConfig, "reading known_hosts %q: %s, want the form of sshd(8)", p.KnownHosts, strings.TrimPrefix(err.Error(), "knownhosts: "))
	}
	k := &knownHost{file: p.KnownHosts, address: address, verify: parsed.(ssh.HostKeyCallback)}
	var none *knownhosts.KeyError
	if errors.As(k.verify(address, &net.TCPAddr{IP: net.IPv4zero}, noKey{}), &none) { // always: nobody has this key
		k.keys = none.Want
	}
	lines := bytes.Split(text.data, []byte("\n"))
	k.keys = slices.DeleteFunc(slices.Clone(k.keys), func(key knownhosts.KnownKey) bool {
		marked := key.Line <= len(lines) && bytes.HasPrefix(bytes.TrimLeft(lines[key.Line-1], " \t"), []byte("@cert-authority"))
		k.authority = k.authority || marked
		return marked
	})
	return k, nil
}

func (p *SSH) parseKnown() (ssh.HostKeyCallback, error) {
	path, _, err := p.options.locate(p.KnownHosts)
	if err != nil {
		return nil, err
	}
	return knownhosts.New(path)
}

// types are those of the keys that the host has in the file.
func (k *knownHost) types() (types []string) {
	for _, key := range k.keys {
		types = append(types, key.Key.Type())
	}
	return types
}

// check is hostTrust.check by the file.
func (k *knownHost) check(server string, remote net.Addr, key ssh.PublicKey) (reason string, err error) {
	err = k.verify(k.address, remote, key)
	var revoked *knownhosts.RevokedError
	var mismatch *knownhosts.KeyError
	switch {
	case err == nil:
		return "", nil
	case errors.As(err, &revoked):
		return "revoked", probe.Failf(probe.ReasonTLS, "checking the host key of %q: %s is revoked by line %d of %q, want another key",
			server, showKey(key), revoked.Revoked.Line, k.file)
	case !errors.As(err, &mismatch):
		why := "invalid"
		if strings.HasSuffix(err.Error(), " revoked") { // a certificate of a revoked key, or by a revoked authority
			why = "revoked"
		}
		return why, probe.Failf(probe.ReasonTLS, "checking the host key of %q: %s: %s, want one that %q vouches for",
			server, showKey(key), strings.TrimPrefix(err.Error(), "ssh: "), k.file)
	case len(k.keys) == 0:
		return "unknown", probe.Failf(probe.ReasonTLS, "checking the host key of %q: unknown key %s, want it in %q for %s",
			server, showKey(key), k.file, knownhosts.Normalize(k.address))
	}
	return "changed", probe.Failf(probe.ReasonTLS, "checking the host key of %q: the key has changed, found %s, want %s as in %q",
		server, showKey(key), k.show(), k.file)
}

// show is what the file has.
func (k *knownHost) show() string {
	var all []string
	for _, key := range k.keys {
		all = append(all, showKey(key.Key))
	}
	return strings.Join(all, " or ")
}

// noKey is a public key that nobody has.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return nil }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }
