// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"net"
	"net/netip"
)

// LookupNetIP gives the addresses of the wanted family.
func (r testResolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var found []netip.Addr
	for _, text := range r[host] {
		addr := netip.MustParseAddr(text)
		if network == "ip" || addr.Unmap().Is4() == (network == "ip4") {
			found = append(found, addr)
		}
	}
	if found == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return found, nil
}

// hungResolver never answers.
type hungResolver struct{}

func (hungResolver) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, &net.DNSError{Err: ctx.Err().Error(), Name: host, UnwrapErr: ctx.Err(), IsTimeout: true}
}
