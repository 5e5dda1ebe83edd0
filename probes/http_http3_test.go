// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !nohttp3

package probes

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/quic-go/quic-go/http3"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// quicWeb serves handlers over HTTP/3 on loopback and gives the URL.
func quicWeb(t testing.TB, conf *tls.Config, address string, handlers map[string]http.HandlerFunc) string {
	t.Helper()
	socket, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http3.Server{TLSConfig: http3.ConfigureTLSConfig(conf), Handler: mux(handlers)}
	var group sync.WaitGroup
	group.Go(func() { server.Serve(socket) })
	t.Cleanup(func() {
		server.Close()
		socket.Close()
		group.Wait()
	})
	return "https://" + socket.LocalAddr().String()
}

const (
	loopback4 = "127.0.0.1:0"
	http3Keys = "enable_http3: true\nenable_http2: false\n"
	http3Skip = http3Keys + "tls_config: {insecure_skip_verify: true}\n"
)

// quicGood serves with a certificate of the CA.
func quicGood(t testing.TB, handlers map[string]http.HandlerFunc) (server, keys string) {
	t.Helper()
	ca := probetest.NewCA(t)
	return quicWeb(t, probetest.Config(ca.Good()), loopback4, handlers), http3Keys + "tls_config: {ca_file: " + ca.File() + "}\n"
}

func TestHTTP3(t *testing.T) { // 41
	server, keys := quicGood(t, map[string]http.HandlerFunc{"/": okBody})
	want := map[string]string{
		"http_version": "3", "http_ssl": "1", "http_status_code": "200", "http_content_length": "8", "http_uncompressed_body_length": "8",
		"tls_version_info{TLS 1.3}": "1", "tls_cipher_info{TLS_AES_128_GCM_SHA256}": "1", "ip_protocol": "4",
		"ssl_earliest_cert_expiry": "4.1024448e+09", "ssl_last_chain_expiry_timestamp_seconds": "4.1024448e+09",
		"http_duration_seconds{resolve}": "T", "http_duration_seconds{connect}": "T", "http_duration_seconds{tls}": "T",
		"http_duration_seconds{processing}": "T", "http_duration_seconds{transfer}": "T",
	}
	for _, target := range []string{server, strings.TrimPrefix(server, "https://")} {
		for _, more := range []string{"", "valid_http_versions: [HTTP/3.0]\nfail_if_not_ssl: true"} {
			res := fetch(t, httpModule(t, keys+more, Options{}), target)
			wantOutcome(t, res, probe.ReasonNone, "", "")
			wantSeries(t, res, want)
		}
	}
}

func TestHTTP3Request(t *testing.T) {
	seen := make(chan string, 1)
	server, keys := quicGood(t, map[string]http.HandlerFunc{"/": func(_ http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		body, _ := io.ReadAll(r.Body)
		seen <- fmt.Sprint(r.Method, " ", r.Host, " ", user, ":", password, " ", r.Header["X-A"], " ", r.UserAgent(), " ", r.ContentLength, " ", string(body))
	}})
	keys += "method: POST\nbody: hello\nbasic_auth: {username: u, password: p4ss}\nheaders: {X-A: plain}\nhttp_headers: {X-A: {secrets: [s3cret]}}"
	target := probe.NewTarget(server)
	target.Hostname = "localhost"
	wantOutcome(t, fetchWithin(t, httpModule(t, keys, Options{UserAgent: "skywatch/1"}), target, long), probe.ReasonNone, "", "")
	if want, got := "POST localhost u:p4ss [plain s3cret] skywatch/1 5 hello", <-seen; got != want {
		t.Errorf("the server saw %q, want %q", got, want)
	}
}

func TestHTTP3Redirects(t *testing.T) {
	seen := make(chan string, 2)
	note := func(_ http.ResponseWriter, r *http.Request) {
		seen <- r.Host + r.URL.Path + " " + r.Header.Get("Authorization")
	}
	ca := probetest.NewCA(t)
	conf := probetest.Config(ca.For("a.example", "www.a.example", "b.example"))
	to := func(host, path string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { redirectTo(named(t, "https://"+r.Host, host)+path)(w, r) }
	}
	server := quicWeb(t, conf, loopback4, map[string]http.HandlerFunc{
		"/": to("www.a.example", "/second"), "/second": func(w http.ResponseWriter, r *http.Request) {
			note(w, r)
			to("b.example", "/third")(w, r)
		}, "/third": note, "/plain": redirectTo("http://a.example/"),
	})
	keys := http3Keys + "tls_config: {ca_file: " + ca.File() + "}\nbearer_token: t0ken"
	first := named(t, server, "a.example")
	res := fetch(t, httpModule(t, keys, Options{}), first)
	wantOutcome(t, res, probe.ReasonNone, "", "")
	wantSeries(t, res, map[string]string{"http_redirects": "2", "http_version": "3", "http_status_code": "200"})
	host := func(name string) string { return strings.TrimPrefix(named(t, server, name), "https://") }
	for _, want := range []string{host("www.a.example") + "/second Bearer t0ken", host("b.example") + "/third "} {
		if got := <-seen; got != want {
			t.Errorf("the server saw %q, want %q", got, want)
		}
	}
	res = fetch(t, httpModule(t, keys, Options{}), first+"/plain")
	wantOutcome(t, res, probe.ReasonResponse,
		`fetching "%s/plain": redirected to "http://a.example/", want https since HTTP/3 is always encrypted`, first)
}

func TestHTTP3AddressFamilies(t *testing.T) {
	ca := probetest.NewCA(t)
	_, port, _ := net.SplitHostPort(refusedDatagrams(t)) // over IPv4 nobody listens there
	server := named(t, quicWeb(t, probetest.Config(ca.For("both.example")), "[::1]:"+port, map[string]http.HandlerFunc{"/": okBody}), "both.example")
	keys := http3Keys + "tls_config: {ca_file: " + ca.File() + "}\n"
	both := Options{Resolver: testResolver{"both.example": {"127.0.0.1", "::1"}}}
	res := fetch(t, httpModule(t, keys, both), server)
	wantOutcome(t, res, probe.ReasonNone, "", "")
	wantSeries(t, res, map[string]string{"ip_protocol": "6"})
	res = fetch(t, httpModule(t, keys+"preferred_ip_protocol: ip4", both), server)
	if res.Reason != probe.ReasonConnect {
		t.Errorf("with ip4: %s: %s, want connect", res.Reason, res.Err)
	}
	wantSeries(t, res, map[string]string{"ip_protocol": "4"})
	res = fetch(t, httpModule(t, keys+"source_ip_address: 127.0.0.1", both), server)
	if res.Success() {
		t.Error("connected from the wrong family")
	}
}

func TestHTTP3Verification(t *testing.T) {
	ca := probetest.NewCA(t)
	trusted := http3Keys + "tls_config: {ca_file: " + ca.File()
	mutual := probetest.Config(ca.Good())
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool()
	for name, test := range map[string]struct {
		keys, want string
		conf       *tls.Config
	}{
		"unknown CA":            {http3Keys, "failed to verify certificate: x509: certificate signed by unknown authority", probetest.Config(ca.Good())},
		"expired":               {trusted + "}", "failed to verify certificate: x509: certificate has expired", probetest.Config(ca.Expired())},
		"wrong name":            {trusted + ", server_name: c.example}", "certificate is valid for localhost, www.localhost, not c.example", probetest.Config(ca.Good())},
		"no client certificate": {trusted + "}", "remote error: ", mutual},
	} {
		server := quicWeb(t, test.conf, loopback4, map[string]http.HandlerFunc{"/": okBody})
		res := fetch(t, httpModule(t, test.keys, Options{}), server)
		if prefix := fmt.Sprintf("fetching %q: TLS handshake: ", server); res.Reason != probe.ReasonTLS ||
			!strings.HasPrefix(res.Err, prefix+test.want) && !strings.Contains(res.Err, test.want) {
			t.Errorf("%s: %s: %s, want %s", name, res.Reason, res.Err, test.want)
		}
		wantSeries(t, res, map[string]string{"ssl_earliest_cert_expiry": "absent", "http_status_code": "0", "http_version": "0"})
	}
}

func TestHTTP3Targets(t *testing.T) {
	refused := "https://" + refusedDatagrams(t)
	res := fetch(t, httpModule(t, http3Keys, Options{}), refused)
	wantOutcome(t, res, probe.ReasonConnect, `fetching "%s": QUIC connection: connection refused, want one`, refused)
	wantSeries(t, res, map[string]string{"http_duration_seconds{connect}": "0", "http_duration_seconds{tls}": "0", "http_status_code": "0"})

	res = fetch(t, httpModule(t, http3Keys, Options{}), "http://localhost/")
	wantOutcome(t, res, probe.ReasonConfig, `fetching "http://localhost/": HTTP/3 is always encrypted, want an https URL`, "")
	res = fetch(t, httpModule(t, http3Keys+"tls_config: {max_version: TLS12}", Options{}), "https://localhost/")
	wantOutcome(t, res, probe.ReasonConfig, `fetching "https://localhost/": tls_config: max_version is TLS 1.2, want TLS13 or none for HTTP/3`, "")
	res = fetch(t, httpModule(t, http3Keys, Options{}), "https://nosuch.invalid/")
	if res.Reason != probe.ReasonResolve {
		t.Errorf("unknown name: %s: %s", res.Reason, res.Err)
	}
}

// TestHTTP3Conformance holds HTTP/3 to what the suite asks of every prober.
func TestHTTP3Conformance(t *testing.T) {
	wait := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	leakFree(t, healthy, func(t *testing.T) {
		server, keys := quicGood(t, map[string]http.HandlerFunc{"/": okBody})
		m := httpModule(t, keys, Options{})
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() { wantOutcome(t, runProbe(t, t.Context(), m, server, long), probe.ReasonNone, "", "") })
		}
		group.Wait()
	})
	leakFree(t, silent, func(t *testing.T) {
		socket, err := net.ListenPacket("udp", loopback4)
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		server := "https://" + socket.LocalAddr().String()
		wantLate(t, httpModule(t, http3Keys, Options{}), server, fmt.Sprintf("fetching %q: no connection in time, want a response", server))
	})
	leakFree(t, "no response", func(t *testing.T) {
		server, keys := quicGood(t, map[string]http.HandlerFunc{"/": wait})
		res := wantLate(t, httpModule(t, keys, Options{}), server, fmt.Sprintf("fetching %q: no response in time, want a response", server))
		wantSeries(t, res, map[string]string{"http_duration_seconds{tls}": "T", "http_duration_seconds{processing}": "0"})
	})
	leakFree(t, "half a body", func(t *testing.T) {
		server, keys := quicGood(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "four")
			http.NewResponseController(w).Flush()
			wait(w, r)
		}})
		wantLate(t, httpModule(t, keys, Options{}), server, fmt.Sprintf("fetching %q: reading the body: no end of it in time after 4 bytes, want all of it", server))
	})
	leakFree(t, cancelled, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		server, keys := quicGood(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
			cancel()
			wait(w, r)
		}})
		if res := runProbe(t, ctx, httpModule(t, keys, Options{}), server, 10*long); res.Verdict != probe.Aborted || res.Took >= long {
			t.Errorf("verdict %s after %s (%s), want aborted at once", res.Verdict, res.Took, res.Err)
		}
	})
}

func TestHTTP3CertMetrics(t *testing.T) {
	ca := probetest.NewCA(t)
	server := quicWeb(t, probetest.Config(ca.Expired()), loopback4, map[string]http.HandlerFunc{"/": okBody})
	res := fetch(t, httpModule(t, http3Keys+"tls_config: {cert_metrics: [unverified], ca_file: "+ca.File()+"}", Options{}), server)
	wantSeries(t, res, map[string]string{"tls_verified{expired}": "0", "ssl_earliest_cert_expiry": "1.6094592e+09", "http_ssl": "0"})
}
