// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !nohttp3

package probes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"skywatch/internal/probe"
)

// missingHTTP3 says why HTTP/3 cannot be used; nil: it can.
func missingHTTP3() error { return nil }

// The bounds of what a peer may make us hold on one QUIC connection. The streams besides the request's own are those of HTTP/3 itself
// (control, header compression) and ones without a meaning.
const (
	http3Window      = 512 << 10
	http3UniStreams  = 16
	http3Goodbye     = quic.ApplicationErrorCode(http3.ErrCodeNoError)
	http3DefaultPort = "443"
)

// http3Transport sends one request over a QUIC connection of its own, which goes through the module's dialer like any other.
type http3Transport struct {
	p    *httpProbe
	conf *tls.Config

	wire *datagrams
	quic *quic.Transport
	conn *quic.Conn
}

// http3 makes the transport of one round trip.
func (p *httpProbe) http3(conf *tls.Config) httpTransport {
	return &http3Transport{p: p, conf: conf}
}

// RoundTrip connects and sends the request. The response's body fails at the end of the request's context.
func (t *http3Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if req.URL.Scheme != "https" {
		return nil, probe.Failf(probe.ReasonResponse, "redirected to %q, want https since HTTP/3 is always encrypted", withoutUser(req.URL))
	}
	if err := t.connect(ctx, req); err != nil {
		return nil, err
	}
	client := (&http3.Transport{MaxResponseHeaderBytes: httpHeaderBytes, DisableCompression: true}).NewClientConn(t.conn)
	resp, err := client.RoundTrip(req)
	if err != nil {
		return nil, http3Error(ctx, err)
	}
	resp.Body = &http3Body{ReadCloser: resp.Body, ctx: ctx}
	return resp, nil
}

// connect opens the QUIC connection, which includes the TLS handshake.
func (t *http3Transport) connect(ctx context.Context, req *http.Request) error {
	conf, err := http3TLS(t.conf, req)
	if err != nil {
		return err
	}
	port := req.URL.Port()
	if port == "" {
		port = http3DefaultPort
	}
	conn, err := t.p.conns.connect(ctx, "udp", net.JoinHostPort(req.URL.Hostname(), port))
	if err != nil {
		return err
	}
	opened := time.Now()
	t.wire = &datagrams{conn}
	t.quic = &quic.Transport{Conn: t.wire}
	if t.conn, err = t.quic.Dial(ctx, conn.RemoteAddr(), conf, http3Config(ctx)); err != nil {
		return http3Error(ctx, err)
	}
	t.p.trace.note(func(trip *httpTrip, now time.Time) {
		trip.connected, trip.tlsStart, trip.tlsDone, trip.gotConn = opened, opened, now, now
	})
	t.p.r.Log.Debug("QUIC established", "address", conn.RemoteAddr())
	return nil
}

// http3TLS is the TLS configuration for one host.
func http3TLS(conf *tls.Config, req *http.Request) (*tls.Config, error) {
	if conf.MaxVersion != 0 && conf.MaxVersion < tls.VersionTLS13 {
		return nil, probe.Failf(probe.ReasonConfig, "tls_config: max_version is %s, want TLS13 or none for HTTP/3", tls.VersionName(conf.MaxVersion))
	}
	conf = conf.Clone()
	conf.NextProtos = []string{http3.NextProtoH3}
	if conf.ServerName != "" {
		return conf, nil
	}
	name, err := asciiHost(req.URL.Hostname())
	conf.ServerName = name
	return conf, err
}

// http3Config leaves the question of time to the probe's own deadline, and bounds what is held.
func http3Config(ctx context.Context) *quic.Config {
	patience := time.Hour
	if deadline, ok := ctx.Deadline(); ok {
		patience = time.Until(deadline) + time.Second
	}
	return &quic.Config{
		Versions: []quic.Version{quic.Version1}, HandshakeIdleTimeout: patience, MaxIdleTimeout: patience,
		InitialStreamReceiveWindow: http3Window, MaxStreamReceiveWindow: 4 * http3Window,
		InitialConnectionReceiveWindow: 2 * http3Window, MaxConnectionReceiveWindow: 6 * http3Window,
		MaxIncomingStreams: -1, MaxIncomingUniStreams: http3UniStreams, DisablePathMTUDiscovery: true,
	}
}

// CloseIdleConnections ends the connection and all that runs for it.
func (t *http3Transport) CloseIdleConnections() {
	if t.conn != nil {
		t.conn.CloseWithError(http3Goodbye, "")
	}
	if t.quic != nil {
		t.quic.Close()
		t.wire.Close()
	}
}

// http3Error tells what ended a connection.
func http3Error(ctx context.Context, err error) error {
	if err := timeUp(ctx, err); err != nil {
		return err
	}
	var transport *quic.TransportError
	var idle net.Error
	switch {
	case errors.As(err, &transport) && transport.ErrorCode.IsCryptoError():
		return probe.Failf(probe.ReasonTLS, "TLS handshake: %w, want a verified connection", http3TLSCause(transport))
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return probe.Failf(probe.ReasonConnect, "QUIC connection: %w, want one", http3Cause(err))
	case errors.Is(err, probe.ErrBudget):
		return probe.Failf(probe.ReasonProtocol, "QUIC connection: %w", http3Cause(err))
	case errors.As(err, &idle) && idle.Timeout():
		return probe.Failf(probe.ReasonTimeout, "QUIC connection: %s, want a response", idle)
	}
	return probe.Failf(probe.ReasonProtocol, "QUIC connection: %s, want a response", probe.Evidence(err.Error()))
}

// http3TLSCause gives the cause of a failed handshake in the words that the other versions of HTTP use.
func http3TLSCause(err *quic.TransportError) error {
	var cause *tls.CertificateVerificationError
	if errors.As(err, &cause) {
		return tlsError{cause}
	}
	side := ""
	if err.Remote {
		side = "remote error: "
	}
	text := err.ErrorMessage
	if text == "" {
		text = err.ErrorCode.Message()
	}
	return errors.New(side + strings.TrimPrefix(text, "tls: "))
}

// http3Cause finds what the wire said inside what the library made of it.
func http3Cause(err error) error {
	var typed *probe.Error
	var errno syscall.Errno
	switch {
	case errors.As(err, &typed):
		return typed
	case errors.As(err, &errno):
		return errno
	}
	return err
}

// http3Body is a response's body that tells the end of the time from an end that the peer made.
type http3Body struct {
	io.ReadCloser
	ctx context.Context
}

func (b *http3Body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil, err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return n, err
	}
	if up := timeUp(b.ctx, err); up != nil {
		return n, up
	}
	return n, errors.New(probe.Evidence(err.Error()))
}

// timeUp tells whether an error came of the end of the probe's time: the socket may notice it before the context does.
func timeUp(ctx context.Context, err error) error {
	if ctx.Err() == nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// datagrams is a connected UDP socket as QUIC wants it. A read that fails is final: the watchdog and the byte budget of the connection
// speak that way, and the library would try again what calls itself temporary.
type datagrams struct{ net.Conn }

func (d *datagrams) ReadFrom(p []byte) (int, net.Addr, error) {
	n, err := d.Read(p)
	if err != nil {
		err = fmt.Errorf("reading a datagram: %w", err)
	}
	return n, d.RemoteAddr(), err
}

func (d *datagrams) WriteTo(p []byte, _ net.Addr) (int, error) { return d.Write(p) }

// SetReadBuffer leaves the system's size, which is enough for one probe; without this the library complains on the standard logger.
func (d *datagrams) SetReadBuffer(int) error { return nil }

// SetWriteBuffer is like SetReadBuffer.
func (d *datagrams) SetWriteBuffer(int) error { return nil }
