// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// nameServer is host:port of a DNS server, which is asked instead of those of the system.
type nameServer string

// newNameServer reads an address with or without a port, or a name with one.
func newNameServer(text string) (nameServer, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return nameServer(netip.AddrPortFrom(addr, 53).String()), nil
	}
	host, port, err := net.SplitHostPort(text)
	if number, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || number == 0 || host == "" {
		return "", fmt.Errorf("resolver: found %q, want an address or host:port", text)
	}
	return nameServer(text), nil
}

// LookupNetIP asks for the name as it is, without the system's search list. The end of ctx ends what the library still does by itself.
func (s nameServer) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	resolver := net.Resolver{PreferGo: true, Dial: func(_ context.Context, network, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, string(s))
		if err == nil {
			context.AfterFunc(ctx, func() { conn.Close() })
		}
		return conn, err
	}}
	if _, err := netip.ParseAddr(host); err != nil && !strings.HasSuffix(host, ".") {
		host += "."
	}
	return resolver.LookupNetIP(ctx, network, host)
}
