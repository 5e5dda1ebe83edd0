// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"skywatch/internal/probe"
)

// splitTarget takes host:port apart; the port may be a name of /etc/services.
func splitTarget(ctx context.Context, t probe.Target) (host string, port uint16, err error) {
	return splitTargetOf(ctx, "tcp", t)
}

// splitTargetOf is splitTarget for the services of tcp or udp.
func splitTargetOf(ctx context.Context, network string, t probe.Target) (host string, port uint16, err error) {
	host, service, err := net.SplitHostPort(t.Raw())
	if addr := new(net.AddrError); errors.As(err, &addr) {
		return "", 0, probe.Failf(probe.ReasonConfig, "reading target %q: %s, want host:port", t, addr.Err)
	}
	if host == "" || strings.Contains(host, "/") {
		return "", 0, probe.Failf(probe.ReasonConfig, "reading target %q: no host name or address, want host:port", t)
	}
	number, err := net.DefaultResolver.LookupPort(ctx, network, service)
	if err != nil {
		return "", 0, probe.Failf(probe.ReasonConfig, "reading target %q: unknown port %q, want host:port", t, service)
	}
	return host, uint16(number), nil
}

// splitOptionalPort takes apart host:port or a host alone, which may be an IPv6 address with or without brackets. text is of the target
// or a part of it. An error leaves what there is of the host.
func splitOptionalPort(ctx context.Context, t probe.Target, text string, standard uint16) (host string, port uint16, err error) {
	host, service, err := net.SplitHostPort(text)
	if err != nil {
		host, service = text, ""
		if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
			host = strings.TrimSuffix(inner, "]")
		}
	}
	if strings.Contains(text, "@") { // as ssh has it; what is shown of the target is without
		return host, 0, probe.Failf(probe.ReasonConfig, "reading target %q: a user before the host, want host or host:port", t)
	}
	if _, err := netip.ParseAddr(host); err != nil && (host == "" || strings.ContainsAny(host, ":/@[] ")) {
		return host, 0, probe.Failf(probe.ReasonConfig, "reading target %q: no host name or address, want host or host:port", t)
	}
	if err != nil {
		return host, standard, nil
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return host, 0, probe.Failf(probe.ReasonConfig, "reading target %q: unknown port %q, want host:port", t, service)
	}
	return host, uint16(number), nil
}

// joinHostPort is the inverse of splitOptionalPort.
func joinHostPort(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
