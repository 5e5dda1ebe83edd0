// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"skywatch/internal/probetest"
)

// serveGRPC is a server whose whole is well, with one service that is well too and one that is not. It gives its address.
func serveGRPC(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	states := health.NewServer()
	states.SetServingStatus("well", grpc_health_v1.HealthCheckResponse_SERVING)
	states.SetServingStatus("sick", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, states)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); <-ended })
	return listener.Addr().String()
}

// otherRequests are icmp and grpc probes, good and bad.
func (s *scene) otherRequests() []probeRequest {
	return []probeRequest{
		{name: "icmp", module: "icmp", target: "127.0.0.1"},
		{name: "icmp IPv6", module: "icmp", target: "::1"},
		{name: "icmp with options", module: "icmp_ip4", target: "localhost"},
		{name: "icmp unfragmented", module: "icmp_whole", target: "127.0.0.1"},
		{name: "icmp unknown name", module: "icmp", target: "nosuch.skywatch.test"},
		{name: "icmp with a port", module: "icmp", target: "127.0.0.1:80"},
		{name: "icmp address without the family", module: "icmp_ip6_only", target: "127.0.0.1"},
		{name: "icmp from a foreign address", module: "icmp_foreign_source", target: "127.0.0.1"},
		{name: "grpc", module: "grpc", target: s.grpc},
		{name: "grpc service", module: "grpc_well", target: s.grpc},
		{name: "grpc sick service", module: "grpc_sick", target: s.grpc},
		{name: "grpc unknown service", module: "grpc_unknown", target: s.grpc},
		{name: "grpc refused", module: "grpc", target: probetest.RefusedAddr(s.t)},
		{name: "grpc unknown name", module: "grpc", target: "nosuch.skywatch.test:50051"},
		{name: "grpc hung up on", module: "grpc", target: s.script(hangUp)},
		{name: "grpc of a web server", module: "grpc", target: address(s.http)},
		{name: "grpc over tls to a plain port", module: "grpc_tls", target: s.grpc},
		{name: "grpc over tls of a web server", module: "grpc_tls", target: address(s.https)},
		{name: "grpc without the CA file", module: "grpc_no_ca", target: s.grpc},
		{name: "grpc without a section", module: "grpc_bare", target: s.grpc},
	}
}
