// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

const otherLoopback = "127.0.0.2"

// firstCaller gives the address that the first connection or datagram comes from.
func firstCaller(t *testing.T, network string) (address string, caller <-chan netip.Addr) {
	t.Helper()
	from := make(chan netip.Addr, 1)
	if network == "udp" {
		socket, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { socket.Close() })
		go func() {
			if _, addr, err := socket.ReadFromUDPAddrPort(make([]byte, 2000)); err == nil {
				from <- addr.Addr().Unmap()
			}
		}()
		return socket.LocalAddr().String(), from
	}
	listener, err := net.Listen(network, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		if conn, err := listener.Accept(); err == nil {
			from <- conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
			conn.Close()
		}
	}()
	return listener.Addr().String(), from
}

// TestSourceAddress: every prober that dials comes from where the module says.
func TestSourceAddress(t *testing.T) {
	for _, test := range []struct{ prober, network, keys, scheme string }{
		{"tcp", "tcp", "", ""}, {"http", "tcp", "", "http://"}, {"http", "udp", "enable_http3: true, enable_http2: false, ", "https://"},
		{"websocket", "tcp", "", "ws://"}, {"grpc", "tcp", "", ""}, {"dns", "udp", "query_name: a.example, ", ""},
		{"dns", "tcp", "query_name: a.example, transport_protocol: tcp, ", ""},
	} {
		if !slices.Contains(Names(), test.prober) {
			continue
		}
		modules, err := buildModules(t, Options{Resolver: localhost},
			"modules: {m: {prober: "+test.prober+", "+test.prober+": {"+test.keys+"source_ip_address: "+otherLoopback+"}}}")
		if err != nil && strings.HasSuffix(err.Error(), "HTTP/3 is not part of this build") {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		address, caller := firstCaller(t, test.network)
		ctx, cancel := context.WithCancel(t.Context())
		from := make(chan netip.Addr, 1)
		go func() {
			from <- <-caller
			cancel() // some servers never answer
		}()
		runProbe(t, ctx, modules.All()["m"], test.scheme+address, long)
		select {
		case from := <-from:
			if from.String() != otherLoopback {
				t.Errorf("%s over %s comes from %s, want %s", test.prober, test.network, from, otherLoopback)
			}
		case <-time.After(long):
			t.Errorf("%s over %s: nobody came", test.prober, test.network)
		}
	}
}
