// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// TestHTTPPresence holds the rules of what is there when: which phases are, which of them are not zero, and whether there is an address.
func TestHTTPPresence(t *testing.T) {
	ca := probetest.NewCA(t)
	plain := web(t, map[string]http.HandlerFunc{"/": okBody, "/gone": redirectTo("http://" + probetest.RefusedAddr(t))})
	secure := secureWeb(t, ca, map[string]http.HandlerFunc{"/": okBody})
	closing := func() string { return probetest.Serve(t, get()).Addr }
	secretive := probetest.Serve(t, probetest.TLS(probetest.Config(ca.Good())), get())
	const none, zero, set = "absent", "0", "T"
	for _, test := range []struct {
		name, keys, target string
		resolve            string
		phases             [4]string // connect, tls, processing, transfer
		ip                 string
	}{
		{"bad URL", "{}", "http://[::1", none, [4]string{none, none, none, none}, none},
		{"unknown name", "{}", "nosuch.invalid", set, [4]string{none, none, none, none}, "0"},
		{"no CA file", "tls_config: {ca_file: /nonexistent}", plain.URL, set, [4]string{none, none, none, none}, "4"},
		{"no body file", "body_file: /nonexistent", plain.URL, set, [4]string{none, none, none, none}, "4"},
		{"bad method", "method: 'A B'", plain.URL, set, [4]string{none, none, none, none}, "4"},
		{"no secret file", "basic_auth: {password_file: /nonexistent}", plain.URL, set, [4]string{zero, zero, zero, zero}, "4"},
		{"no header file", "http_headers: {X-A: {files: [/nonexistent]}}", plain.URL, set, [4]string{zero, zero, zero, zero}, "4"},
		{"bad header", "headers: {'X A': v}", plain.URL, set, [4]string{zero, zero, zero, zero}, "4"},
		{"refused", "{}", probetest.RefusedAddr(t), set, [4]string{zero, zero, zero, zero}, "4"},
		{"unverified", "{}", secure.URL, set, [4]string{zero, zero, zero, zero}, "4"},
		{"no TLS there", "{}", "https://" + probetest.Serve(t, probetest.Send("HTTP/1.1 400 No\r\n\r\n")).Addr, set, [4]string{zero, zero, zero, zero}, "4"},
		{"no response", "{}", closing(), set, [4]string{set, zero, zero, zero}, "4"},
		{"no response over TLS", "tls_config: {insecure_skip_verify: true}", "https://" + secretive.Addr, set, [4]string{set, set, zero, zero}, "4"},
		{"lost on the way", "{}", plain.URL + "/gone", set, [4]string{set, zero, set, zero}, "4"},
		{"proxy refused", "skip_resolve_phase_with_proxy: true\nproxy_url: http://" + probetest.RefusedAddr(t), "http://x.example", none,
			[4]string{zero, zero, zero, zero}, none},
		{"fine", "{}", plain.URL, set, [4]string{set, zero, set, set}, "4"},
		{"fine over TLS", "tls_config: {ca_file: " + ca.File() + "}", secure.URL, set, [4]string{set, set, set, set}, "4"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := series(fetch(t, httpModule(t, test.keys, Options{}), test.target))
			value := func(key string) string {
				if v, ok := got[key]; ok {
					return v
				}
				return none
			}
			phases := [4]string{}
			for i, phase := range []string{"connect", "tls", "processing", "transfer"} {
				phases[i] = value("http_duration_seconds{" + phase + "}")
			}
			if diff := cmp.Diff(test.phases, phases); diff != "" {
				t.Errorf("phases differ (-want +got):\n%s", diff)
			}
			if resolve := value("http_duration_seconds{resolve}"); resolve != test.resolve {
				t.Errorf("phase resolve is %s, want %s", resolve, test.resolve)
			}
			if ip := value("ip_protocol"); ip != test.ip || (value("dns_lookup_time_seconds") == none) != (ip == none) {
				t.Errorf("ip_protocol is %s, want %s", ip, test.ip)
			}
			for _, d := range httpAlways {
				if value(d.Name[len("probe_"):]) == none {
					t.Errorf("%s is absent", d.Name)
				}
			}
		})
	}
}

// TestHTTPConfigFaults names what is wrong with a module whose files or values cannot be used.
func TestHTTPConfigFaults(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{"/": okBody})
	garbage := probetest.WriteFile(t, "garbage.pem", []byte("not PEM"))
	newline := probetest.WriteFile(t, "token", []byte("a\nb"))
	const enoent = "/nonexistent: no such file or directory"
	for _, test := range []struct{ keys, want string }{
		{"tls_config: {ca_file: /nonexistent}", `opening "/nonexistent": no such file or directory, want a readable file`},
		{"tls_config: {ca_file: " + garbage + "}", fmt.Sprintf("reading the CA %q: no certificate found, want PEM text", garbage)},
		{"body_file: /nonexistent", "making the request: body_file: stat " + enoent + ", want a readable file"},
		{"method: 'A B'", `making the request: net/http: invalid method "A B", want a valid method and URL`},
		{"basic_auth: {password_file: /nonexistent}", "reading basic_auth: password_file: stat " + enoent + ", want a readable file"},
		{"basic_auth: {username_file: /nonexistent}", "reading basic_auth: username_file: stat " + enoent + ", want a readable file"},
		{"bearer_token_file: /nonexistent", "reading authorization: credentials_file: stat " + enoent + ", want a readable file"},
		{"bearer_token_file: " + newline, "making the request: the credentials have a character that HTTP does not allow in a header"},
		{"http_headers: {X-A: {files: [/nonexistent]}}", "reading http_headers: X-A: stat " + enoent + ", want a readable file"},
		{"http_headers: {'X A': v}", `making the request: header "X A" has a name or value that HTTP does not allow`},
		{`headers: {X-A: "a\nb"}`, `making the request: header "X-A" has a name or value that HTTP does not allow`},
	} {
		res := fetch(t, httpModule(t, test.keys, Options{}), s.URL)
		wantOutcome(t, res, probe.ReasonConfig, `fetching "%s": `+test.want, s.URL)
		if res.Verdict != probe.Inconclusive {
			t.Errorf("%s: verdict %s, want inconclusive", test.keys, res.Verdict)
		}
	}
}
