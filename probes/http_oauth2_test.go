// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// tokenServer hands out the token t0ken-abc to the client c with the secret s, and protects "/".
func tokenServer(t *testing.T) *httptest.Server {
	return web(t, map[string]http.HandlerFunc{
		"/": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer t0ken-abc" {
				w.WriteHeader(http.StatusUnauthorized)
			}
		},
		"/token": func(w http.ResponseWriter, r *http.Request) {
			id, secret, ok := r.BasicAuth()
			if !ok || id != "c" || secret != "s3cret" {
				w.WriteHeader(http.StatusUnauthorized)
				io.WriteString(w, `{"error":"invalid_client"}`)
				return
			}
			if r.FormValue("scope") != "a b" || r.FormValue("audience") != "x" || r.UserAgent() != "skywatch" {
				t.Errorf("asked with %v by %s", r.Form, r.UserAgent())
			}
			giveToken(w)
		},
		"/garbage": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "no token here") },
		"/down":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); io.WriteString(w, "later") },
		"/slow":    func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() },
	})
}

func giveToken(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"access_token":"t0ken-abc","token_type":"bearer","expires_in":60}`)
}

func TestHTTPOAuth2(t *testing.T) {
	s := tokenServer(t)
	keys := func(path, secret string) string {
		return fmt.Sprintf("oauth2: {client_id: c, %s, token_url: '%s%s', scopes: [a, b], endpoint_params: {audience: x}}", secret, s.URL, path)
	}
	file := probetest.WriteFile(t, "secret", []byte("s3cret\n"))
	for _, secret := range []string{"client_secret: s3cret", "client_secret_file: " + file} {
		res := fetch(t, httpModule(t, keys("/token", secret), Options{}), s.URL)
		wantOutcome(t, res, probe.ReasonNone, "", "")
		if trace := res.Trace.String(); strings.Contains(trace, "t0ken-abc") || strings.Contains(trace, "s3cret") {
			t.Errorf("a secret got out:\n%s", trace)
		}
	}
	for _, test := range []struct {
		path, secret string
		reason       probe.Reason
		want         string
	}{
		{"/token", "client_secret: wrong", probe.ReasonAuth,
			`fetching "%s": asking "%s/token" for a token: status 401 and body "{\"error\":\"invalid_client\"}", want a token`},
		{"/down", "client_secret: s3cret", probe.ReasonResponse, `fetching "%s": asking "%s/down" for a token: status 503 and body "later", want a token`},
		{"/down?key=s3cret", "client_secret: other", probe.ReasonResponse, `fetching "%s": asking "%s/down" for a token: status 503 and body "later", want a token`},
		{"/token", "client_secret_file: /nonexistent", probe.ReasonConfig,
			`fetching "%s": reading oauth2: client_secret_file: stat /nonexistent: no such file or directory, want a readable file`},
	} {
		res := fetch(t, httpModule(t, keys(test.path, test.secret), Options{}), s.URL)
		wantOutcome(t, res, test.reason, test.want, s.URL)
		wantSeries(t, res, map[string]string{"http_duration_seconds{connect}": "0", "http_duration_seconds{resolve}": "T", "http_status_code": "0"})
	}
	res := fetch(t, httpModule(t, keys("/garbage", "client_secret: s3cret"), Options{}), s.URL)
	if res.Reason != probe.ReasonProtocol {
		t.Errorf("garbage gives %s: %s", res.Reason, res.Err)
	}
	wantLate(t, httpModule(t, keys("/slow", "client_secret: s3cret"), Options{}), s.URL,
		fmt.Sprintf("fetching %q: asking %q for a token: no answer in time, want a token", s.URL, s.URL+"/slow"))
	refused := probetest.RefusedAddr(t)
	res = fetch(t, httpModule(t, "oauth2: {client_id: c, token_url: 'http://"+refused+"/'}", Options{}), s.URL)
	if res.Reason != probe.ReasonConnect {
		t.Errorf("a refused token server gives %s: %s", res.Reason, res.Err)
	}
}

func TestHTTPOAuth2JWT(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	var head, claims map[string]any
	s := web(t, map[string]http.HandlerFunc{
		"/": echoHeader("Authorization"),
		"/token": func(w http.ResponseWriter, r *http.Request) {
			parts := strings.Split(r.FormValue("assertion"), ".")
			for i, to := range []*map[string]any{&head, &claims} {
				part, err := base64.RawURLEncoding.DecodeString(parts[i])
				if err == nil {
					err = json.Unmarshal(part, to)
				}
				if err != nil {
					t.Error(err)
				}
			}
			giveToken(w)
		},
	})
	keys := fmt.Sprintf("oauth2: {client_id: c, token_url: %s/token, grant_type: '%s', client_certificate_key_file: %s, client_certificate_key_id: k1, "+
		"signature_algorithm: RS384, audience: aud, claims: {role: watcher}}", s.URL, jwtBearer, probetest.WriteFile(t, "key", text))
	wantOutcome(t, fetch(t, httpModule(t, keys, Options{}), s.URL), probe.ReasonNone, "", "")
	if head["alg"] != "RS384" || head["kid"] != "k1" || claims["iss"] != "c" || claims["aud"] != "aud" || claims["role"] != "watcher" {
		t.Errorf("asked with %v, %v", head, claims)
	}
	keys = fmt.Sprintf("oauth2: {client_id: c, token_url: %s/token, grant_type: '%s', client_certificate_key: none}", s.URL, jwtBearer)
	if res := fetch(t, httpModule(t, keys, Options{}), s.URL); res.Reason != probe.ReasonConfig {
		t.Errorf("a bad key gives %s: %s", res.Reason, res.Err)
	}
}
