// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

func TestHTTPInternationalNames(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }})
	resolver := testResolver{"xn--bcher-kva.example": {"127.0.0.1"}}
	m := httpModule(t, "fail_if_body_not_matches_regexp: ['^xn--bcher-kva.example:']", Options{Resolver: resolver})
	wantOutcome(t, fetch(t, m, named(t, s.URL, "bücher.example")), probe.ReasonNone, "", "")
	res := fetch(t, m, "http://bü\u200dcher..example/")
	if res.Reason != probe.ReasonConfig || !strings.Contains(res.Err, "want a host name") {
		t.Errorf("got %s: %s", res.Reason, res.Err)
	}
}

// resolverFunc gives one address.
type resolverFunc func(ctx context.Context, host string) (string, error)

func (f resolverFunc) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	text, err := f(ctx, host)
	if err != nil {
		return nil, err
	}
	return []netip.Addr{netip.MustParseAddr(text)}, nil
}

func TestHTTPStuckOnTheWay(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{"/": redirectTo("http://b.example/")})
	m := httpModule(t, "{}", Options{Resolver: resolverFunc(func(ctx context.Context, host string) (string, error) {
		if host == "b.example" {
			<-ctx.Done()
			return "", ctx.Err()
		}
		return "127.0.0.1", nil
	})})
	target := named(t, s.URL, "a.example")
	res := wantLate(t, m, target, fmt.Sprintf("fetching %q: no address in time, want a response", target))
	wantSeries(t, res, map[string]string{"http_redirects": "1", "http_status_code": "0", "ip_protocol": "4"})
}

func TestHTTPConnsCloseLateOnes(t *testing.T) {
	server := probetest.Serve(t, probetest.Silence())
	conns := httpConns{trace: new(httpTrace)}
	conns.close()
	raw, err := net.Dial("tcp", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	late := conns.keep(raw)
	conns.secured() // must not make a closed connection wait
	if n, err := late.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("a connection that came after the end gives %d bytes, %v", n, err)
	}
}

func TestTripMissing(t *testing.T) {
	var trace httpTrace
	if got := trace.last().missing(); got != "no address" {
		t.Errorf("before the first round trip: %s", got)
	}
	trace.begin(true)
	for _, step := range []struct {
		set  func(trip *httpTrip)
		want string
	}{
		{func(*httpTrip) {}, "no address"},
		{func(trip *httpTrip) { trip.dialing = trip.dialing.AddDate(1, 0, 0) }, "no connection"},
		{func(trip *httpTrip) { trip.connected = trip.dialing }, "no response"},
		{func(trip *httpTrip) { trip.tlsStart = trip.dialing }, "no TLS handshake"},
		{func(trip *httpTrip) { trip.tlsDone = trip.dialing }, "no response"},
	} {
		step.set(&trace.trips[0])
		if got := trace.last().missing(); got != step.want {
			t.Errorf("got %s, want %s", got, step.want)
		}
	}
}

func TestProtoNumber(t *testing.T) {
	for proto, want := range map[string]float64{"HTTP/1.0": 1, "HTTP/1.1": 1.1, "HTTP/2.0": 2, "HTTP/3.0": 3, "SPDY": 0} {
		if got := protoNumber(proto); got != want {
			t.Errorf("%s gives %v, want %v", proto, got, want)
		}
	}
}

func TestSigning(t *testing.T) {
	for _, algorithm := range []string{"RS256", "RS384", "RS512"} {
		if got := signing(algorithm).Alg(); got != algorithm {
			t.Errorf("%s gives %s", algorithm, got)
		}
	}
	if got := signing("").Alg(); got != "RS256" {
		t.Errorf("the default is %s, want RS256", got)
	}
}

func TestHTTPPlainHeadersAreMasked(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, r.Header.Get("Authorization")+" and "+r.Header.Get("Cookie"))
	}})
	res := fetch(t, httpModule(t, "headers: {authorization: Bearer t0ken, Cookie: session=abc}", Options{}), s.URL)
	wantOutcome(t, res, probe.ReasonResponse, `fetching "%s": status 403, want 200 to 299; the body begins "<secret> and <secret>"`, s.URL)
}
