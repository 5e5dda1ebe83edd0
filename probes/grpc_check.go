// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nogrpc

package probes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"skywatch/internal/probe"
)

// grpcStatuses are the serving statuses of the health service.
var grpcStatuses = []grpc_health_v1.HealthCheckResponse_ServingStatus{
	grpc_health_v1.HealthCheckResponse_UNKNOWN, grpc_health_v1.HealthCheckResponse_SERVING,
	grpc_health_v1.HealthCheckResponse_NOT_SERVING, grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN,
}

// grpcAnswer is what came back from the call.
type grpcAnswer struct {
	response        *grpc_health_v1.HealthCheckResponse
	header, trailer metadata.MD
	peer            peer.Peer
	err             error
}

// run makes the call and judges it.
func (c *grpcCheck) run(ctx context.Context) error {
	client, err := c.client(ctx)
	if err != nil {
		return probe.Failf(probe.ReasonConfig, "calling %q: %w, want a server that can be called", c.server, err)
	}
	defer client.Close()
	start := time.Now()
	answer := c.call(ctx, client)
	c.r.Phase(grpcDuration, "check", time.Since(start))
	code := status.Code(answer.err)
	if code != codes.OK && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = codes.DeadlineExceeded // the watch over the connection may have been faster
	}
	c.r.Set(grpcStatus, float64(code))
	for _, s := range grpcStatuses {
		c.r.Set(grpcServing, 0, s.String())
	}
	if answer.err != nil {
		return c.failed(code, answer)
	}
	return c.judge(answer)
}

func (c *grpcCheck) call(ctx context.Context, client *grpc.ClientConn) (a grpcAnswer) {
	for _, credential := range c.Metadata["authorization"] {
		c.r.Hide(probe.Secret(credential))
	}
	ctx = metadata.NewOutgoingContext(ctx, metadata.MD(c.Metadata))
	c.r.Log.Debug("calling health check", "service", c.Service, "server", c.server)
	request := &grpc_health_v1.HealthCheckRequest{Service: c.Service}
	a.response, a.err = grpc_health_v1.NewHealthClient(client).Check(ctx, request, grpc.Header(&a.header), grpc.Trailer(&a.trailer), grpc.Peer(&a.peer))
	return a
}

// judge looks at an answer.
func (c *grpcCheck) judge(a grpcAnswer) error {
	if secure, ok := a.peer.AuthInfo.(credentials.TLSInfo); ok {
		c.r.Set(grpcSSL, 1)
		secure.State.VerifiedChains = nil // their expiry is not among the metrics of this prober
		recordTLS(c.r, &secure.State, false, Fixed)
	}
	serving := a.response.GetStatus()
	c.r.Log.Debug("received response", "serving_status", serving.String())
	c.r.Fact("serving_status", serving.String())
	for _, s := range grpcStatuses {
		if s == serving {
			c.r.Set(grpcServing, 1, s.String())
		}
	}
	if serving != grpc_health_v1.HealthCheckResponse_SERVING {
		return probe.Failf(probe.ReasonResponse, "%s: found %s, want SERVING", c.doing(), serving)
	}
	return nil
}

// failed finds the reason of a call that ended without a health response.
func (c *grpcCheck) failed(code codes.Code, a grpcAnswer) error {
	fault := c.noted()
	said := status.Convert(a.err).Message()
	answered := len(a.header)+len(a.trailer) > 0
	reason := probe.ReasonProtocol
	switch {
	case code == codes.DeadlineExceeded: // the server knows our deadline, and may notice first
		return probe.Failf(probe.ReasonTimeout, "%s: no answer in time, want SERVING: %w", c.doing(), context.DeadlineExceeded)
	case fault != nil:
		return fmt.Errorf("%s: %w", c.doing(), fault)
	case c.unusable && !answered:
		reason = probe.ReasonConfig
	case len(c.Metadata) > 0 && (code == codes.Unauthenticated || code == codes.PermissionDenied):
		reason = probe.ReasonAuth
	case answered:
		reason = probe.ReasonResponse
	}
	return probe.Failf(reason, "%s: code %s (%d), %s, want SERVING", c.doing(), code, code, c.r.Evidence(said))
}

func (c *grpcCheck) doing() string {
	if c.Service == "" {
		return fmt.Sprintf("checking the server %q", c.server)
	}
	return fmt.Sprintf("checking the service %q of %q", c.Service, c.server)
}
