// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !noopenstack

package probes

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// keystoneAt gives the keys of a module whose Keystone is somewhere.
func keystoneAt(url string) string {
	return "openstack: {auth_url: '" + url + "', username: admin, password: s3cret, user_domain_name: Default}"
}

// TestKeystoneHostile: what a hostile Keystone says is bounded, and named as Keystone's doing.
func TestKeystoneHostile(t *testing.T) {
	const created = "HTTP/1.1 201 Created\r\nX-Subject-Token: t0ken-1\r\n"
	budget := "reading from 127.0.0.1:PORT: more than 1048576 bytes received: byte budget spent"
	for _, test := range []struct {
		name   string
		script []probetest.Step
		want   string // part of the error
	}{
		{"garbage", []probetest.Step{probetest.Garbage()}, "malformed HTTP"},
		{"endless header", []probetest.Step{get(), probetest.Send(created), probetest.Endless("X-A: " + strings.Repeat("a", 1000) + "\r\n")}, "exceeded 1048576 bytes"},
		{"endless informational", []probetest.Step{get(), probetest.Endless("HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n")}, "exceeded 1048576 bytes"},
		{"endless body", []probetest.Step{get(), probetest.Send(created + "\r\n"), probetest.Endless(" ")}, budget},
		{"endless refusal", []probetest.Step{get(), probetest.Send("HTTP/1.1 401 No\r\n\r\n"), probetest.Endless("a")}, budget},
		{"huge catalog", []probetest.Step{get(), probetest.Send(created + "\r\n" + `{"token":{"catalog":[0`), probetest.Endless(`,{"endpoints":[{"url":"http://x/"}]}`)}, budget},
		{"deep nesting", []probetest.Step{get(), probetest.Send(created + "Content-Length: 200000\r\n\r\n" + strings.Repeat("[", 200000))}, "exceeded max depth"},
		{"short body", []probetest.Step{get(), probetest.Send(created + "Content-Length: 100\r\n\r\n{")}, "the connection was closed, want a response"},
		{"long token", []probetest.Step{get(), probetest.Send("HTTP/1.1 201 Created\r\nX-Subject-Token: " + strings.Repeat("a", 100000) +
			"\r\nContent-Length: 12\r\n\r\n" + `{"token":{}}`)}, "there is none that a header can carry"},
	} {
		leakFree(t, situation(test.name), func(t *testing.T) {
			s := probetest.Serve(t, test.script...)
			res := runProbe(t, t.Context(), httpModule(t, keystoneAt("http://"+s.Addr), Options{}), "http://"+probetest.RefusedAddr(t), long)
			want := strings.Replace(test.want, "127.0.0.1:PORT", s.Addr, 1)
			if res.Reason != probe.ReasonProtocol || !strings.Contains(res.Err, fmt.Sprintf("authenticating at %q: ", "http://"+s.Addr)) || !strings.Contains(res.Err, want) {
				t.Errorf("got %s: %s\nwant protocol: %s", res.Reason, res.Err, want)
			}
			if len(res.Err) > 700 || len(res.Logins) > 0 {
				t.Errorf("the error has %d bytes and there are %d logins, want a short one and none", len(res.Err), len(res.Logins))
			}
		})
	}
}

// TestKeystoneOutOfReach tells where the way to Keystone ended.
func TestKeystoneOutOfReach(t *testing.T) {
	ca, s := probetest.NewCA(t), web(t, map[string]http.HandlerFunc{"/": okBody})
	refused, silent := probetest.RefusedAddr(t), probetest.Serve(t, get(), probetest.Silence()).Addr
	mute := probetest.Serve(t, probetest.Silence()).Addr
	strange := secureWeb(t, ca, nil)
	plain := probetest.Serve(t, probetest.Send("HTTP/1.1 400 No\r\n\r\n")).Addr
	for _, test := range []struct {
		url    string
		reason probe.Reason
		want   string
	}{
		{"http://" + refused, probe.ReasonConnect, fmt.Sprintf("connecting to %q: connect: connection refused, want a connection", refused)},
		{"http://nosuch.invalid", probe.ReasonResolve, `resolving "nosuch.invalid": no such host, want an address`},
		{"http://" + silent, probe.ReasonTimeout, "no response in time, want a response"},
		{"https://" + mute, probe.ReasonTimeout, "no TLS handshake in time, want a response"},
		{strange.URL, probe.ReasonTLS, "TLS handshake: failed to verify certificate: x509: certificate signed by unknown authority, want a verified connection"},
		{"https://" + plain, probe.ReasonTLS, "TLS handshake: http: server gave HTTP response to HTTPS client, want a verified connection"},
	} {
		leakFree(t, situation(test.url), func(t *testing.T) {
			m, want := httpModule(t, keystoneAt(test.url), Options{}), fmt.Sprintf("fetching %q: authenticating at %q: %s", s.URL, test.url, test.want)
			inTime(t, test.reason, func(t testing.TB, timeout time.Duration) {
				res := runProbe(t, t.Context(), m, s.URL, timeout)
				wantOutcome(t, res, test.reason, want, "")
				wantSeries(t, res, map[string]string{"http_openstack_failure_info{keystone}": "1"})
				if len(res.Logins) > 0 {
					t.Errorf("logins %+v, want none", res.Logins)
				}
			})
		})
	}
}

// TestKeystoneTLS trusts what the module trusts, or what its own tls_config says. The server_name of the module is the target's.
func TestKeystoneTLS(t *testing.T) {
	ours, theirs := probetest.NewCA(t), probetest.NewCA(t)
	k := newKeystone(t)
	secure := secureWeb(t, theirs, map[string]http.HandlerFunc{"/v3/auth/tokens": k.v3})
	service := secureWeb(t, ours, map[string]http.HandlerFunc{"/": okBody})
	same := secureWeb(t, ours, map[string]http.HandlerFunc{"/v3/auth/tokens": k.v3})
	section := func(url, more string) string {
		return strings.TrimSuffix(keystoneAt(url), "}") + more + "}\ntls_config: {ca_file: " + ours.File() + ", server_name: localhost}"
	}
	for _, test := range []struct {
		keys   string
		reason probe.Reason
	}{
		{section(same.URL, ""), probe.ReasonNone},
		{section(secure.URL, ""), probe.ReasonTLS},
		{section(secure.URL, ", tls_config: {ca_file: "+theirs.File()+"}"), probe.ReasonNone},
		{section(secure.URL, ", tls_config: {ca_file: "+theirs.File()+", server_name: other.example}"), probe.ReasonTLS},
		{section(secure.URL, ", tls_config: {insecure_skip_verify: true}"), probe.ReasonNone},
		{section(secure.URL, ", tls_config: {ca_file: /nonexistent}"), probe.ReasonConfig},
	} {
		if res := fetch(t, httpModule(t, test.keys, Options{}), service.URL); res.Reason != test.reason {
			t.Errorf("%s\ngives %s: %s, want %s", test.keys, res.Reason, res.Err, test.reason)
		}
	}
}

// TestKeystoneNeverShowsTheSecret, in whatever form a server gives it or the token back.
func TestKeystoneNeverShowsTheSecret(t *testing.T) {
	const secret, token = `tr0u"b4d<or>&3`, "gAAAAAB-canary-token"
	inJSON, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	texts := append(spellings(secret), string(inJSON))
	keys := func(url string) string {
		return "openstack: {auth_url: '" + url + "', username: admin, password: '" + secret + "', user_domain_name: Default}"
	}
	for _, text := range texts {
		refusing := web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401); io.WriteString(w, text) }})
		wantSecretFree(t, fetch(t, httpModule(t, keys(refusing.URL), Options{}), refusing.URL), strings.Trim(text, `"`))
	}
	cache := new(probe.MemoryStore)
	giving := web(t, map[string]http.HandlerFunc{"/v3/auth/tokens": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Subject-Token", token)
		w.WriteHeader(201)
		fmt.Fprintf(w, `{"token":{"issued_at":%q,"expires_at":%q}}`, time.Now().Format(time.RFC3339), time.Now().Add(time.Hour).Format(time.RFC3339))
	}})
	m := httpModule(t, keys(giving.URL), Options{})
	for _, text := range append(spellings(token), texts...) {
		service := web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Server", text)
			w.WriteHeader(503)
			io.WriteString(w, text)
		}})
		res := remember(t, m, probe.NewTarget(service.URL), cache)
		wantSecretFree(t, res, strings.Trim(text, `"`))
	}
}

// TestKeystoneTokenInAMalformedAnswer: a token is hidden as soon as it is there, whatever else comes with it.
func TestKeystoneTokenInAMalformedAnswer(t *testing.T) {
	const token = "gAAAA<one>&token-of-the-test"
	for version, body := range map[string]string{
		"v3":   `{"token": {"expires_at": "` + token + `"}}`,
		"v2.0": `{"access": {"token": {"id": "` + token + `", "expires": "` + token + `"}}}`,
	} {
		server := web(t, map[string]http.HandlerFunc{"/" + version + "/": func(w http.ResponseWriter, _ *http.Request) {
			if version == "v3" {
				w.Header().Set("X-Subject-Token", token)
				w.WriteHeader(201)
			}
			io.WriteString(w, body)
		}})
		keys := map[string]string{"v3": "user_domain_id: default", "v2.0": "tenant_name: a"}[version]
		keys = fmt.Sprintf("openstack: {auth_url: %q, username: u, password: hunter42, %s}", server.URL+"/"+version, keys)
		res := fetch(t, httpModule(t, keys, Options{}), server.URL)
		if res.Reason != probe.ReasonProtocol || !strings.Contains(res.Err, `<secret>`) {
			t.Errorf("%s: %s: %s, want a failure of the protocol with the token masked", version, res.Reason, res.Err)
		}
		wantSecretFree(t, res, "gAAAA")
	}
}
