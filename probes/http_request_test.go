// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// echoHeader answers with the values of a request header, or with 401 when there is none.
func echoHeader(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		values := r.Header.Values(name)
		if len(values) == 0 {
			w.WriteHeader(http.StatusUnauthorized)
		}
		io.WriteString(w, strings.Join(values, "|"))
	}
}

func TestHTTPWhoWeAre(t *testing.T) { // 23
	basic := "Basic dTpw" // u:p
	file := func(text string) string { return probetest.WriteFile(t, "secret", []byte(" "+text+"\n")) }
	s := web(t, map[string]http.HandlerFunc{"/": echoHeader("Authorization")})
	withUser := strings.Replace(s.URL, "://", "://u:p@", 1)
	for _, test := range []struct{ keys, target, want string }{
		{"basic_auth: {username: u, password: p}", s.URL, basic},
		{fmt.Sprintf("basic_auth: {username_file: %s, password_file: %s}", file("u"), file("p")), s.URL, basic},
		{"basic_auth: {username: u}", s.URL, "Basic dTo="},
		{"basic_auth: {username: module, password: module}", withUser, basic},
		{"authorization: {type: Token, credentials: module}", withUser, basic},
		{"headers: {Authorization: mine}\nbasic_auth: {username: u}", withUser, "mine"},
		{"authorization: {credentials: t}", s.URL, "Bearer t"},
		{"authorization: {type: ' Token ', credentials_file: " + file("t") + "}", s.URL, "Token t"},
		{"bearer_token: t", s.URL, "Bearer t"},
		{"bearer_token_file: " + file("t"), s.URL, "Bearer t"},
		{"{}", strings.Replace(s.URL, "://", "://u%40h:p%3Aw@", 1), "Basic dUBoOnA6dw=="},
	} {
		// The answer is in the error of a body rule; it is masked there, so the rule compares it.
		keys := fmt.Sprintf("%s\nfail_if_body_not_matches_regexp: ['^%s$']", test.keys, test.want)
		if test.keys == "{}" {
			keys = keys[3:]
		}
		wantOutcome(t, fetch(t, httpModule(t, keys, Options{}), test.target), probe.ReasonNone, "", "")
	}
}

func TestHTTPRefusedCredentials(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }})
	for keys, reason := range map[string]probe.Reason{
		"{}": probe.ReasonResponse,
		"basic_auth: {username: u, password: wrong}":            probe.ReasonAuth,
		"http_headers: {X-Key: {secrets: [wrong]}}":             probe.ReasonAuth,
		"http_headers: {X-Plain: {values: [v]}}":                probe.ReasonResponse,
		"headers: {Authorization: Bearer wrong}":                probe.ReasonAuth,
		"valid_status_codes: [401]\nbasic_auth: {username: u}":  probe.ReasonNone,
		"valid_status_codes: [403]\nbearer_token: wrong":        probe.ReasonAuth,
		"follow_redirects: false\nauthorization: {type: Wrong}": probe.ReasonAuth,
	} {
		if res := fetch(t, httpModule(t, keys, Options{}), s.URL); res.Reason != reason {
			t.Errorf("%s: reason %q (%s), want %q", keys, res.Reason, res.Err, reason)
		}
	}
	res := fetch(t, httpModule(t, "{}", Options{}), strings.Replace(s.URL, "://", "://u:p@", 1))
	wantOutcome(t, res, probe.ReasonAuth, `fetching "%s": status 401, want 200 to 299`, s.URL)
}

func TestHTTPHeaders(t *testing.T) { // 21
	var got http.Header
	var host string
	s := web(t, map[string]http.HandlerFunc{"/": func(_ http.ResponseWriter, r *http.Request) { got, host = r.Header, r.Host }})
	file := probetest.WriteFile(t, "value", []byte("d\n"))
	keys := "headers: {X-Once: one, host: v.example}\nhttp_headers: {X-Many: {files: [" + file + "], secrets: [c], values: [a, b]}}"
	wantOutcome(t, fetch(t, httpModule(t, keys, Options{UserAgent: "skywatch/9"}), s.URL), probe.ReasonNone, "", "")
	want := http.Header{"User-Agent": {"skywatch/9"}, "Connection": {"close"}, "X-Once": {"one"}, "X-Many": {"a", "b", "c", "d"}}
	if diff := cmp.Diff(want, got); diff != "" || host != "v.example" {
		t.Errorf("host %s, headers differ (-want +got):\n%s", host, diff)
	}
	fetch(t, httpModule(t, "headers: {user-agent: mine, accept-encoding: br}", Options{}), s.URL)
	want = http.Header{"User-Agent": {"mine"}, "Connection": {"close"}, "Accept-Encoding": {"br"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers differ (-want +got):\n%s", diff)
	}
}

func TestHTTPHostnameParameter(t *testing.T) {
	ca := probetest.NewCA(t)
	var host, sni string
	s := secureWeb(t, ca, map[string]http.HandlerFunc{"/": func(_ http.ResponseWriter, r *http.Request) { host, sni = r.Host, r.TLS.ServerName }})
	s.TLS.Certificates = append(s.TLS.Certificates[:0], ca.For("foo.example"))
	target := probe.NewTarget(s.URL)
	target.Hostname = "foo.example"
	trust := "tls_config: {ca_file: " + ca.File() + "}"
	wantOutcome(t, fetchWithin(t, httpModule(t, trust, Options{}), target, long), probe.ReasonNone, "", "")
	if host != "foo.example" || sni != "foo.example" {
		t.Errorf("host %q and SNI %q, want foo.example", host, sni)
	}
	target.Hostname = "foo.example:443"
	wantOutcome(t, fetchWithin(t, httpModule(t, trust, Options{}), target, long), probe.ReasonNone, "", "")
	if host != "foo.example:443" || sni != "foo.example" {
		t.Errorf("host %q and SNI %q, want foo.example:443 and foo.example", host, sni)
	}
	res := fetchWithin(t, httpModule(t, "headers: {Host: bar.example}", Options{}), target, long)
	wantOutcome(t, res, probe.ReasonConfig, `fetching "%s": host header defined both in module configuration (bar.example) and with `+
		`URL-parameter 'hostname' (foo.example:443), want one of them`, s.URL)
}

func TestHTTPBodySent(t *testing.T) { // 22
	var got string
	s := web(t, map[string]http.HandlerFunc{"/": func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprintf("%s %d %v %s", r.Method, r.ContentLength, r.TransferEncoding, body)
	}})
	file := probetest.WriteFile(t, "body", []byte("hello"))
	for keys, want := range map[string]string{
		"method: POST\nbody: hello":          "POST 5 [] hello",
		"method: POST\nbody_file: " + file:   "POST 5 [] hello",
		"body: hello":                        "GET 5 [] hello",
		"method: PURGE":                      "PURGE 0 [] ",
		"method: POST":                       "POST 0 [] ",
		"method: OPTIONS\nbody: '{\"a\":1}'": `OPTIONS 7 [] {"a":1}`,
	} {
		wantOutcome(t, fetch(t, httpModule(t, keys, Options{}), s.URL), probe.ReasonNone, "", "")
		if got != want {
			t.Errorf("%s: the server got %q, want %q", keys, got, want)
		}
	}
}

func TestHTTPTargets(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.String()) }})
	plain := strings.TrimPrefix(s.URL, "http://")
	for target, path := range map[string]string{
		plain:                          "/",
		plain + "/x#fragment":          "/x",
		"HTTP://" + plain + "/a%2Fb":   "/a%2Fb",
		s.URL + "/?a=b+c&d=%2B":        "/?a=b+c&d=%2B",
		named(t, s.URL, "a.example"):   "/",
		"user@" + plain + "/with-user": "/with-user",
	} {
		keys := fmt.Sprintf("fail_if_body_not_matches_regexp: ['^%s$']", strings.NewReplacer("?", `\?`, "+", `\+`).Replace(path))
		if res := fetch(t, httpModule(t, keys, Options{}), target); !res.Success() {
			t.Errorf("%s: %s", target, res.Err)
		}
	}
	for target, want := range map[string]string{
		"http://127.0.0.1:99999/":       `fetching "http://127.0.0.1:99999/": connecting to "127.0.0.1:99999": port "99999", want a number from 1 to 65535`,
		"http://u:hunter2@[::1":         `fetching "http://[::1": missing ']' in host, want a URL`,
		"http://u:hunter2@127.0.0.1:x/": `fetching "http://127.0.0.1:x/": invalid port ":x" after host, want a URL`,
		"http:///path":                  `fetching "http:///path": no host, want a URL with one`,
		"http://\x01":                   `fetching "http://\x01": invalid control character in URL, want a URL`,
	} {
		wantOutcome(t, fetch(t, httpModule(t, "{}", Options{}), target), probe.ReasonConfig, want, "")
	}
	res := fetch(t, httpModule(t, "{}", Options{}), "ftp://nosuch.invalid/")
	wantOutcome(t, res, probe.ReasonResolve, `fetching "http://ftp://nosuch.invalid/": resolving "ftp": no such host, want an address`, "")
}
