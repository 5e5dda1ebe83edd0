// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nowebsocket

package probes

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

func TestWebSocketTargets(t *testing.T) {
	const noURL = "want a ws or wss URL with a host and without user name"
	for target, want := range map[string]string{
		"http://localhost:1":           `config: reading target "http://localhost:1": ` + noURL,
		"localhost:80":                 `config: reading target "localhost:80": ` + noURL,
		"ws://":                        `config: reading target "ws://": ` + noURL,
		"ws://user:hunter22@localhost": `config: reading target "ws://localhost": ` + noURL,
		"ws://nosuch":                  `resolve: resolving "nosuch": no such host, want an address`,
		"ws://localhost:99999":         `config: reading target "ws://localhost:99999": unknown port "99999", want host:port`,
	} {
		res := probeWebSocket(t, "{}", target)
		if got := outcome(res); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
		if names := strings.Join(probetest.Names(res.Samples), " "); !strings.Contains(names, "probe_ip_protocol") || strings.Contains(res.Trace.String(), "hunter22") {
			t.Errorf("%s: metrics %s, want those of the look-up, and no password", target, names)
		}
	}
	for target, want := range map[string]string{
		"ws://[::1":    `config: reading target "ws://[::1": missing ']' in host, want a ws or wss URL`,
		"127.0.0.1:80": `config: reading target "127.0.0.1:80": first path segment in URL cannot contain colon, want a ws or wss URL`,
	} {
		res := probeWebSocket(t, "{}", target)
		if got := outcome(res); got != want || len(res.Samples) != 0 {
			t.Errorf("%s: %q with %v, want %q without metrics", target, got, res.Samples, want)
		}
	}
}

func TestWebSocketOverTLS(t *testing.T) {
	ca := probetest.NewCA(t)
	server := httptest.NewUnstartedServer(upgradeTo(dialogue40))
	server.TLS = probetest.Config(ca.Good())
	server.StartTLS()
	t.Cleanup(server.Close)
	target := strings.NewReplacer("https", "wss", "127.0.0.1", "localhost").Replace(server.URL)
	section := strings.TrimSuffix(vector40, "}") + ", http_config: {tls_config: {ca_file: " + ca.File() + "}}}"
	res := probeWebSocket(t, section, target)
	if got := outcome(res); got != "" {
		t.Errorf("outcome %q, want success", got)
	}
	if names := strings.Join(probetest.Names(res.Samples), " "); strings.Contains(names, "ssl") || strings.Contains(names, "tls") {
		t.Errorf("metrics %s, want none about TLS", names)
	}
	expired := httptest.NewUnstartedServer(upgradeTo(dialogue40))
	expired.Config.ErrorLog = log.New(io.Discard, "", 0)
	expired.TLS = probetest.Config(ca.Expired())
	expired.StartTLS()
	t.Cleanup(expired.Close)
	res = probeWebSocket(t, section, strings.Replace(expired.URL, "https", "wss", 1))
	if res.Reason != probe.ReasonTLS || phases(res, "probe_websocket_duration_seconds") != "resolve connect processing" {
		t.Errorf("%s, phases %s, want tls and no transfer", outcome(res), phases(res, "probe_websocket_duration_seconds"))
	}
	missing := probeWebSocket(t, "{http_config: {tls_config: {ca_file: /nonexistent}}}", target)
	if got, want := outcome(missing), `config: opening "/nonexistent": no such file or directory, want a readable file`; got != want {
		t.Errorf("outcome %q, want %q", got, want)
	}
	if _, ok := probetest.Value(missing.Samples, "probe_ip_protocol"); ok {
		t.Error("ip_protocol with a broken tls_config, want none")
	}
}

func TestWebSocketHeaders(t *testing.T) {
	secret := probetest.WriteFile(t, "secret", []byte(" s3cr3t-of-file\n"))
	requests := make(chan *http.Request, 1)
	target := strings.Replace(serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		upgradeTo(func(c *websocket.Conn) { c.ReadMessage() })(w, r)
	}), "http", "ws", 1)
	for section, want := range map[string]http.Header{
		"{}": {"User-Agent": {"skywatch/1"}, "Authorization": nil},
		"{headers: {x-a: [b, c], X-B: {values: [d], secrets: [e], files: [" + secret + "]}, user-agent: me, Origin: http://o}}": {
			"X-A": {"b", "c"}, "X-B": {"d", "e", "s3cr3t-of-file"}, "User-Agent": {"me"}, "Origin": {"http://o"}},
		"{http_config: {basic_auth: {username: u, password: pw1}}, headers: {Authorization: two}}": {"Authorization": {"Basic dTpwdzE=", "two"}},
		"{http_config: {authorization: {credentials_file: " + secret + "}}}":                       {"Authorization": {"Bearer s3cr3t-of-file"}},
		"{http_config: {bearer_token: tok}}":                                                       {"Authorization": {"Bearer tok"}},
		"{http_config: {basic_auth: {username: u, password_file: " + secret + "}}}":                {"Authorization": {"Basic dTpzM2NyM3Qtb2YtZmlsZQ=="}},
		"{http_config: {http_headers: {X-C: {values: [no]}}, proxy_url: 'http://127.0.0.1:1'}}":    {"X-C": nil},
	} {
		if got := outcome(probeWebSocket(t, section, target)); got != "" {
			t.Fatalf("%s: %q, want success", section, got)
		}
		got := (<-requests).Header
		for name, values := range want {
			if strings.Join(got[name], "|") != strings.Join(values, "|") {
				t.Errorf("%s: %s is %q, want %q", section, name, got[name], values)
			}
		}
	}
	if got := outcome(probeWebSocket(t, "{headers: {Host: vhost.example}}", target)); got != "" || (<-requests).Host != "vhost.example" {
		t.Errorf("outcome %q, want success with the Host of the module", got)
	}
}

func TestWebSocketHeadersThatCannotBeSent(t *testing.T) {
	for section, want := range map[string]string{
		"{headers: {Upgrade: x}}":                 `config: upgrading "ws://localhost:1": websocket: duplicate header not allowed: Upgrade, want a request that can be sent`,
		"{headers: {'a b': x}}":                   `config: upgrading "ws://localhost:1": header "a b" has a name or value that HTTP does not allow`,
		`{headers: {a: "x\r\nb"}}`:                `config: upgrading "ws://localhost:1": header "a" has a name or value that HTTP does not allow`,
		"{headers: {a: {files: [/nonexistent]}}}": `config: reading headers: a: stat /nonexistent: no such file or directory, want a readable file`,
		"{http_config: {authorization: {credentials_file: /nonexistent}}}": `config: reading authorization: credentials_file: stat /nonexistent: ` +
			`no such file or directory, want a readable file`,
	} {
		if got := outcome(probeWebSocket(t, section, "ws://localhost:1")); got != want {
			t.Errorf("%s: %q, want %q", section, got, want)
		}
	}
}

func TestWebSocketNotUpgraded(t *testing.T) {
	for name, c := range map[string]struct {
		section, script, err string
		status               float64
	}{
		"credential refused": {"{http_config: {bearer_token: tok}}", "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n",
			`auth: upgrading "URL": status 401 with "", want 101`, 401},
		"credential asked for": {"{}", "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", `response: upgrading "URL": status 401 with "", want 101`, 401},
		"redirect":             {"{}", "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", `response: upgrading "URL": status 302 with "", want 101`, 302},
		"wrong key": {"{}", "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
			`protocol: upgrading "URL": status 101 without the headers of RFC 6455 that accept it, want them`, 101},
		"other protocol": {"{}", "SSH-2.0-x\r\n", `protocol: upgrading "URL": "malformed HTTP response \"SSH-2.0-x\"", want an HTTP response`, 0},
		"endless header": {"{}", "HTTP/1.1 101 Go\r\n" + strings.Repeat("a", 5<<20), `protocol: upgrading "URL": `, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := probetest.Serve(t, func(_ testing.TB, conn *probetest.Conn) error {
				http.ReadRequest(conn.In)
				conn.Write([]byte(c.script)) // the peer may leave in the middle
				return nil
			})
			target := "ws://" + server.Addr + "/"
			res := probeWebSocket(t, c.section, target)
			if got, want := outcome(res), strings.ReplaceAll(c.err, "URL", target); !strings.HasPrefix(got, want) {
				t.Errorf("outcome %q, want %q", got, want)
			}
			if got := value(t, res, "probe_websocket_status_code"); got != c.status || value(t, res, "probe_websocket_connection_upgraded") != 0 {
				t.Errorf("status %v, want %v and no upgrade", got, c.status)
			}
		})
	}
}

func TestWebSocketRefusesAtLoad(t *testing.T) {
	for section, want := range map[string]string{
		"{basic_auth: {username: u}}":                                       `module "m": websocket: line 1: unknown field "basic_auth"`,
		"{http_config: {authorization: {type: Basic}}}":                     `module "m": line 1: websocket: http_config: authorization type cannot be set to "basic", use "basic_auth" instead`,
		"{http_config: {http_headers: {Host: x}}}":                          `module "m": line 1: websocket: http_config: http_headers: setting header "Host" is not allowed`,
		`{query_response: [{expect: a, expect_bytes: b}]}`:                  `module "m": line 1: websocket: query_response: entry 1: both expect and expect_bytes given, want at most one`,
		"{headers: {Host: x, Authorization: y, Connection: {values: [z]}}}": "",
		"{query_response: [{send: a, starttls: true}, {starttls: true}]}":   "",
	} {
		wantLoadError(t, Options{}, "websocket", section, want)
	}
}
