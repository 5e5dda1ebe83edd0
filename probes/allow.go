// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// CanonicalAddress is the form of host:port by which servers are compared: lower case, no dot at the end, IP addresses in their shortest
// form and IPv4 ones without the IPv6 prefix, the port as a number. Addresses of the same form are dialed alike. An error says what makes
// the address unfit.
func CanonicalAddress(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		var at *net.AddrError
		if errors.As(err, &at) {
			err = errors.New(at.Err)
		}
		return "", err
	}
	number, err := net.DefaultResolver.LookupPort(context.Background(), "tcp", port)
	if err != nil || number == 0 {
		return "", fmt.Errorf("unknown port %q", port)
	}
	if host, err = canonicalHost(host); err != nil {
		return "", err
	}
	return net.JoinHostPort(host, strconv.Itoa(number)), nil
}

// hostName is a name as it is asked for in the DNS. Names in other alphabets are written in their xn-- form: two texts that look the same
// may be two hosts.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// numeric ends what some systems read as an IPv4 address though it is none by the rules: 127.1, 0x7f.1, 2130706433.
var numeric = regexp.MustCompile(`(^|\.)([0-9]+|0[xX][0-9a-fA-F]*)$`)

func canonicalHost(host string) (string, error) {
	if addr, err := netip.ParseAddr(host); err == nil && !(addr.Is4In6() && addr.Zone() != "") {
		return addr.Unmap().String(), nil
	}
	name := host
	if whole, ok := strings.CutSuffix(host, "."); ok && (strings.Contains(whole, ".") || strings.EqualFold(whole, "localhost")) {
		name = whole // a single word is searched for in the local domains, and with a dot in the root: another host
	}
	if !hostName.MatchString(strings.TrimSuffix(name, ".")) || numeric.MatchString(strings.TrimSuffix(name, ".")) {
		return "", fmt.Errorf("%q is no host name", host)
	}
	return strings.ToLower(name), nil
}

// checkPattern accepts host:port, where the host may begin with "*." for all names below a domain, and the port may be "*".
func checkPattern(pattern string) error {
	_, _, err := splitPattern(pattern)
	if err != nil {
		return fmt.Errorf("%q: %w, want host:port, *.domain:port or host:*", pattern, err)
	}
	return nil
}

func splitPattern(pattern string) (host, port string, err error) {
	bare := pattern
	if any, ok := strings.CutSuffix(pattern, ":*"); ok {
		bare = any + ":1"
	}
	below := strings.HasPrefix(bare, "*.")
	canonical, err := CanonicalAddress(strings.TrimPrefix(bare, "*."))
	if err != nil {
		return "", "", err
	}
	host, port, _ = net.SplitHostPort(canonical)
	if _, err := netip.ParseAddr(host); below && err == nil {
		return "", "", errors.New("nothing is below an IP address")
	}
	if below {
		host = "*." + host
	}
	if bare != pattern {
		port = "*"
	}
	return host, port, nil
}

// Allowed tells whether one of the patterns covers an address. Both are compared in canonical form, the host as it was asked for: what a
// name resolves to does not count.
func Allowed(patterns []string, address string) bool {
	canonical, err := CanonicalAddress(address)
	if err != nil {
		return false
	}
	host, port, _ := net.SplitHostPort(canonical)
	for _, pattern := range patterns {
		wantHost, wantPort, err := splitPattern(pattern)
		if err == nil && (wantPort == "*" || wantPort == port) && coversHost(wantHost, host) {
			return true
		}
	}
	return false
}

func coversHost(pattern, host string) bool {
	domain, below := strings.CutPrefix(pattern, "*")
	if !below {
		return pattern == host
	}
	_, err := netip.ParseAddr(host)
	return err != nil && strings.HasSuffix(host, domain)
}
