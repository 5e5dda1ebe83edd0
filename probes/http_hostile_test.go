// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// get is the beginning of every script: the request, up to the empty line.
func get() probetest.Step {
	return func(_ testing.TB, c *probetest.Conn) error {
		for {
			line, err := c.In.ReadString('\n')
			if err != nil {
				return fmt.Errorf("reading the request: %w", err)
			}
			if line == "\r\n" {
				return nil
			}
		}
	}
}

// reset ends a connection without a farewell.
func reset() probetest.Step {
	return func(_ testing.TB, c *probetest.Conn) error {
		c.Conn.(*net.TCPConn).SetLinger(0)
		return c.Conn.Close()
	}
}

const okHead = "HTTP/1.1 200 OK\r\n"

func TestHTTPHostileServers(t *testing.T) {
	for _, test := range []struct {
		name   string
		keys   string
		script []probetest.Step
		reason probe.Reason
		want   string // part of the error
	}{
		{"endless header", "{}", []probetest.Step{get(), probetest.Send(okHead), probetest.Endless("X-A: " + strings.Repeat("a", 1000) + "\r\n")},
			probe.ReasonProtocol, "server response headers exceeded 1048576 bytes"},
		{"endless status line", "{}", []probetest.Step{get(), probetest.Endless("HTTP/1.1 200 O")}, probe.ReasonProtocol, "exceeded 1048576 bytes"},
		{"endless informational", "{}", []probetest.Step{get(), probetest.Endless("HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n")},
			probe.ReasonProtocol, "exceeded 1048576 bytes"},
		{"long malformed line", "{}", []probetest.Step{get(), probetest.Send(strings.Repeat("z", 5000) + "\r\n\r\n")}, probe.ReasonProtocol, "malformed HTTP"},
		{"no status", "{}", []probetest.Step{get(), probetest.Send("HTTP/1.1 abc\r\n\r\n")}, probe.ReasonProtocol, "malformed HTTP status code"},
		{"close at once", "{}", []probetest.Step{get()}, probe.ReasonProtocol, "the connection was closed, want a response"},
		{"close in the header", "{}", []probetest.Step{get(), probetest.Send(okHead + "X-A:")}, probe.ReasonProtocol, "the connection was closed"},
		{"reset", "{}", []probetest.Step{get(), reset()}, probe.ReasonProtocol, "connection reset by peer, want a response"},
		{"short body", "{}", []probetest.Step{get(), probetest.Send(okHead + "Content-Length: 10\r\n\r\nfour")}, probe.ReasonProtocol,
			"reading the body: unexpected EOF after 4 bytes, want all of it"},
		{"reset in the body", "{}", []probetest.Step{get(), probetest.Send(okHead + "Content-Length: 10\r\n\r\n"), reset()}, probe.ReasonProtocol, "reading the body: "},
		{"long body", "{}", []probetest.Step{get(), probetest.Send(okHead + "Content-Length: 2\r\n\r\nfour")}, probe.ReasonNone, ""},
		{"two lengths", "{}", []probetest.Step{get(), probetest.Send(okHead + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc")}, probe.ReasonProtocol, "Content-Length"},
		{"negative length", "{}", []probetest.Step{get(), probetest.Send(okHead + "Content-Length: -2\r\n\r\nabc")}, probe.ReasonProtocol, "Content-Length"},
		{"bad chunk", "{}", []probetest.Step{get(), probetest.Send(okHead + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n")}, probe.ReasonProtocol, "invalid byte in chunk length"},
		{"unfinished chunks", "{}", []probetest.Step{get(), probetest.Send(okHead + "Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n")}, probe.ReasonProtocol, "unexpected EOF after 4 bytes"},
		{"huge body for a regexp", "fail_if_body_matches_regexp: [never]\nbody_size_limit: 32MB",
			[]probetest.Step{get(), probetest.Send(okHead + "\r\n"), probetest.Endless("a")}, probe.ReasonResponse,
			"it is longer than 16MiB, want less to match it"},
		{"switching protocols", "{}", []probetest.Step{get(), probetest.Send("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")}, probe.ReasonResponse, "status 101"},
		{"HTTP/2 preface", "{}", []probetest.Step{get(), probetest.Send("\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\r\n")}, probe.ReasonProtocol, "malformed HTTP"},
	} {
		leakFree(t, situation(test.name), func(t *testing.T) {
			s := probetest.Serve(t, test.script...)
			res := runProbe(t, t.Context(), httpModule(t, test.keys, Options{}), "http://"+s.Addr, long)
			if res.Reason != test.reason || !strings.Contains(res.Err, test.want) {
				t.Errorf("got %s: %s\nwant %s: %s", res.Reason, res.Err, test.reason, test.want)
			}
			if len(res.Err) > 700 {
				t.Errorf("the error has %d bytes, want a short one", len(res.Err))
			}
		})
	}
}

func TestHTTPStallsEndAtTheDeadline(t *testing.T) {
	for name, script := range map[situation][]probetest.Step{
		"no answer":              {get(), probetest.Silence()},
		"half a status":          {get(), probetest.Send("HTTP/1.1 2"), probetest.Silence()},
		"half a header":          {get(), probetest.Send(okHead + "X-A"), probetest.Silence()},
		"half a chunk":           {get(), probetest.Send(okHead + "Transfer-Encoding: chunked\r\n\r\nff\r\nabc"), probetest.Silence()},
		"endless body":           {get(), probetest.Send(okHead + "\r\n"), probetest.Endless("a")},
		"half a compressed body": {get(), probetest.Send(okHead + "\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x4b"), probetest.Silence()},
		"half a gzip header":     {get(), probetest.Send(okHead + "\r\n\x1f\x8b"), probetest.Silence()},
		"only informational":     {get(), probetest.Send("HTTP/1.1 100 Continue\r\n\r\n"), probetest.Silence()},
	} {
		leakFree(t, name, func(t *testing.T) {
			keys := "{}"
			if strings.Contains(string(name), "compressed") || strings.Contains(string(name), "gzip") {
				keys = "compression: gzip"
			}
			s := probetest.Serve(t, script...)
			res := runProbe(t, t.Context(), httpModule(t, keys, Options{}), "http://"+s.Addr, short)
			if res.Reason != probe.ReasonTimeout || !strings.Contains(res.Err, "in time") {
				t.Errorf("got %s: %s, want a timeout", res.Reason, res.Err)
			}
		})
	}
	leakFree(t, "TLS handshake", func(t *testing.T) {
		s := probetest.Serve(t, probetest.Silence())
		res := wantLate(t, httpModule(t, "{}", Options{}), "https://"+s.Addr, fmt.Sprintf("fetching %q: no TLS handshake in time, want a response", "https://"+s.Addr))
		wantSeries(t, res, map[string]string{"http_duration_seconds{connect}": "0", "http_duration_seconds{tls}": "0"})
	})
	leakFree(t, "resolver", func(t *testing.T) {
		res := runProbe(t, t.Context(), httpModule(t, "{}", Options{Resolver: hungResolver{}}), "http://a.example", short)
		if res.Reason != probe.ReasonTimeout {
			t.Errorf("got %s: %s, want a timeout", res.Reason, res.Err)
		}
	})
}

// TestHTTPServerSpeaksFirst meets servers that do not wait for the request; net/http must not find that before we have spoken, since it
// would write what they say to the standard logger.
func TestHTTPServerSpeaksFirst(t *testing.T) {
	var said bytes.Buffer
	log.SetOutput(&said)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	secured := probetest.TLS(probetest.Config(probetest.NewCA(t).Good()))
	m := httpModule(t, "tls_config: {insecure_skip_verify: true}", Options{})
	for range 20 {
		s := probetest.Serve(t, probetest.Send("220 mail.example\r\n"), probetest.Silence())
		wantOutcome(t, fetch(t, m, "http://"+s.Addr), probe.ReasonProtocol,
			`fetching "http://`+s.Addr+`": malformed HTTP status code "mail.example", want a response`, "")
		s.Close()
		s = probetest.Serve(t, secured, probetest.Send("220 mail.example\r\n"), probetest.Silence())
		if res := fetch(t, m, "https://"+s.Addr); res.Reason != probe.ReasonProtocol {
			t.Errorf("over TLS: %s: %s", res.Reason, res.Err)
		}
		s.Close()
	}
	if said.Len() > 0 {
		t.Errorf("the standard logger was given %q, want nothing", said.String())
	}
}

// TestHTTPBombs unpacks far more than memory should hold.
func TestHTTPBombs(t *testing.T) {
	const unpacked = 64 << 20
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	block := make([]byte, 1<<20)
	for range unpacked / len(block) {
		w.Write(block)
	}
	w.Close()
	s := web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) { w.Write(bomb.Bytes()) }})
	for keys, size := range map[string]string{
		"compression: gzip":                                   "6.7108864e+07",
		"compression: gzip\nbody_size_limit: 1MB":             "1.048576e+06",
		"compression: gzip\nfail_if_body_matches_regexp: [b]": "6.7108864e+07",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		res := runProbe(t, t.Context(), httpModule(t, keys, Options{}), s.URL, 5*long)
		runtime.ReadMemStats(&after)
		wantSeries(t, res, map[string]string{"http_uncompressed_body_length": size})
		if used := after.TotalAlloc - before.TotalAlloc; used > 192<<20 {
			t.Errorf("%s: %d bytes were allocated, want at most 192 MiB", keys, used)
		}
	}
}

// TestHTTPBodyBudget passes the bound of a body without making one of that size.
func TestHTTPBodyBudget(t *testing.T) {
	body, err := newHTTPBody(strings.NewReader("abc"), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	body.size = httpBodyBytes - 2
	n, err := io.Copy(io.Discard, body)
	if n != 2 || err == nil || err.Error() != "reading the body: it is longer than 4GiB, want less" {
		t.Errorf("read %d bytes: %v", n, err)
	}
	if got := probe.ReasonOf(err); got != probe.ReasonResponse {
		t.Errorf("reason %s, want response", got)
	}
}
