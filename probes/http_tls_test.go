// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

func TestHTTPClientCertificate(t *testing.T) {
	ca := probetest.NewCA(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(okBody))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = probetest.Config(ca.Good())
	s.TLS.ClientAuth, s.TLS.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool()
	s.StartTLS()
	defer s.Close()
	cert, key := probetest.PairPEM(t, ca.Good())
	trust := "ca_file: " + ca.File()
	pair := fmt.Sprintf(", cert_file: %s, key_file: %s", probetest.WriteFile(t, "cert", cert), probetest.WriteFile(t, "key", key))
	wantOutcome(t, fetch(t, httpModule(t, "tls_config: {"+trust+pair+"}", Options{}), s.URL), probe.ReasonNone, "", "")
	for _, max := range []string{"TLS13", "TLS12"} {
		res := fetch(t, httpModule(t, "tls_config: {max_version: "+max+", "+trust+"}", Options{}), s.URL)
		if res.Reason != probe.ReasonTLS || !strings.Contains(res.Err, "remote error: tls: ") {
			t.Errorf("%s without a certificate: %s: %s, want tls", max, res.Reason, res.Err)
		}
	}
}

func TestHTTPServerNames(t *testing.T) {
	ca := probetest.NewCA(t)
	trust := "tls_config: {ca_file: " + ca.File()
	start := func(handler http.HandlerFunc, names ...string) *httptest.Server {
		s := httptest.NewUnstartedServer(handler)
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = probetest.Config(ca.For(names...))
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	other := start(okBody, "b.example")
	first := start(redirectTo(named(t, other.URL, "b.example")), "inner.example")
	target := named(t, first.URL, "a.example")
	// server_name is for the first host; the other one is verified under its own name.
	res := fetch(t, httpModule(t, trust+", server_name: inner.example}", Options{}), target)
	wantOutcome(t, res, probe.ReasonNone, "", "")
	res = fetch(t, httpModule(t, trust+"}\nheaders: {Host: inner.example}", Options{}), target)
	wantOutcome(t, res, probe.ReasonNone, "", "")
	res = fetch(t, httpModule(t, trust+"}", Options{}), target)
	wantOutcome(t, res, probe.ReasonTLS, `fetching "%s": TLS handshake: failed to verify certificate: x509: certificate is valid for inner.example, `+
		`not a.example, want a verified connection`, target)
}

func TestHTTPExpiredCertificate(t *testing.T) {
	ca := probetest.NewCA(t)
	s := probetest.Serve(t, probetest.TLS(probetest.Config(ca.Expired())), get())
	res := fetch(t, httpModule(t, "tls_config: {ca_file: "+ca.File()+"}", Options{}), "https://"+s.Addr)
	if res.Reason != probe.ReasonTLS || !strings.Contains(res.Err, "certificate has expired") {
		t.Errorf("got %s: %s", res.Reason, res.Err)
	}
}

func TestHTTPCredentialsDoNotLeaveTLS(t *testing.T) {
	var hops []hop
	open := recording(t, &hops)
	ca := probetest.NewCA(t)
	s := secureWeb(t, ca, map[string]http.HandlerFunc{"/": redirectTo(named(t, open.URL, "localhost"))})
	keys := "tls_config: {ca_file: " + ca.File() + "}\nbasic_auth: {username: u, password: p}"
	wantOutcome(t, fetch(t, httpModule(t, keys, Options{}), named(t, s.URL, "localhost")), probe.ReasonNone, "", "")
	if diff := cmp.Diff([]hop{{Host: "localhost"}}, hops); diff != "" {
		t.Errorf("what went out in the clear differs (-want +got):\n%s", diff)
	}
}

// TestHTTPOverHTTP2 leaves nothing behind and holds its deadline there too.
func TestHTTPOverHTTP2(t *testing.T) {
	leakFree(t, "answer", func(t *testing.T) {
		s := secureWeb(t, probetest.NewCA(t), map[string]http.HandlerFunc{"/": okBody})
		res := runProbe(t, t.Context(), httpModule(t, "tls_config: {insecure_skip_verify: true}", Options{}), s.URL, long)
		wantSeries(t, res, map[string]string{"http_version": "2", "http_uncompressed_body_length": "8"})
	})
	leakFree(t, "stall", func(t *testing.T) {
		s := secureWeb(t, probetest.NewCA(t), map[string]http.HandlerFunc{"/": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }})
		wantLate(t, httpModule(t, "tls_config: {insecure_skip_verify: true}", Options{}), s.URL, fmt.Sprintf("fetching %q: no response in time, want a response", s.URL))
	})
}

func TestHTTPAddressFamilies(t *testing.T) {
	listener, err := net.Listen("tcp6", fmt.Sprintf("[::1]:%d", probetest.HoldPort())) // over IPv4 nobody listens there
	for errors.Is(err, syscall.EADDRINUSE) {                                           // but over IPv6 somebody may
		listener, err = net.Listen("tcp6", fmt.Sprintf("[::1]:%d", probetest.HoldPort()))
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(okBody)}}
	s.Start()
	t.Cleanup(s.Close)
	both := testResolver{"both.example": {"127.0.0.1", "::1"}, "four.example": {"127.0.0.1"}, "::1": {"::1"}}
	for _, test := range []struct {
		keys, target string
		reason       probe.Reason
		ip           string
	}{
		{"{}", s.URL, probe.ReasonNone, "6"},
		{"preferred_ip_protocol: ip4", s.URL, probe.ReasonNone, "6"},
		{"preferred_ip_protocol: ip4\nip_protocol_fallback: false", s.URL, probe.ReasonResolve, "0"},
		{"{}", named(t, s.URL, "both.example"), probe.ReasonNone, "6"},
		{"preferred_ip_protocol: ip4", named(t, s.URL, "both.example"), probe.ReasonConnect, "4"},
		{"ip_protocol_fallback: false", named(t, s.URL, "four.example"), probe.ReasonResolve, "0"},
	} {
		res := fetch(t, httpModule(t, test.keys, Options{Resolver: both}), test.target)
		if res.Reason != test.reason {
			t.Errorf("%s at %s: reason %q (%s), want %q", test.keys, test.target, res.Reason, res.Err, test.reason)
		}
		wantSeries(t, res, map[string]string{"ip_protocol": test.ip})
	}
}
