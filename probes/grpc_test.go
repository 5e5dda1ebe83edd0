// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nogrpc

package probes

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const (
	grpcBefore  = " probe_grpc_duration_seconds probe_grpc_ssl probe_grpc_status_code"
	grpcMetrics = tcpDialMetrics + grpcBefore + " probe_grpc_healthcheck_response"
)

var _ = enroll("grpc", subject{
	section: "{service: service1, metadata: {authorization: [Bearer tr0ub4dor]}}",
	target:  func(address string) string { return address },
	healthy: func(t testing.TB) string { return serveHealth(t, nil, healthServer()).addr },
	presence: map[situation]string{
		healthy: grpcMetrics, refused: grpcMetrics, silent: grpcMetrics, early: grpcMetrics, garbage: grpcMetrics,
		endless: grpcMetrics, flood: grpcMetrics, unsolved: tcpDialMetrics + grpcBefore,
	},
})

// healthServer serves service1, and does not serve service2.
func healthServer() grpc_health_v1.HealthServer {
	s := health.NewServer()
	s.SetServingStatus("service1", grpc_health_v1.HealthCheckResponse_SERVING)
	s.SetServingStatus("service2", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	return s
}

// checkFunc is a health server made of a function.
type checkFunc func(ctx context.Context, service string) (*grpc_health_v1.HealthCheckResponse, error)

// Check calls the function.
func (f checkFunc) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return f(ctx, r.Service)
}

// List is not needed.
func (checkFunc) List(context.Context, *grpc_health_v1.HealthListRequest) (*grpc_health_v1.HealthListResponse, error) {
	return nil, status.Error(codes.Unimplemented, "")
}

// Watch is not needed.
func (checkFunc) Watch(*grpc_health_v1.HealthCheckRequest, grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) error {
	return status.Error(codes.Unimplemented, "")
}

// grpcServer is a gRPC server on loopback that notes what it was asked with.
type grpcServer struct {
	addr string
	mu   sync.Mutex
	md   metadata.MD
	sni  string
}

// serveHealth serves health over TLS if there is a configuration; without h there is no health service.
func serveHealth(t testing.TB, conf *tls.Config, h grpc_health_v1.HealthServer) *grpcServer {
	t.Helper()
	return serveHealthAt(t, "127.0.0.1:0", conf, h)
}

func serveHealthAt(t testing.TB, address string, conf *tls.Config, h grpc_health_v1.HealthServer) *grpcServer {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &grpcServer{addr: listener.Addr().String()}
	security := insecure.NewCredentials()
	if conf != nil {
		conf = conf.Clone()
		conf.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.sni = hello.ServerName
			return nil, nil
		}
		security = credentials.NewTLS(conf)
	}
	server := grpc.NewServer(grpc.Creds(security), grpc.UnaryInterceptor(s.note))
	if h != nil {
		grpc_health_v1.RegisterHealthServer(server, h)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-ended
	})
	return s
}

func (s *grpcServer) note(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	s.mu.Lock()
	s.md = md
	s.mu.Unlock()
	return handler(ctx, req)
}

// asked gives a header of the last call.
func (s *grpcServer) asked(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.md.Get(key), ",")
}

func (s *grpcServer) serverName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sni
}

func checkGRPC(t testing.TB, o Options, section, target string) probe.Result {
	t.Helper()
	return runProbe(t, t.Context(), testModule(t, o, "grpc", section), target, long)
}

// servingStatuses gives the one-hot metric as the status that is 1, "none" when all are 0, or "" when it is absent.
func servingStatuses(t testing.TB, res probe.Result) string {
	t.Helper()
	found, hot := 0, "none"
	for _, s := range grpcStatuses {
		v, ok := probetest.Value(res.Samples, "probe_grpc_healthcheck_response", s.String())
		if ok {
			found++
		}
		if v == 1 {
			hot = s.String()
		}
	}
	switch found {
	case 0:
		return ""
	case len(grpcStatuses):
		return hot
	}
	t.Errorf("%d serving statuses, want all or none", found)
	return hot
}
