// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// proxied is a proxy that takes every request to one server, and what it was asked.
type proxied struct {
	URL string

	mu   sync.Mutex
	seen []string
}

// serveProxy answers other requests itself, and takes CONNECT to the server if the status says so.
func serveProxy(t *testing.T, server string, status int) *proxied {
	p := new(proxied)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.seen = append(p.seen, strings.Join([]string{r.Method, r.RequestURI, r.Host, r.Header.Get("Proxy-Authorization"), r.Header.Get("X-PC")}, " "))
		p.mu.Unlock()
		w.WriteHeader(status)
		if r.Method == http.MethodConnect && status == http.StatusOK {
			tunnel(t, w, server)
		}
	}))
	t.Cleanup(s.Close)
	p.URL = s.URL
	return p
}

func tunnel(t *testing.T, w http.ResponseWriter, server string) {
	http.NewResponseController(w).Flush()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer client.Close()
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		t.Error(err)
		return
	}
	done := make(chan struct{})
	go func() {
		io.Copy(upstream, buffered)
		upstream.Close()
		close(done)
	}()
	io.Copy(client, upstream)
	client.Close()
	<-done
}

func TestHTTPProxyConnect(t *testing.T) { // 24
	ca := probetest.NewCA(t)
	s := secureWeb(t, ca, map[string]http.HandlerFunc{"/": okBody})
	target := named(t, s.URL, "localhost")
	address := strings.TrimPrefix(target, "https://")
	for _, skip := range []bool{false, true} {
		proxy := serveProxy(t, s.Listener.Addr().String(), http.StatusOK)
		keys := fmt.Sprintf("proxy_url: %s\nproxy_connect_header: {X-PC: [pc]}\nskip_resolve_phase_with_proxy: %v\ntls_config: {ca_file: %s}",
			strings.Replace(proxy.URL, "://", "://u:p@", 1), skip, ca.File())
		res := fetch(t, httpModule(t, keys, Options{}), target)
		wantOutcome(t, res, probe.ReasonNone, "", "")
		if diff := cmp.Diff([]string{"CONNECT " + address + " " + address + " Basic dTpw pc"}, proxy.seen); diff != "" {
			t.Errorf("what the proxy saw differs (-want +got):\n%s", diff)
		}
		want := map[string]string{"http_duration_seconds{connect}": "T", "http_duration_seconds{tls}": "T", "http_duration_seconds{resolve}": "T", "ip_protocol": "4"}
		if skip {
			want["http_duration_seconds{resolve}"], want["ip_protocol"], want["ip_addr_hash"], want["dns_lookup_time_seconds"] = "absent", "absent", "absent", "absent"
		}
		wantSeries(t, res, want)
	}
}

func TestHTTPProxyForPlainTargets(t *testing.T) {
	proxy := serveProxy(t, "", http.StatusOK)
	// The proxy alone is resolved; the family that the target must have does not bind the way to it.
	res := fetch(t, httpModule(t, "skip_resolve_phase_with_proxy: true\npreferred_ip_protocol: ip6\nip_protocol_fallback: false\nproxy_url: "+
		named(t, proxy.URL, "localhost"), Options{}), "http://only.known.to.the.proxy/x")
	wantOutcome(t, res, probe.ReasonNone, "", "")
	if diff := cmp.Diff([]string{"GET http://only.known.to.the.proxy/x only.known.to.the.proxy  "}, proxy.seen); diff != "" {
		t.Errorf("what the proxy saw differs (-want +got):\n%s", diff)
	}
	s := web(t, map[string]http.HandlerFunc{"/": okBody})
	res = fetch(t, httpModule(t, "no_proxy: a.example\nproxy_url: http://nosuch.invalid", Options{}), named(t, s.URL, "a.example"))
	wantOutcome(t, res, probe.ReasonNone, "", "")
}

func TestHTTPProxyRefuses(t *testing.T) {
	for _, test := range []struct {
		status      int
		credentials string
		target      string
		reason      probe.Reason
		want        string
	}{
		{407, "u:p@", "https://a.example/", probe.ReasonAuth, `fetching "https://a.example/": connecting through the proxy "%s": status 407, want 200`},
		{407, "", "https://a.example/", probe.ReasonResponse, `fetching "https://a.example/": connecting through the proxy "%s": status 407, want 200`},
		{502, "u:p@", "https://a.example/", probe.ReasonResponse, `fetching "https://a.example/": connecting through the proxy "%s": status 502, want 200`},
		{407, "u:p@", "http://a.example/", probe.ReasonAuth, `fetching "http://a.example/": status 407, want 200 to 299`},
		{407, "", "http://a.example/", probe.ReasonResponse, `fetching "http://a.example/": status 407, want 200 to 299`},
	} {
		proxy := serveProxy(t, "", test.status)
		res := fetch(t, httpModule(t, "proxy_url: "+strings.Replace(proxy.URL, "://", "://"+test.credentials, 1), Options{}), test.target)
		wantOutcome(t, res, test.reason, test.want, proxy.URL)
	}
	refused := "http://" + probetest.RefusedAddr(t)
	res := fetch(t, httpModule(t, "proxy_url: "+refused, Options{}), "https://a.example/")
	if res.Reason != probe.ReasonConnect || !strings.Contains(res.Err, "connection refused") {
		t.Errorf("got %s: %s", res.Reason, res.Err)
	}
}

// take reads exactly the wanted bytes.
func take(want string) probetest.Step {
	return func(_ testing.TB, c *probetest.Conn) error {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c.In, got); err != nil || string(got) != want {
			return fmt.Errorf("found %q (%v), want %q", got, err, want)
		}
		return nil
	}
}

func TestHTTPProxySOCKS5(t *testing.T) { // RFC 1928
	proxy := probetest.Serve(t, take("\x05\x01\x00"), probetest.Send("\x05\x00"),
		take("\x05\x01\x00\x03\x09a.example\x00\x50"), probetest.Send("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"),
		get(), probetest.Send(okHead+"Content-Length: 8\r\n\r\nOK body\n"))
	res := fetch(t, httpModule(t, "proxy_url: socks5://"+proxy.Addr, Options{}), "http://a.example/")
	wantOutcome(t, res, probe.ReasonNone, "", "")
	wantSeries(t, res, map[string]string{"http_uncompressed_body_length": "8", "ip_protocol": "4"})

	proxy = probetest.Serve(t, take("\x05\x01\x00"), probetest.Send("\x05\xff"))
	res = fetch(t, httpModule(t, "proxy_url: socks5://"+proxy.Addr, Options{}), "http://a.example/")
	if res.Reason != probe.ReasonConnect || !strings.Contains(res.Err, "socks connect") {
		t.Errorf("got %s: %s", res.Reason, res.Err)
	}
}

// TestHTTPProxyCertificate: the certificate of a proxy is not shown as that of the target.
func TestHTTPProxyCertificate(t *testing.T) {
	ca := probetest.NewCA(t)
	proxy := probetest.Serve(t, probetest.TLS(probetest.Config(ca.Good())))
	res := fetch(t, httpModule(t, "tls_config: {cert_metrics: [unverified]}\nproxy_url: https://"+proxy.Addr, Options{}), "https://a.example/")
	if res.Reason != probe.ReasonTLS || !strings.Contains(res.Err, "certificate signed by unknown authority") {
		t.Errorf("got %s: %s", res.Reason, res.Err)
	}
	wantSeries(t, res, map[string]string{"tls_verified{authority}": "absent", "ssl_earliest_cert_expiry": "absent"})
}
