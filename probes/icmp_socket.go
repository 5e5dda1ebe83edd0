// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noicmp

package probes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"skywatch/internal/probe"
)

// echoSocket exchanges ICMP messages with one address. It is a [net.Conn], so that it can be watched.
type echoSocket struct {
	net.PacketConn
	to       netip.Addr
	peer     net.Addr
	raw      bool
	read     func(p []byte) (n, hopLimit int, from net.Addr, err error)
	setTTL   func(int) error
	hopLimit int // of the last message read; 0 = unknown
}

// Read gives the next message of the peer, whatever others send.
func (s *echoSocket) Read(p []byte) (int, error) {
	n, hopLimit, from, err := s.read(p)
	if err != nil || addrOf(from).Unmap().WithZone("") != s.to.WithZone("") {
		return 0, err
	}
	s.hopLimit = hopLimit
	return n, nil
}

// Write sends a message.
func (s *echoSocket) Write(p []byte) (int, error) { return s.WriteTo(p, s.peer) }

// RemoteAddr gives the peer.
func (s *echoSocket) RemoteAddr() net.Addr { return s.peer }

func (s *echoSocket) kind() string {
	if s.raw {
		return "raw"
	}
	return "unprivileged"
}

func addrOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.UDPAddr:
		return a.AddrPort().Addr()
	case *net.IPAddr:
		addr, _ := netip.AddrFromSlice(a.IP)
		return addr
	}
	return netip.Addr{}
}

// listen opens an unprivileged socket, or else a raw one.
func (p *ICMP) listen(ctx context.Context, to netip.Addr) (*echoSocket, error) {
	source := p.dialer.source
	if !source.IsValid() {
		source = netip.IPv4Unspecified()
		if to.Is6() {
			source = netip.IPv6Unspecified()
		}
	}
	if source.Is6() != to.Is6() {
		return nil, probe.Failf(probe.ReasonConfig, "source_ip_address %s has another family than %s, want the same", source, to)
	}
	var unprivileged error
	if !p.forbidsFragments(to) {
		var socket *echoSocket
		if socket, unprivileged = listenUnprivileged(source, to); unprivileged == nil {
			return p.limited(socket)
		}
	}
	socket, raw := p.listenRaw(ctx, source, to)
	if raw != nil {
		return nil, socketError(unprivileged, raw)
	}
	return p.limited(socket)
}

// forbidsFragments tells whether packets must not be fragmented. IPv6 has no such thing on the way.
func (p *ICMP) forbidsFragments(to netip.Addr) bool { return p.DontFragment && to.Is4() }

func listenUnprivileged(source, to netip.Addr) (*echoSocket, error) {
	network := "udp4"
	if to.Is6() {
		network = "udp6"
	}
	conn, err := icmp.ListenPacket(network, source.String())
	if err != nil {
		return nil, err
	}
	s := &echoSocket{PacketConn: conn, to: to, peer: net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 0))}
	s.useControl(conn.IPv4PacketConn(), conn.IPv6PacketConn())
	return s, nil
}

func (p *ICMP) listenRaw(ctx context.Context, source, to netip.Addr) (*echoSocket, error) {
	network := "ip4:icmp"
	if to.Is6() {
		network = "ip6:ipv6-icmp"
	}
	var config net.ListenConfig
	if p.forbidsFragments(to) {
		config.Control = forbidFragments
	}
	conn, err := config.ListenPacket(ctx, network, source.String())
	if err != nil {
		return nil, err
	}
	s := &echoSocket{PacketConn: conn, to: to, peer: &net.IPAddr{IP: to.AsSlice(), Zone: to.Zone()}, raw: true}
	if to.Is4() {
		s.useControl(ipv4.NewPacketConn(conn), nil)
	} else {
		s.useControl(nil, ipv6.NewPacketConn(conn))
	}
	return s, nil
}

// useControl reads through one of the two, and asks for hop limits and for nothing but echo replies; a system need not give either.
func (s *echoSocket) useControl(v4 *ipv4.PacketConn, v6 *ipv6.PacketConn) {
	if v4 != nil {
		v4.SetControlMessage(ipv4.FlagTTL, true)
		var filter ipv4.ICMPFilter
		filter.SetAll(true)
		filter.Accept(ipv4.ICMPTypeEchoReply)
		v4.SetICMPFilter(&filter)
		s.setTTL = v4.SetTTL
		s.read = func(p []byte) (n, hopLimit int, from net.Addr, err error) {
			n, control, from, err := v4.ReadFrom(p)
			if control != nil {
				hopLimit = control.TTL
			}
			return n, hopLimit, from, err
		}
		return
	}
	v6.SetControlMessage(ipv6.FlagHopLimit, true)
	var filter ipv6.ICMPFilter
	filter.SetAll(true)
	filter.Accept(ipv6.ICMPTypeEchoReply)
	v6.SetICMPFilter(&filter)
	s.setTTL = v6.SetHopLimit
	s.read = func(p []byte) (n, hopLimit int, from net.Addr, err error) {
		n, control, from, err := v6.ReadFrom(p)
		if control != nil {
			hopLimit = control.HopLimit
		}
		return n, hopLimit, from, err
	}
}

// limited sets the hop limit of what is sent.
func (p *ICMP) limited(s *echoSocket) (*echoSocket, error) {
	if p.TTL == 0 {
		return s, nil
	}
	if err := s.setTTL(p.TTL); err != nil {
		s.Close()
		return nil, probe.Failf(probe.ReasonInternal, "setting ttl %d: %w, want it set", p.TTL, err)
	}
	return s, nil
}

// socketError says which ways were tried and what would open one. unprivileged is nil when that way was not open to us.
func socketError(unprivileged, raw error) error {
	tried := fmt.Sprintf("raw socket: %v", raw)
	if unprivileged != nil {
		tried = fmt.Sprintf("unprivileged socket: %v; %s", unprivileged, tried)
	}
	want := "want one of them"
	if errors.Is(raw, fs.ErrPermission) {
		want = "want our group within net.ipv4.ping_group_range (sysctl), or the capability CAP_NET_RAW"
		if unprivileged == nil {
			want = "want the capability CAP_NET_RAW, which dont_fragment needs"
		}
	}
	return probe.Failf(probe.ReasonConfig, "opening a socket: %s, %s", tried, want)
}
