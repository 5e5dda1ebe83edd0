// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !notcp

package probes

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

const shownModules = `
modules:
  web: {prober: http, timeout: 3s, http: {headers: {X-A: b}, basic_auth: {username: u, password: planted}}}
  hosted: {prober: http, http: {headers: {HOST: mine}}}
  line: {prober: tcp, tcp: {tls: true, tls_config: {key: planted, cert: c}}, http: {method: POST, bearer_token: planted}}
  named: {prober: tcp, tcp: {tls: true, tls_config: {server_name: mine}}}
`

func TestModuleYAML(t *testing.T) {
	modules, err := buildModules(t, Options{}, shownModules)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		module, hostname string
		want, never      []string
	}{
		{"web", "", []string{"prober: http\ntimeout: 3s\nhttp:\n  ", "X-A: b\n", "password: <secret>\n"}, []string{"Host"}},
		{"web", "other.example", []string{"  headers:\n    Host: other.example\n    X-A: b\n"}, nil},
		{"hosted", "mine", []string{"  headers:\n    HOST: mine\n"}, []string{"Host: "}},
		{"line", "other.example", []string{"prober: tcp\nhttp:\n  ", "method: POST\n", "tcp:\n  ", "    server_name: other.example\n", "key: <secret>\n"}, nil},
		{"named", "other.example", []string{"    server_name: mine\n"}, []string{"other.example"}},
	} {
		text := yamlOf(t, modules.All()[test.module], test.hostname)
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s with hostname %q lacks %q:\n%s", test.module, test.hostname, want, text)
			}
		}
		for _, never := range append(test.never, "planted") {
			if strings.Contains(text, never) {
				t.Errorf("%s with hostname %q has %q:\n%s", test.module, test.hostname, never, text)
			}
		}
	}
}

// TestModuleYAMLChangesNothing: what is shown is a copy.
func TestModuleYAMLChangesNothing(t *testing.T) {
	modules, err := buildModules(t, Options{}, shownModules)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range modules.All() {
		before := yamlOf(t, m, "")
		yamlOf(t, m, "other.example")
		if diff := cmp.Diff(before, yamlOf(t, m, "")); diff != "" {
			t.Errorf("%s was changed (-was +is):\n%s", name, diff)
		}
	}
}

func yamlOf(t *testing.T, m *probe.Module, hostname string) string {
	t.Helper()
	text, err := ModuleYAML(m, hostname)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
