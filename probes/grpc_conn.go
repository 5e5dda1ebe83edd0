// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nogrpc

package probes

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"skywatch/internal/probe"
)

// grpcBytes bounds a message and the headers of an answer, which are tiny in fact.
const grpcBytes = 64 << 10

// grpcCheck is one attempt: the one connection that the library may open, and what went wrong on it.
type grpcCheck struct {
	*GRPC
	r       *probe.Recorder
	tls     *tls.Config // nil = none
	address netip.AddrPort
	server  string // host and port as asked

	mu     sync.Mutex
	dialed bool
	conn   net.Conn
	fault  error // the first one, typed
}

// client makes the library's connection, which dials the address that the module's rules chose, and knows no proxy.
func (c *grpcCheck) client(ctx context.Context) (*grpc.ClientConn, error) {
	security, authority := insecure.NewCredentials(), c.server
	if c.tls != nil {
		security = grpcTLS{func(conn net.Conn) (*tls.Conn, error) { return c.secure(ctx, conn) }}
		authority = bracketed(c.tls.ServerName)
	}
	// The library's own contexts end later than the attempt.
	dial := func(context.Context, string) (net.Conn, error) { return c.dial(ctx) }
	return grpc.NewClient("passthrough:///"+c.server,
		grpc.WithContextDialer(dial), grpc.WithTransportCredentials(security), grpc.WithAuthority(authority), grpc.WithUserAgent(c.options.userAgent()), grpc.WithNoProxy(),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithDisableHealthCheck(), grpc.WithIdleTimeout(0),
		grpc.WithMaxHeaderListSize(grpcBytes), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(grpcBytes)))
}

// dial opens the connection. The library would open another one when it is lost; that is a failure here.
func (c *grpcCheck) dial(ctx context.Context) (net.Conn, error) {
	c.mu.Lock()
	again := c.dialed
	c.dialed = true
	c.mu.Unlock()
	if again {
		return nil, c.note(probe.Failf(probe.ReasonProtocol, "calling %q: connection lost, want an answer", c.server))
	}
	conn, err := c.dialer.dial(ctx, "tcp", c.address, c.r, 0)
	if err != nil {
		return nil, c.note(err)
	}
	conn.SetDeadline(time.Time{}) // the call itself ends at the deadline, and says so
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = &grpcWire{conn, c}
	return c.conn, nil
}

// secure makes the TLS handshake.
func (c *grpcCheck) secure(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	secured, err := c.TLSConfig.startTLS(ctx, conn, c.tls, c.server, c.r)
	if err != nil {
		return nil, c.note(err)
	}
	if secured.ConnectionState().NegotiatedProtocol != "h2" {
		return nil, c.note(probe.Failf(probe.ReasonProtocol, "TLS handshake with %q: the server did not choose a protocol, want h2 by ALPN", c.server))
	}
	return secured, nil
}

// note keeps the first fault, and gives the one it got.
func (c *grpcCheck) note(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault == nil {
		c.fault = err
	}
	return err
}

// noted gives the first fault.
func (c *grpcCheck) noted() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}

func (c *grpcCheck) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.conn.Close()
	}
}

// grpcWire keeps the error of a spent budget, of which the library gives the text only.
type grpcWire struct {
	net.Conn
	check *grpcCheck
}

// Read notes a spent budget.
func (w *grpcWire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if errors.Is(err, probe.ErrBudget) {
		w.check.note(err)
	}
	return n, err
}

// grpcTLS lets the library speak TLS by our own handshake.
type grpcTLS struct {
	handshake func(net.Conn) (*tls.Conn, error)
}

// ClientHandshake secures a connection.
func (g grpcTLS) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, err := g.handshake(conn)
	if err != nil {
		return nil, nil, err
	}
	level := credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}
	return secured, credentials.TLSInfo{State: secured.ConnectionState(), CommonAuthInfo: level}, nil
}

// ServerHandshake is of no use to a client.
func (g grpcTLS) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("not a server")
}

// Info names the protocol.
func (g grpcTLS) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone gives a copy.
func (g grpcTLS) Clone() credentials.TransportCredentials { return g }

// OverrideServerName is deprecated and unused.
func (g grpcTLS) OverrideServerName(string) error { return nil }

// bracketed gives the form that a host has in an authority.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
