// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nodns

package probes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/miekg/dns"

	"skywatch/internal/probe"
)

const (
	dnsMediaType   = "application/dns-message"
	dnsHeaderBytes = 64 << 10 // of an HTTP response
)

// overHTTPS posts the query (RFC 8484) on a connection that has TLS. What HTTP says is never followed: no redirect, no second try.
func (q *dnsQuery) overHTTPS(ctx context.Context, conn net.Conn, wire []byte) (*dns.Msg, error) {
	address := *q.path
	address.Scheme, address.Host = "https", strings.TrimSuffix(q.server, ":443")
	req := (&http.Request{Method: http.MethodPost, URL: &address, Header: http.Header{
		"Content-Type": {dnsMediaType}, "Accept": {dnsMediaType}, "User-Agent": {q.options.userAgent()},
	}, ContentLength: int64(len(wire)), Body: io.NopCloser(bytes.NewReader(wire))}).WithContext(ctx)
	transport := httpsOver(conn)
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(req)
	if err != nil {
		return nil, q.httpError(ctx, err)
	}
	defer response.Body.Close()
	q.r.Log.Debug("received HTTP response", "status", response.StatusCode, "version", response.Proto, "content_type", response.Header.Get("Content-Type"))
	if response.StatusCode != http.StatusOK {
		return nil, probe.Failf(probe.ReasonResponse, "querying %q for %s: found the HTTP status %d, want 200", q.server, q.what, response.StatusCode)
	}
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind != dnsMediaType {
		return nil, q.badMessage("content of type "+q.r.Evidence(response.Header.Get("Content-Type")), dnsMediaType)
	}
	message, err := io.ReadAll(io.LimitReader(response.Body, dns.MaxMsgSize+1))
	if err != nil {
		return nil, q.httpError(ctx, err)
	}
	if len(message) > dns.MaxMsgSize {
		return nil, q.badMessage(fmt.Sprintf("more than %d bytes", dns.MaxMsgSize), "a DNS message")
	}
	return q.unpack(message, 0)
}

// httpsOver makes a transport for one request on one connection.
func httpsOver(conn net.Conn) *http.Transport {
	t := &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: dnsHeaderBytes, Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP1(true)
	t.Protocols.SetHTTP2(true)
	var taken atomic.Bool
	t.DialTLSContext = func(context.Context, string, string) (net.Conn, error) {
		if taken.Swap(true) {
			return nil, io.ErrUnexpectedEOF // the transport would try again
		}
		return conn, nil
	}
	return t
}

// httpError says why no HTTP response came. The transport's errors quote what the server sent.
func (q *dnsQuery) httpError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return probe.Failf(probe.ReasonTimeout, "querying %q for %s: no response in time, want one: %w", q.server, q.what, ctx.Err())
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		return q.wireError(err)
	}
	return q.badMessage("no HTTP response: "+q.r.Evidence(err.Error()), "one")
}
