// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !nohttp3

package probes

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/quic-go/quic-go"

	"skywatch/internal/probe"
)

func TestHTTP3Error(t *testing.T) {
	budget := probe.Failf(probe.ReasonProtocol, "reading: more than 9 bytes received: %w", probe.ErrBudget)
	for _, test := range []struct {
		err    error
		reason probe.Reason
		want   string
	}{
		{fmt.Errorf("quic: transport closed: %w", budget), probe.ReasonProtocol, "QUIC connection: reading: more than 9 bytes received: byte budget spent"},
		{fmt.Errorf("a: %w", os.NewSyscallError("read", syscall.EHOSTUNREACH)), probe.ReasonConnect, "QUIC connection: no route to host, want one"},
		{fmt.Errorf("a: %w", os.ErrDeadlineExceeded), probe.ReasonTimeout, "context deadline exceeded"},
		{&quic.IdleTimeoutError{}, probe.ReasonTimeout, "QUIC connection: timeout: no recent network activity, want a response"},
		{&quic.ApplicationError{Remote: true, ErrorCode: 0x102, ErrorMessage: "go\naway"}, probe.ReasonProtocol,
			`QUIC connection: "Application error 0x102 (remote): go\naway", want a response`},
		{&quic.TransportError{Remote: true, ErrorCode: 0x128}, probe.ReasonTLS, "TLS handshake: remote error: handshake failure, want a verified connection"},
		{&quic.VersionNegotiationError{}, probe.ReasonProtocol, `QUIC connection: "no compatible QUIC version found (we support [], server offered [])", want a response`},
	} {
		got := http3Error(t.Context(), test.err)
		if probe.ReasonOf(got) != test.reason || got.Error() != test.want {
			t.Errorf("%v:\n got %s: %s\nwant %s: %s", test.err, probe.ReasonOf(got), got, test.reason, test.want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := http3Error(ended, budget); !errors.Is(got, context.Canceled) {
		t.Errorf("after the end: %v", got)
	}
}

// brokenBody fails at once.
type brokenBody struct{ err error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.err }

func (brokenBody) Close() error { return nil }

func TestHTTP3Body(t *testing.T) {
	for _, test := range []struct{ err, want error }{
		{io.EOF, io.EOF}, {io.ErrUnexpectedEOF, io.ErrUnexpectedEOF}, {os.ErrDeadlineExceeded, context.DeadlineExceeded},
		{errors.New("stream\nreset"), errors.New(`"stream\nreset"`)},
	} {
		body := &http3Body{ReadCloser: brokenBody{test.err}, ctx: t.Context()}
		if _, got := body.Read(make([]byte, 1)); got.Error() != test.want.Error() {
			t.Errorf("%v gives %v, want %v", test.err, got, test.want)
		}
	}
}

// TestHTTP3Garbage: datagrams that are not QUIC are passed over, however many there are.
func TestHTTP3Garbage(t *testing.T) {
	leakFree(t, garbage, func(t *testing.T) {
		socket, err := net.ListenPacket("udp", loopback4)
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		defer group.Wait()
		defer socket.Close()
		group.Go(func() {
			packet := make([]byte, 1500)
			for {
				_, from, err := socket.ReadFrom(packet)
				if err != nil {
					return
				}
				for range 1000 {
					rand.Read(packet)
					socket.WriteTo(packet, from)
				}
			}
		})
		server := "https://" + socket.LocalAddr().String()
		wantLate(t, httpModule(t, http3Keys, Options{}), server, fmt.Sprintf("fetching %q: no connection in time, want a response", server))
	})
}
