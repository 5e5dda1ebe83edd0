// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// byTransport makes a module send by http.Transport what it would send itself: there is a proxy, though not for this target.
const byTransport = "\nproxy_url: http://proxy.invalid\nno_proxy: 127.0.0.1"

// seen is what a probe shows, and what the server saw of it.
type seen struct {
	Request, Err string
	Reason       probe.Reason
	Series       map[string]string
}

// bothWays runs a probe against a server that follows a script after the request, without and with http.Transport, and compares. The
// target is what follows the address of the server.
func bothWays(t *testing.T, keys, target string, script ...probetest.Step) seen {
	t.Helper()
	var ways [2]seen
	for i, keys := range []string{keys, keys + byTransport} {
		heard := make(chan string, 1)
		s := probetest.Serve(t, append([]probetest.Step{hear(heard)}, script...)...)
		res := runProbe(t, t.Context(), httpModule(t, keys, Options{UserAgent: "skywatch/9"}), "http://"+s.Addr+target, long)
		same := strings.NewReplacer(s.Addr, "SERVER").Replace
		ways[i] = seen{same(<-heard), same(res.Err), res.Reason, series(res)}
	}
	if diff := cmp.Diff(ways[1], ways[0]); diff != "" {
		t.Errorf("it differs from what http.Transport does (-transport +own):\n%s", diff)
	}
	return ways[0]
}

// hear reads a request up to the empty line.
func hear(to chan<- string) probetest.Step {
	return func(_ testing.TB, c *probetest.Conn) error {
		var text strings.Builder
		defer func() { to <- text.String() }()
		for !strings.HasSuffix(text.String(), "\r\n\r\n") {
			line, err := c.In.ReadString('\n')
			text.WriteString(line)
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func TestHTTPExchangeRequests(t *testing.T) {
	ok := probetest.Send(okHead + "Content-Length: 0\r\n\r\n")
	for _, test := range []struct{ keys, target string }{
		{"{}", ""},
		{"method: HEAD", "/a/../b?c=d%20e#f"},
		{"method: POST", "/"},
		{"method: PUT", "/"},
		{"method: OPTIONS", "/%2f"},
		{"headers: {Zeta: z, accept-encoding: gzip, Host: v.example, Cookie: a=b}\nbasic_auth: {username: u, password: p}", "/"},
		{"headers: {user-agent: '', X-A: ''}", "/"},
		{"headers: {Connection: keep-alive}", "/"},
		{"headers: {Connection: Upgrade, Upgrade: websocket}", "/"},
		{"headers: {Expect: 100-continue}", "/"},
		{"http_headers: {X-Many: {values: [b, a]}}", "/"},
	} {
		t.Run(test.keys, func(t *testing.T) {
			keys := strings.TrimPrefix(test.keys, "{}")
			if got := bothWays(t, keys, test.target, ok); got.Err != "" || !strings.Contains(got.Request, "HTTP/1.1\r\nHost: ") {
				t.Errorf("%s: %q", got.Err, got.Request)
			}
		})
	}
}

func TestHTTPExchangeResponses(t *testing.T) {
	const hints, upgrade = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
	for name, text := range map[string]string{
		"early hints":              hints + hints + okHead + "Content-Length: 4\r\n\r\nbody",
		"continue":                 "HTTP/1.1 100 Continue\r\n\r\n" + okHead + "Content-Length: 4\r\n\r\nbody",
		"hints alone":              hints,
		"upgrade":                  upgrade + "what follows",
		"upgrade to nothing":       "HTTP/1.1 101 Go\r\n\r\nwhat follows",
		"no content":               "HTTP/1.1 204 No\r\n\r\nbody",
		"not modified":             "HTTP/1.1 304 Not\r\nContent-Length: 4\r\n\r\nbody",
		"old":                      "HTTP/1.0 200 OK\r\n\r\nuntil the end",
		"until the end":            okHead + "\r\nuntil the end",
		"chunks":                   okHead + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-T: t\r\n\r\n",
		"chunks and length":        okHead + "Transfer-Encoding: chunked\r\nContent-Length: 99\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
		"unknown transfer":         okHead + "Transfer-Encoding: zip\r\n\r\nbody",
		"packed, though not asked": okHead + "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nbody",
		"longer than said":         okHead + "Content-Length: 2\r\n\r\nbody",
		"shorter than said":        okHead + "Content-Length: 9\r\n\r\nbody",
		"bad length":               okHead + "Content-Length: 4x\r\n\r\nbody",
		"bad chunk":                okHead + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"nothing":                  "",
		"half a status":            "HTTP/1.",
		"half a header":            okHead + "X-A",
		"garbage before":           "\r\n\r\n" + okHead + "\r\n",
		"no reason":                "HTTP/1.1 200\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n",
		"bare line ends":           "HTTP/1.1 200 OK\nContent-Length: 4\n\nbody",
		"space before the colon":   okHead + "X-A : a\r\n\r\n",
		"folded":                   okHead + "X-A: a\r\n b\r\n\r\n",
		"status 99":                "HTTP/1.1 099 No\r\n\r\n",
		"status 999":               "HTTP/1.1 999 No\r\n\r\nbody",
		"header just fits":         okHead + "X-A: " + strings.Repeat("a", httpHeaderBytes-len(okHead)-len("X-A: \r\n\r\n")) + "\r\n\r\n",
		"header just does not":     okHead + "X-A: " + strings.Repeat("a", httpHeaderBytes-len(okHead)-len("X-A: \r\n\r")) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) { bothWays(t, "", "/", probetest.Send(text)) })
		t.Run(name+" to HEAD", func(t *testing.T) { bothWays(t, "method: HEAD", "/", probetest.Send(text)) })
	}
	for name, text := range map[string]string{"headers": okHead + "X-A: a\r\n", "hints": hints, "an upgrade": upgrade} {
		t.Run("endless "+name, func(t *testing.T) { bothWays(t, "body_size_limit: 1MB", "/", probetest.Endless(text)) })
	}
}

// TestHTTPExchangeLeavesBodies follows a redirect whose body has no end.
func TestHTTPExchangeLeavesBodies(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{"/": okBody})
	for name, framing := range map[string]string{"plain": "\r\n", "of a length": "Content-Length: 99999999\r\n\r\n", "chunks": "Transfer-Encoding: chunked\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			got := bothWays(t, "", "/", probetest.Send("HTTP/1.1 302 Found\r\nLocation: "+s.URL+"\r\n"+framing), probetest.Endless("4\r\nbody\r\n"))
			if got.Err != "" || got.Series["http_redirects"] != "1" {
				t.Errorf("%s after %s redirects", got.Err, got.Series["http_redirects"])
			}
		})
	}
}

// TestHTTPExchangeChangesWays follows redirects over every way there is and back.
func TestHTTPExchangeChangesWays(t *testing.T) {
	ca := probetest.NewCA(t)
	last := web(t, map[string]http.HandlerFunc{"/": okBody})
	secure := secureWeb(t, ca, map[string]http.HandlerFunc{"/": redirectTo(last.URL)})
	first := web(t, map[string]http.HandlerFunc{"/": redirectTo(secure.URL)})
	res := fetch(t, httpModule(t, "tls_config: {ca_file: "+ca.File()+"}", Options{}), first.URL)
	wantOutcome(t, res, probe.ReasonNone, "", "")
	wantSeries(t, res, map[string]string{"http_redirects": "2", "http_ssl": "0", "http_duration_seconds{tls}": "T",
		"http_duration_seconds{connect}": "T", "http_duration_seconds{processing}": "T", "http_duration_seconds{transfer}": "T"})
}

// TestHTTPEarlyAnswer is refused before the server has read the body, which it never does.
func TestHTTPEarlyAnswer(t *testing.T) {
	file := probetest.WriteFile(t, "body", make([]byte, 16<<20))
	fetched := make(chan struct{})
	s := probetest.Serve(t, get(), probetest.Send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"), probetest.Meanwhile(func() { <-fetched }))
	res := runProbe(t, t.Context(), httpModule(t, "method: POST\nbody_file: "+file, Options{}), "http://"+s.Addr, long)
	close(fetched)
	wantOutcome(t, res, probe.ReasonResponse, `fetching "%s": status 413, want 200 to 299`, "http://"+s.Addr)
}

// TestHTTPExchangeCancelled ends a probe while it waits for each part of a response.
func TestHTTPExchangeCancelled(t *testing.T) {
	for name, sent := range map[situation]string{"header": "", "more than hints": "HTTP/1.1 103 Hints\r\n\r\n", "rest of the header": okHead, "body": okHead + "\r\nbody"} {
		leakFree(t, name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := probetest.Serve(t, get(), probetest.Send(sent), probetest.Meanwhile(cancel), probetest.Silence())
			var strays atomic.Int64
			check := probe.Check{Module: httpModule(t, "{}", Options{}), Target: probe.NewTarget("http://" + s.Addr), Timeout: 10 * long}
			res := probe.Run(ctx, check, probe.Env{Grace: long, Strays: &strays})
			if res.Verdict != probe.Aborted || res.Took >= long || strays.Load() != 0 {
				t.Errorf("verdict %s after %s with %d strays, want aborted at once", res.Verdict, res.Took, strays.Load())
			}
		})
	}
}
