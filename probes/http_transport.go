// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"skywatch/internal/probe"
)

// httpRoundTrips sends the requests of one probe, each over a connection of its own. The first host is verified under the name that
// the module or request gives it, any other one under its own.
type httpRoundTrips struct {
	trace *httpTrace
	first string // host and port of the first URL, as written
	named *tls.Config
	make  func(conf *tls.Config, secure bool) httpTransport
	used  []httpTransport
	probe *httpProbe
}

// httpTransport sends a request in one version of HTTP or several.
type httpTransport interface {
	http.RoundTripper
	CloseIdleConnections()
}

// roundTrips prepares the transports; it fails when a file of tls_config cannot be used.
func (p *httpProbe) roundTrips(ctx context.Context, req *http.Request) (*httpRoundTrips, error) {
	named, err := p.Client.TLS.client(p.serverName(req), p.options, p.r.Log)
	if err != nil {
		return nil, err
	}
	return &httpRoundTrips{probe: p, trace: &p.trace, first: p.url.Host, named: named,
		make: func(conf *tls.Config, secure bool) httpTransport {
			if p.EnableHTTP3 {
				return p.http3(conf)
			}
			return p.transport(ctx, conf, secure && p.Client.EnableHTTP2, p.Client.proxy)
		}}, nil
}

// serverName is the name for verification unless tls_config has one: that of the Host header; "" means the host of the URL.
func (p *httpProbe) serverName(req *http.Request) string {
	if req.Host == p.url.Host {
		return ""
	}
	if host, _, err := net.SplitHostPort(req.Host); err == nil {
		return host
	}
	return req.Host
}

// transport makes one that opens its connections through the probe and keeps none of them.
func (p *httpProbe) transport(ctx context.Context, conf *tls.Config, http2 bool, proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	t := &http.Transport{
		TLSClientConfig:        conf,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: httpHeaderBytes,
		ReadBufferSize:         httpBufferBytes,
		WriteBufferSize:        httpBufferBytes,
		ExpectContinueTimeout:  time.Second,
		ProxyConnectHeader:     p.Client.Proxy.GetProxyConnectHeader(),
		OnProxyConnectResponse: p.proxyAnswered,
		Protocols:              new(http.Protocols),
		// The transport's own context ends later than the attempt.
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) { return p.conns.dial(ctx, address) },
	}
	t.Protocols.SetHTTP1(true)
	t.Protocols.SetHTTP2(http2)
	if proxy != nil {
		t.Proxy = func(req *http.Request) (*url.URL, error) {
			u, err := proxy(req)
			if u != nil {
				p.conns.through(u)
			}
			return u, err
		}
	}
	return t
}

// RoundTrip sends one request.
func (t *httpRoundTrips) RoundTrip(req *http.Request) (*http.Response, error) {
	secure := req.URL.Scheme == "https"
	t.trace.begin(secure)
	if t.probe.exchanges(req) {
		return t.probe.exchange(req)
	}
	return t.byTransport(req, secure)
}

// byTransport sends one request by a transport of net/http, or of HTTP/3.
func (t *httpRoundTrips) byTransport(req *http.Request, secure bool) (*http.Response, error) {
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), t.trace.hooks(t.probe.conns.secured)))
	conf := t.named
	if req.URL.Host != t.first {
		conf = conf.Clone()
		conf.ServerName = "" // the transport puts the host of the URL
	}
	transport := t.make(conf, secure)
	t.used = append(t.used, transport)
	return transport.RoundTrip(req)
}

func (t *httpRoundTrips) close() {
	for _, transport := range t.used {
		transport.CloseIdleConnections()
	}
}

// through notes by which proxy the next connection goes.
func (c *httpConns) through(proxy *url.URL) {
	port := proxy.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[proxy.Scheme]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proxy = net.JoinHostPort(proxy.Hostname(), port)
	c.sealed = proxy.Scheme == "https"
}

// toProxy tells whether the only handshake of a round trip so far is the one with a proxy.
func (c *httpConns) toProxy(trip httpTrip) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sealed && trip.tlsDone.IsZero()
}

// proxyAnswered judges the answer to CONNECT.
func (p *httpProbe) proxyAnswered(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	reason := probe.ReasonResponse
	if resp.StatusCode == http.StatusProxyAuthRequired && p.knownTo(proxy) {
		reason = probe.ReasonAuth
	}
	return probe.Failf(reason, "connecting through the proxy %q: status %d, want 200", withoutUser(proxy), resp.StatusCode)
}

// knownTo tells whether a proxy was told who we are.
func (p *httpProbe) knownTo(proxy *url.URL) bool {
	return proxy != nil && proxy.User != nil || len(p.Client.Proxy.ProxyConnectHeader) > 0
}
