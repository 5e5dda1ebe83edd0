// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
)

// TestHTTPInvalid loads every testdata/http/invalid-*.yml; the first line of each is a comment with the wanted message.
func TestHTTPInvalid(t *testing.T) {
	files, err := filepath.Glob("testdata/http/invalid-*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yml"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			comment, _, _ := strings.Cut(string(text), "\n")
			if _, err = buildModules(t, Options{}, string(text)); err == nil {
				t.Fatal("it loads, want an error")
			}
			if diff := cmp.Diff(strings.TrimPrefix(comment, "# "), err.Error()); diff != "" {
				t.Errorf("message differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHTTPValid(t *testing.T) {
	for _, keys := range []string{
		"valid_status_codes: []",
		"method: 'NOT A METHOD'",
		"compression: zstd",
		"body_size_limit: 0",
		"body_size_limit: 10MB",
		"headers: {X-Number: 5}",
		"headers: {Accept-Encoding: 'gzip, br'}\ncompression: gzip",
		"headers: {Accept-Encoding: identity}",
		"tls_config: {ca_file: /nonexistent}",
		"basic_auth: {username: a, password_file: /nonexistent}",
		"http_headers: {X-A: plain, X-B: [one, two], X-C: {values: [v], secrets: [s], files: [f]}}",
		"authorization: {credentials: x}",
		"bearer_token: x",
		"oauth2: {client_id: a, token_url: 'http://t/'}",
		"oauth2: {client_id: a, token_url: 'http://t/', tls_config: {min_version: TLS12}}",
		"proxy_url: 'http://u:p@proxy:3128'\nno_proxy: localhost\nproxy_connect_header: {X-PC: [a]}",
		"proxy_from_environment: true\nskip_resolve_phase_with_proxy: true",
		"enable_http3: false",
		"no_follow_redirects: yes",
	} {
		if _, err := buildHTTP(t, keys, Options{}); err != nil {
			t.Errorf("%s: %v", keys, err)
		}
	}
}

func TestHTTPDefaultsAndDeprecatedKeys(t *testing.T) {
	h := httpModule(t, "{}", Options{}).Prober.(*HTTP)
	if !h.Client.FollowRedirects || !h.Client.EnableHTTP2 || !h.IP.IPProtocolFallback || h.IP.PreferredIPProtocol != "ip6" || h.Method != "GET" {
		t.Errorf("defaults differ: %+v", h)
	}
	h = httpModule(t, "no_follow_redirects: true\nfollow_redirects: true\nbearer_token: s3cret", Options{}).Prober.(*HTTP)
	if h.Client.FollowRedirects || h.NoFollowRedirects != nil {
		t.Errorf("no_follow_redirects does not override follow_redirects")
	}
	if a := h.Client.Authorization; a == nil || a.Type != "Bearer" || string(a.Credentials) != "s3cret" || h.Client.BearerToken != "" {
		t.Errorf("bearer_token became %+v", a)
	}
}

func TestHTTPRedacted(t *testing.T) {
	modules, err := buildModules(t, Options{}, `modules: {m: {prober: http, http: {
		basic_auth: {username: me, password: s3cret1}, http_headers: {X-A: {secrets: [s3cret2]}},
		proxy_url: "http://u:s3cret3@proxy", proxy_connect_header: {X-P: [s3cret4]},
		tls_config: {cert_file: c, key: s3cret5}, fail_if_body_matches_regexp: ["a.b"], body_size_limit: 10MB}}}`)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(modules)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "s3cret") {
		t.Errorf("a secret got out:\n%s", text)
	}
	for _, want := range []string{"password: <secret>", "xxxxx", "username: me", "- a.b", "body_size_limit: 10MiB", "follow_redirects: true"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if secrets := fmt.Sprintf("%q", reveal(modules.All()["m"].Secrets)); strings.Count(secrets, "s3cret") != 5 {
		t.Errorf("the module knows the secrets %s, want all five", secrets)
	}
}

func reveal(secrets []probe.Secret) (all []string) {
	for _, s := range secrets {
		all = append(all, s.Reveal())
	}
	return all
}

func TestHTTPHostname(t *testing.T) { // 19
	h := httpModule(t, "headers: {hOsT: v}", Options{}).Prober.(*HTTP)
	want := "host header defined both in module configuration (v) and with URL-parameter 'hostname' (other)"
	if err := h.CheckHostname("other"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for _, hostname := range []string{"", "v"} {
		if err := h.CheckHostname(hostname); err != nil {
			t.Errorf("hostname %q: %v", hostname, err)
		}
	}
}
