// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

func TestHTTPRedirects(t *testing.T) { // 7, 8, 9, 10
	var requests atomic.Int64
	untrusted := secureWeb(t, probetest.NewCA(t), map[string]http.HandlerFunc{"/": okBody})
	s := web(t, map[string]http.HandlerFunc{
		"/ok": okBody, "/once": redirectTo("/ok"), "/untrusted": redirectTo(untrusted.URL), "/ftp": redirectTo("ftp://127.0.0.1/"),
		"/loop":    func(w http.ResponseWriter, r *http.Request) { requests.Add(1); redirectTo("/loop")(w, r) },
		"/nowhere": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) },
		"/unparsed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://[::1")
			w.WriteHeader(302)
		},
		"/with-body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/ok")
			w.WriteHeader(http.StatusFound)
			io.WriteString(w, "nine byte")
		},
	})
	m := httpModule(t, "{}", Options{})

	res := fetch(t, m, s.URL+"/once")
	wantOutcome(t, res, probe.ReasonNone, "", "")
	wantSeries(t, res, map[string]string{"http_redirects": "1", "http_status_code": "200", "http_uncompressed_body_length": "8"})
	if trace := res.Trace.String(); !strings.Contains(trace, "received redirect status=302 location="+s.URL+"/ok") {
		t.Errorf("the redirect is not in the trace:\n%s", trace)
	}

	res = fetch(t, httpModule(t, "follow_redirects: false\nvalid_status_codes: [302]\nfail_if_body_not_matches_regexp: [nine]", Options{}), s.URL+"/with-body")
	wantOutcome(t, res, probe.ReasonNone, "", "")
	wantSeries(t, res, map[string]string{"http_redirects": "1", "http_content_length": "9", "http_uncompressed_body_length": "9"})

	res = fetch(t, m, s.URL+"/loop")
	wantOutcome(t, res, probe.ReasonResponse, `fetching "%s/loop": status 302 after 10 redirects, want 200 to 299; the body begins `+
		`"<a href=\"/loop\">Found</a>.\n\n"`, s.URL)
	wantSeries(t, res, map[string]string{"http_redirects": "11", "http_status_code": "302"})
	if requests.Load() != 11 {
		t.Errorf("%d requests, want 11", requests.Load())
	}

	res = fetch(t, m, s.URL+"/untrusted")
	wantOutcome(t, res, probe.ReasonTLS, `fetching "%s/untrusted": TLS handshake: failed to verify certificate: x509: certificate signed by unknown authority, `+
		`want a verified connection`, s.URL)
	wantSeries(t, res, map[string]string{"http_redirects": "1", "http_status_code": "0", "http_ssl": "0", "http_duration_seconds{processing}": "T",
		"http_content_length": "0", "tls_version_info{TLS 1.3}": "absent"})

	res = fetch(t, m, s.URL+"/ftp")
	wantOutcome(t, res, probe.ReasonResponse, `fetching "%s/ftp": redirected to "ftp://127.0.0.1/", want http or https`, s.URL)
	res = fetch(t, m, s.URL+"/nowhere")
	wantOutcome(t, res, probe.ReasonResponse, `fetching "%s/nowhere": status 302, want 200 to 299`, s.URL)
	res = fetch(t, m, s.URL+"/unparsed")
	if res.Reason != probe.ReasonProtocol || !strings.Contains(res.Err, "failed to parse Location header") {
		t.Errorf("got %s: %s", res.Reason, res.Err)
	}
}

func TestHTTPRedirectResolvesByTheRules(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{"/ok": okBody})
	s.Config.Handler.(*http.ServeMux).HandleFunc("/", redirectTo(named(t, s.URL, "b.example")+"/ok"))
	res := fetch(t, httpModule(t, "preferred_ip_protocol: ip4\nip_protocol_fallback: false", Options{}), named(t, s.URL, "a.example"))
	wantOutcome(t, res, probe.ReasonNone, "", "")
	s.Config.Handler.(*http.ServeMux).HandleFunc("/gone", redirectTo("http://nosuch.invalid/"))
	res = fetch(t, httpModule(t, "{}", Options{}), s.URL+"/gone")
	wantOutcome(t, res, probe.ReasonResolve, `fetching "%s/gone": resolving "nosuch.invalid": no such host, want an address`, s.URL)
	wantSeries(t, res, map[string]string{"http_redirects": "1", "http_status_code": "0", "ip_protocol": "4"})
}

// hop is what a server saw.
type hop struct{ Host, Authorization, Key, Plain, Referer, Cookie string }

// recording is a server that notes its requests and redirects by the query parameter "to".
func recording(t *testing.T, hops *[]hop) *httptest.Server {
	return web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(r.Host, ":")
		*hops = append(*hops, hop{name, r.Header.Get("Authorization"), r.Header.Get("X-Key"), r.Header.Get("X-Plain"),
			r.Header.Get("Referer"), r.Header.Get("Cookie")})
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: name})
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}
	}})
}

func TestHTTPCredentialsOnRedirects(t *testing.T) {
	const keys = "authorization: {credentials: t0ken}\nhttp_headers: {X-Key: {secrets: [k3y]}, X-Plain: {values: [p]}}\nheaders: {Cookie: mine=1}"
	for _, test := range []struct {
		name, from string
		to         []string
		kept       []bool
	}{
		{"same host", "a.example", []string{"a.example"}, []bool{true, true}},
		{"subdomain", "a.example", []string{"www.a.example"}, []bool{true, true}},
		{"parent domain", "www.a.example", []string{"a.example"}, []bool{true, true}},
		{"another host", "a.example", []string{"b.example"}, []bool{true, false}},
		{"there and back", "a.example", []string{"b.example", "a.example"}, []bool{true, false, false}},
		{"an address", "a.example", []string{"127.0.0.1"}, []bool{true, false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var hops []hop
			s := recording(t, &hops)
			target := ""
			for i := len(test.to) - 1; i >= 0; i-- {
				target = named(t, s.URL, test.to[i]) + "/?to=" + url.QueryEscape(target)
			}
			res := fetch(t, httpModule(t, keys, Options{}), named(t, s.URL, test.from)+"/?to="+url.QueryEscape(target))
			wantOutcome(t, res, probe.ReasonNone, "", "")
			var kept []bool
			for _, h := range hops {
				kept = append(kept, h.Authorization == "Bearer t0ken" && h.Key == "k3y")
				if h.Plain != "p" {
					t.Errorf("%s got X-Plain %q, want p everywhere", h.Host, h.Plain)
				}
				if h.Authorization == "" && (h.Key != "" || strings.Contains(h.Cookie, "mine")) {
					t.Errorf("%s got a part of what is private: %+v", h.Host, h)
				}
			}
			if diff := cmp.Diff(test.kept, kept); diff != "" {
				t.Errorf("who got the credentials differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHTTPRedirectLooksLikeAClient(t *testing.T) {
	var hops []hop
	s := recording(t, &hops)
	first := named(t, s.URL, "a.example") + "/"
	res := fetch(t, httpModule(t, "{}", Options{}), first+"?to=/")
	wantOutcome(t, res, probe.ReasonNone, "", "")
	want := []hop{{Host: "a.example"}, {Host: "a.example", Referer: first + "?to=/", Cookie: "seen=a.example"}}
	if diff := cmp.Diff(want, hops); diff != "" {
		t.Error(diff)
	}
}

func TestHTTPRedirectRepeatsBody(t *testing.T) {
	var got string
	s := web(t, map[string]http.HandlerFunc{
		"/": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/to", http.StatusTemporaryRedirect) },
		"/to": func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = r.Method + " " + string(body)
		},
	})
	file := probetest.WriteFile(t, "body", []byte("hello"))
	for _, keys := range []string{"body: hello", "body_file: " + file} {
		wantOutcome(t, fetch(t, httpModule(t, "method: POST\n"+keys, Options{}), s.URL), probe.ReasonNone, "", "")
		if got != "POST hello" {
			t.Errorf("with %s the redirect got %q, want POST hello", keys, got)
		}
	}
}

func TestSameOwner(t *testing.T) {
	for _, test := range []struct {
		first, next string
		want        bool
	}{
		{"http://h.example/", "https://h.example/", true},
		{"https://h.example/", "http://h.example/", false},
		{"https://h.example/", "https://H.EXAMPLE.:8443/", true},
		{"https://a.co.uk/", "https://b.co.uk/", false},
		{"https://one.github.io/", "https://two.github.io/", false},
		{"https://a.x.co.uk/", "https://b.x.co.uk/", true},
		{"http://10.0.0.1/", "http://20.0.0.1/", false},
		{"http://10.0.0.1/", "http://10.0.0.1:81/", true},
		{"http://localhost/", "http://localhost:81/", true},
		{"http://localhost/", "http://otherhost/", false},
		{"http://bücher.example/", "http://www.xn--bcher-kva.example/", true},
		{"http://h.example/", "http://h.example.evil.test/", false},
		{"http:///", "http:///", false},
	} {
		first, err := url.Parse(test.first)
		if err != nil {
			t.Fatal(err)
		}
		next, err := url.Parse(test.next)
		if err != nil {
			t.Fatal(err)
		}
		if got := sameOwner(first, next); got != test.want {
			t.Errorf("from %s to %s: %v, want %v", test.first, test.next, got, test.want)
		}
	}
}
