// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nodns

package probes

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// serveHTTPS answers posted questions, and notes the requests. The target is by name, the section one for it.
func serveHTTPS(t testing.TB, http2 bool, z zone, seen func(*http.Request)) (target, section string) {
	t.Helper()
	ca := probetest.NewCA(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen(r)
		wire, _ := io.ReadAll(r.Body)
		query := new(dns.Msg)
		if err := query.Unpack(wire); err != nil {
			t.Errorf("the query: %v", err)
		}
		reply, err := z(query).Pack()
		if err != nil {
			t.Errorf("the reply: %v", err)
		}
		w.Header().Set("Content-Type", "application/dns-message; charset=x")
		w.Write(reply)
	}))
	server.TLS, server.EnableHTTP2 = probetest.Config(ca.Good()), http2
	server.StartTLS()
	t.Cleanup(server.Close)
	return strings.Replace(server.Listener.Addr().String(), "127.0.0.1", "localhost", 1),
		"{query_name: example.com, query_type: TXT, transport_protocol: https, tls_config: {ca_file: " + ca.File() + "}"
}

func TestDNSOverHTTPS(t *testing.T) {
	for _, http2 := range []bool{true, false} {
		t.Run(fmt.Sprintf("http2 %v", http2), func(t *testing.T) {
			var got string
			var id uint16
			target, section := serveHTTPS(t, http2, func(query *dns.Msg) *dns.Msg { id = query.Id; return txt("ready")(query) }, func(r *http.Request) {
				got = fmt.Sprint(r.Method, " ", r.URL, " ", r.Proto, " ", r.Header.Get("Content-Type"), " ", r.Header.Get("Accept"), " ", r.UserAgent(), " ", r.Host)
			})
			res := askDNS(t, Options{UserAgent: "skywatch/1"}, section+", validate_answer_rrs: {fail_if_not_matches_regexp: [ready]}}", target)
			if text := outcome(res); text != "" {
				t.Fatalf("outcome %q, want success", text)
			}
			version := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[http2]
			want := "POST /dns-query " + version + " application/dns-message application/dns-message skywatch/1 " + target
			if got != want || id != 0 {
				t.Errorf("sent %s with id %d, want %s with 0", got, id, want)
			}
			if diff := cmp.Diff(slices.Sorted(slices.Values(strings.Fields(dnsMetrics))), probetest.Names(res.Samples)); diff != "" {
				t.Errorf("metrics differ (-want +got):\n%s", diff)
			}
			if value(t, res, "probe_dns_duration_seconds", "connect") <= 0 || value(t, res, "probe_dns_duration_seconds", "request") <= 0 {
				t.Errorf("phases %v, want times of connect and request", res.Samples)
			}
			askDNS(t, Options{}, section+", https_path: '/q/x?a=b'}", target)
			if want := "POST /q/x?a=b " + version; !strings.HasPrefix(got, want) {
				t.Errorf("sent %s, want %s", got, want)
			}
			if res := askDNS(t, Options{}, "{query_name: example.com, transport_protocol: https}", target); res.Reason != probe.ReasonTLS {
				t.Errorf("%s, want a failure of TLS", outcome(res))
			}
		})
	}
}

func TestDNSOverHTTPSBadServers(t *testing.T) {
	const head, kind = "HTTP/1.1 200 OK\r\n", "Content-Type: application/dns-message\r\n"
	for name, c := range map[string]struct {
		script probetest.Step
		want   string
	}{
		"status": {probetest.Send("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"),
			"response: querying TARGET for example.com. IN ANY: found the HTTP status 302, want 200"},
		"type": {probetest.Send(head + "Content-Type: text/html\r\nContent-Length: 0\r\n\r\n"),
			`protocol: querying TARGET for example.com. IN ANY: found content of type "text/html", want application/dns-message`},
		"no message": {probetest.Send(head + kind + "Content-Length: 1\r\n\r\nx"),
			`protocol: querying TARGET for example.com. IN ANY: found bad header id: dns: overflow unpacking uint16 in "x", want a DNS message`},
		"lying length": {probetest.Send(head + kind + "Content-Length: 100\r\n\r\nx"),
			"protocol: querying TARGET for example.com. IN ANY: connection closed, want a response"},
		"another id": {probetest.Send(head + kind + "Content-Length: 12\r\n\r\n\x00\x01\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
			"protocol: querying TARGET for example.com. IN ANY: found message with another id, want the response to our query"},
		"garbage": {probetest.Garbage(), "protocol: querying TARGET for example.com. IN ANY: found no HTTP response: "},
		"closed":  {probetest.Send(""), "protocol: querying TARGET for example.com. IN ANY: connection closed, want a response"},
		"endless headers": {probetest.Endless("x: " + strings.Repeat("a", 1000) + "\r\n"),
			"protocol: querying TARGET for example.com. IN ANY: found no HTTP response: "},
		"endless body": {endlessAfter(head + kind + "\r\n"), "protocol: querying TARGET for example.com. IN ANY: found more than 65535 bytes, want a DNS message"},
		"endless 1xx":  {probetest.Endless("HTTP/1.1 103 Early Hints\r\nx: " + strings.Repeat("a", 1000) + "\r\n\r\n"), "protocol: querying TARGET for "},
	} {
		leakFree(t, situation(name), func(t *testing.T) {
			ca := probetest.NewCA(t)
			server := probetest.Serve(t, probetest.TLS(probetest.Config(ca.Good())), posted, c.script)
			target := strings.Replace(server.Addr, "127.0.0.1", "localhost", 1)
			res := askDNS(t, Options{}, "{query_name: example.com, transport_protocol: https, tls_config: {ca_file: "+ca.File()+"}}", target)
			if got, want := outcome(res), strings.Replace(c.want, "TARGET", fmt.Sprintf("%q", target), 1); !strings.HasPrefix(got, want) {
				t.Errorf("outcome %q, want %q", got, want)
			}
		})
	}
}

// posted reads a whole request: an answer to none is another thing.
func posted(_ testing.TB, c *probetest.Conn) error {
	request, err := http.ReadRequest(c.In)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, request.Body)
	return err
}

func endlessAfter(text string) probetest.Step {
	return func(t testing.TB, c *probetest.Conn) error {
		if err := probetest.Send(text)(t, c); err != nil {
			return err
		}
		return probetest.Endless("a")(t, c)
	}
}

func TestDNSOverHTTPSSilent(t *testing.T) {
	leakFree(t, silent, func(t *testing.T) {
		ca := probetest.NewCA(t)
		server := probetest.Serve(t, probetest.TLS(probetest.Config(ca.Good())), probetest.Silence())
		m := testModule(t, Options{}, "dns", "{query_name: example.com, transport_protocol: https, tls_config: {ca_file: "+ca.File()+"}}")
		target := strings.Replace(server.Addr, "127.0.0.1", "localhost", 1)
		want := fmt.Sprintf("timeout: querying %q for example.com. IN ANY: no response in time, want one: context deadline exceeded", target)
		patiently(t, func(t testing.TB, timeout time.Duration) {
			res := runProbe(t, t.Context(), m, target, timeout)
			if outcome(res) != want {
				t.Fatalf("outcome %q, want %q", outcome(res), want)
			}
			if got := value(t, res, "probe_dns_duration_seconds", "request"); got <= 0 {
				t.Errorf("request phase %v, want the time that was waited", got)
			}
		})
	})
}

// TestDNSOverHTTPSCancelled goes away while the server thinks.
func TestDNSOverHTTPSCancelled(t *testing.T) {
	leakFree(t, cancelled, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ca, asked := probetest.NewCA(t), make(chan struct{})
		server := probetest.Serve(t, probetest.TLS(probetest.Config(ca.Good())), posted, probetest.Meanwhile(func() { close(asked) }), probetest.Silence())
		go func() {
			<-asked
			cancel()
		}()
		m := testModule(t, Options{}, "dns", "{query_name: example.com, transport_protocol: https, tls_config: {ca_file: "+ca.File()+"}}")
		if res := runProbe(t, ctx, m, strings.Replace(server.Addr, "127.0.0.1", "localhost", 1), long); res.Verdict != probe.Aborted {
			t.Errorf("verdict %s, want aborted", res.Verdict)
		}
	})
}

func TestDNSOverHTTPSManyAtOnce(t *testing.T) {
	leakFree(t, crowd, func(t *testing.T) {
		target, section := serveHTTPS(t, true, txt("ready"), func(*http.Request) {})
		m := testModule(t, Options{}, "dns", section+"}")
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if got := outcome(runProbe(t, t.Context(), m, target, long)); got != "" {
					t.Errorf("outcome %q, want success", got)
				}
			})
		}
		group.Wait()
	})
}

func TestDNSOverHTTPSTargets(t *testing.T) {
	d := testModule(t, Options{}, "dns", "{query_name: example.com, transport_protocol: https}").Prober.(*DNS)
	for target, want := range map[string]string{"localhost": "127.0.0.1:443", "localhost:8443": "127.0.0.1:8443", "[::1]": "[::1]:443"} {
		if q, err := prepared(t, d, target); err != nil || q.address.String() != want {
			t.Errorf("%s: %v (%v), want %s", target, q, err, want)
		}
	}
}
