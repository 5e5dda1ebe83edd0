// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// CanonicalAddress is the form of host:port by which servers are compared: lower case, no dot at the end, IP addresses in their shortest
// form and IPv4 ones without the IPv6 prefix, the port as a number. An error says what makes the address unfit.
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
	if err != nil {
		return "", fmt.Errorf("unknown port %q", port)
	}
	host, err = canonicalHost(host)
	return net.JoinHostPort(host, strconv.Itoa(number)), err
}

func canonicalHost(host string) (string, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String(), nil
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || strings.ContainsAny(host, "/@:[]?#% \t\r\n") {
		return "", fmt.Errorf("%q is no host name", host)
	}
	return host, nil
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
	if strings.Contains(host, "*") {
		return "", "", errors.New("a * in the middle")
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
