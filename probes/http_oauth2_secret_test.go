// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"skywatch/internal/probetest"
)

// TestPasswordOfTheTokenServer is in its URL, and shows nowhere: not as written, not as the server says it back.
func TestPasswordOfTheTokenServer(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{
		"/": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "no entry for canary/77 alias "+base64.StdEncoding.EncodeToString([]byte("me:canary/77")))
		},
	})
	host := strings.TrimPrefix(s.URL, "http://")
	for _, url := range []string{
		"http://me:canary%2F77@" + host + "/", "http://me:canary%2F77@" + probetest.RefusedAddr(t) + "/", "http://me:canary/77@" + host + "/", "http:/me:canary%2F77@" + host,
	} {
		section := fmt.Sprintf("{oauth2: {client_id: c, client_secret: s3cret, token_url: '%s'}}", url)
		modules, err := buildModules(t, Options{}, "modules: {m: {prober: http, http: "+section+"}}")
		if err != nil {
			t.Fatal(err)
		}
		m := modules.All()["m"]
		res := fetch(t, m, s.URL)
		if res.Success() {
			t.Errorf("%s: success without a token", url)
		}
		config, err := yaml.Marshal(modules)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"canary", base64.StdEncoding.EncodeToString([]byte("me:canary/77"))} {
			wantSecretFree(t, res, secret)
			if shown := string(config) + yamlOf(t, m, ""); strings.Contains(shown, secret) {
				t.Errorf("%q is shown in\n%s", secret, shown)
			}
		}
	}
}

// TestSectionsAreShownWhole though their URLs are changed for it.
func TestSectionsAreShownWhole(t *testing.T) {
	m := httpModule(t, "oauth2: {client_id: c, token_url: 'http://me:canary@h/t?a=b', scopes: [a], proxy_url: 'http://p:1', tls_config: {server_name: n}}", Options{})
	text := yamlOf(t, m, "")
	for _, want := range []string{"  oauth2:\n", "    client_id: c\n", "    token_url: http://h/t?a=b\n", "    scopes:\n", "    proxy_url: http://p:1\n", "      server_name: \"n\"\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if p := m.Prober.(*HTTP); p.Client.OAuth2.TokenURL != "http://me:canary@h/t?a=b" {
		t.Errorf("the URL itself became %s", p.Client.OAuth2.TokenURL)
	}
	if _, err := buildModules(t, Options{}, "modules: {m: {prober: http, http: {oauth2: {client_id: c, token_ulr: x}}}}"); err == nil {
		t.Error("an unknown key was taken")
	}
	if len(m.Secrets) != 1 || m.Secrets[0].Reveal() != "canary" {
		t.Errorf("%d secrets, want the password alone", len(m.Secrets))
	}
}
