// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"skywatch/internal/probe"
)

// IPConfig is the choice of addresses, embedded inline in the probers that dial.
type IPConfig struct {
	PreferredIPProtocol string `yaml:"preferred_ip_protocol"`
	IPProtocolFallback  bool   `yaml:"ip_protocol_fallback"`
	SourceIPAddress     string `yaml:"source_ip_address,omitempty"`
	Resolver            string `yaml:"resolver,omitempty"`  // DNS server to ask; "" = the system's
	IPInfo              bool   `yaml:"ip_info,omitempty"`   // whether probe_ip_info is set
	Addresses           string `yaml:"addresses,omitempty"` // which of several are probed, see addressesFirst
}

// defaultIPConfig is what a module has that says nothing.
var defaultIPConfig = IPConfig{PreferredIPProtocol: "ip6", IPProtocolFallback: true}

var (
	descLookup = &probe.Desc{Name: "probe_dns_lookup_time_seconds", Help: "Time taken to resolve the target's name, in seconds."}
	descIP     = &probe.Desc{Name: "probe_ip_protocol", Help: "IP version of the address that was probed, 4 or 6; 0 when the name was not resolved."}
	descIPHash = &probe.Desc{Name: "probe_ip_addr_hash", Help: "FNV-1a hash of the address that was probed, to see it change; 0 when the name was not resolved."}
	descIPInfo = &probe.Desc{Name: "probe_ip_info", Help: "The address that was probed.", Labels: []string{"ip"}}

	// dialDescs are the metrics that dialer.resolve sets.
	dialDescs = []*probe.Desc{descLookup, descIP, descIPHash, descIPInfo, descAddressSuccess}
)

// dialer resolves names by the rules of a module and opens watched connections. It is made by IPConfig.dialer.
type dialer struct {
	resolver Resolver
	server   nameServer // that resolver asks; "" = not known
	info     bool       // whether the address is shown
	several  string     // addressesAny or addressesAll; "" = one address
	wanted   string     // ip4 or ip6
	fallback bool
	source   netip.Addr // invalid = any
	warning  string
}

// dialer checks the keys and makes the dialer they describe. It is for use in Validate.
func (c IPConfig) dialer(o Options) (dialer, error) {
	d := dialer{resolver: o.resolver(), info: c.IPInfo, fallback: c.IPProtocolFallback}
	switch c.PreferredIPProtocol {
	case "", "ip6":
		d.wanted = "ip6"
	case "ip4":
		d.wanted = "ip4"
	default:
		d.wanted = "ip4" // what blackbox_exporter makes of anything else
		if o.Compat == Fixed {
			d.wanted = map[string]string{"ipv4": "ip4", "ipv6": "ip6"}[c.PreferredIPProtocol]
			d.warning = fmt.Sprintf("preferred_ip_protocol %q taken as %s", c.PreferredIPProtocol, d.wanted)
		}
	}
	if d.wanted == "" {
		return dialer{}, fmt.Errorf("preferred_ip_protocol: found %q, want ip4 or ip6", c.PreferredIPProtocol)
	}
	switch c.Addresses {
	case "", addressesFirst:
	case addressesAny, addressesAll:
		d.several = c.Addresses
	default:
		return dialer{}, fmt.Errorf("addresses: found %q, want first, any or all", c.Addresses)
	}
	if c.Resolver != "" {
		server, err := newNameServer(c.Resolver)
		if err != nil {
			return dialer{}, err
		}
		d.resolver, d.server = server, server
	}
	if c.SourceIPAddress == "" {
		return d, nil
	}
	source, err := netip.ParseAddr(c.SourceIPAddress)
	if err != nil {
		return dialer{}, fmt.Errorf("source_ip_address: found %q, want an IP address", c.SourceIPAddress)
	}
	d.source = source
	return d, nil
}

// resolve finds the one address that is probed and records it. Without fallback it is the first one of the wanted family. With
// fallback a name that has none of those gives the last one of the other family, as in blackbox_exporter, and an address literal is
// itself whatever its family.
func (d dialer) resolve(ctx context.Context, host string, r *probe.Recorder) (netip.Addr, error) {
	addr, _, err := d.resolveTimed(ctx, host, r)
	return addr, err
}

// resolveTimed is resolve for probers with a phase of the same length.
func (d dialer) resolveTimed(ctx context.Context, host string, r *probe.Recorder) (netip.Addr, time.Duration, error) {
	if d.warning != "" {
		r.Log.Warn(d.warning)
	}
	addr, took, err := d.choose(ctx, host)
	r.Set(descLookup, took.Seconds())
	r.Set(descIP, ipVersion(addr))
	r.Set(descIPHash, addrHash(addr))
	if err != nil {
		return netip.Addr{}, took, err
	}
	text := addr.String()
	r.Fact("address", text)
	if d.info {
		r.Set(descIPInfo, 1, text)
	}
	r.Log.Debug("resolved target", "host", host, "address", text, "took", took)
	return addr, took, nil
}

// choose looks the one address up that is to be probed, unless it is one of several whose turn has come.
func (d dialer) choose(ctx context.Context, host string) (netip.Addr, time.Duration, error) {
	if turn, ok := ctx.Value(addressTurnKey{}).(*addressTurn); ok {
		return turn.take(ctx, d, host)
	}
	start := time.Now()
	addr, err := d.lookup(ctx, host)
	return addr, time.Since(start), err
}

func (d dialer) lookup(ctx context.Context, host string) (netip.Addr, error) {
	if addr, ok := d.literal(host); ok {
		return addr, nil
	}
	found, err := d.find(ctx, host)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, addr := range found {
		if addr = addr.Unmap(); addr.Is4() == (d.wanted == "ip4") {
			return addr, nil
		}
	}
	if !d.fallback {
		return netip.Addr{}, d.resolveError(ctx, host, errors.New("no address of the family"))
	}
	return found[len(found)-1].Unmap(), nil
}

// literal tells whether a host is an address that will do.
func (d dialer) literal(host string) (netip.Addr, bool) {
	if !d.fallback {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(host)
	return addr.Unmap(), err == nil
}

// find gives all addresses that the resolver knows of the families that will do; there is at least one.
func (d dialer) find(ctx context.Context, host string) ([]netip.Addr, error) {
	network := d.wanted
	if d.fallback {
		network = "ip"
	}
	found, err := d.resolver.LookupNetIP(ctx, network, host)
	if err == nil && len(found) == 0 {
		err = errors.New("no addresses")
	}
	if err != nil {
		return nil, d.resolveError(ctx, host, err)
	}
	return found, nil
}

// resolveError says what was looked for. A resolver that gives up by itself is a failure to resolve, not a spent deadline.
func (d dialer) resolveError(ctx context.Context, host string, err error) error {
	want := "an " + d.wanted + " address"
	if d.fallback {
		want = "an address"
	}
	if ctx.Err() != nil {
		return probe.Failf(probe.ReasonTimeout, "resolving %q: no answer in time, want %s: %w", host, want, ctx.Err())
	}
	text := err.Error()
	var dns *net.DNSError
	if errors.As(err, &dns) {
		text = dns.Err
		if server := cmp.Or(string(d.server), dns.Server); server != "" {
			text += " (asked " + server + ")"
		}
	}
	return probe.Failf(probe.ReasonResolve, "resolving %q: %s, want %s", host, text, want)
}

// dial opens a watched connection whose reads and writes end at the deadline of ctx. network is tcp or udp, budget as in Recorder.Track.
func (d dialer) dial(ctx context.Context, network string, to netip.AddrPort, r *probe.Recorder, budget int64) (net.Conn, error) {
	conn, err := d.open(ctx, network, to)
	if err != nil {
		return nil, dialError(ctx, to.String(), err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	r.Log.Debug("connected", "address", to.String())
	return r.Track(conn, budget), nil
}

// open binds to a local address only when the module has one: a bind to any address, which is what net.Dialer.DialTCP makes of no
// address, has the kernel set a port aside that no other connection may use, and search for it ever longer while old ones linger.
func (d dialer) open(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	nd := net.Dialer{KeepAlive: -1, LocalAddr: d.local(network)}
	return nd.DialContext(ctx, network, to.String())
}

// local is the address to bind to; nil = whatever the kernel chooses.
func (d dialer) local(network string) net.Addr {
	switch {
	case !d.source.IsValid():
		return nil
	case strings.HasPrefix(network, "udp"):
		return net.UDPAddrFromAddrPort(netip.AddrPortFrom(d.source, 0))
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(d.source, 0))
}

func dialError(ctx context.Context, address string, err error) error {
	if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return probe.Failf(probe.ReasonTimeout, "connecting to %q: no answer in time, want a connection: %w", address, context.DeadlineExceeded)
	}
	cause := err
	var op *net.OpError
	if errors.As(err, &op) {
		cause = op.Err
	}
	return probe.Failf(probe.ReasonConnect, "connecting to %q: %w, want a connection", address, cause)
}

func ipVersion(addr netip.Addr) float64 {
	switch {
	case addr.Is4():
		return 4
	case addr.Is6():
		return 6
	}
	return 0
}

func addrHash(addr netip.Addr) float64 {
	if !addr.IsValid() {
		return 0
	}
	h := fnv.New32a()
	h.Write(addr.AsSlice())
	return float64(h.Sum32())
}
