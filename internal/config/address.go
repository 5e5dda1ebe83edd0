// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"skywatch/internal/probe"
)

// checkAddress refuses a target that no prober could make sense of: neither URL, nor host with or without port, nor path.
// What else a prober needs, such as a port, it says itself, see targetChecker.
func checkAddress(t probe.Target) error {
	if t.Raw() == "" {
		return errors.New("target: missing, want an address such as mail.example.org:993 or https://example.org")
	}
	err := parseAddress(t.Raw())
	if err != nil && t.Secrets() != nil {
		if err = parseAddress(t.String()); err == nil {
			return fmt.Errorf("target: %q: user name or password has / ? # @ or a space in it, want those percent-encoded", t)
		}
	}
	if err != nil {
		return fmt.Errorf("target: %q: %w, want a URL, a host, host:port or a path", t, err)
	}
	return nil
}

// targetChecker is a prober that tells before the first probe which addresses are of no use to it.
type targetChecker interface {
	CheckTarget(t probe.Target) error
}

// checkTarget asks the prober. It says what it read, which may be a piece of a password.
func checkTarget(m *probe.Module, t probe.Target) error {
	prober, ok := m.Prober.(targetChecker)
	if !ok {
		return nil
	}
	if err := prober.CheckTarget(t); err != nil {
		return errors.New(probe.Mask(err.Error(), t.Secrets()...))
	}
	return nil
}

func parseAddress(address string) error {
	if strings.ContainsAny(address, " \t\r\n") {
		return errors.New("has white space")
	}
	if strings.HasPrefix(address, "/") {
		return nil
	}
	if _, err := netip.ParseAddr(strings.Trim(address, "[]")); err == nil {
		return nil
	}
	if !strings.Contains(address, "://") {
		authority, _, _ := strings.Cut(address, "/")
		return checkHostPort(authority)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return errors.Unwrap(err) // without the address, which may have a password in it
	case u.Host == "":
		return errors.New("has no host")
	}
	return checkHostPort(u.Host)
}

func checkHostPort(authority string) error {
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	if !strings.Contains(authority, ":") || strings.HasSuffix(authority, "]") {
		return nil
	}
	host, port, err := net.SplitHostPort(authority)
	var at *net.AddrError
	switch {
	case errors.As(err, &at):
		return errors.New(at.Err)
	case host == "":
		return errors.New("has no host")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("port %q is none of 1 to 65535", port)
	}
	return nil
}
