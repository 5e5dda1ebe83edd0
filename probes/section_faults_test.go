// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !notcp

package probes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRefusedValueIsNamed: a value that its type refuses is told by its own line and its keys, wherever in the section it stands.
func TestRefusedValueIsNamed(t *testing.T) {
	const http, tcp = "modules:\n  m:\n    prober: http\n    http:\n", "modules:\n  m:\n    prober: tcp\n    tcp:\n"
	for _, test := range []struct{ text, want string }{
		{http + "      method: GET\n      body_size_limit: 100", `module "m": http: line 6: body_size_limit: size "100": not understood, want a number with a unit such as 512KB, 64MB or 1GiB`},
		{http + "      method: GET\n      proxy_url: 'http://[::1'", `module "m": http: line 6: proxy_url: parse "http://[::1": missing ']' in host`},
		{http + "      method: GET\n      fail_if_header_matches:\n        - {header: A, regexp: a}\n        - header: B\n          regexp: '('", "module \"m\": http: line 9: fail_if_header_matches: entry 2: regexp: regular expression \"(\": error parsing regexp: missing closing ): `(`"},
		{http + "      {valid_status_codes: 200, fail_if_ssl: 5, foo: 1}", `module "m": http: line 5: valid_status_codes: found the number 200, want a list; line 5: fail_if_ssl: found the number 5, want a bool; line 5: unknown field "foo"`},
		{http + "      [1]", `module "m": http: line 5: found the list, want a mapping`},
		{http + "      tls_config:\n        server_name: a\n        insecure_skip_verify: 5", `module "m": http: line 7: tls_config: insecure_skip_verify: found the number 5, want a bool`},
		{http + "      http_headers: {X-A: {values: {a: b}}}", `module "m": http: line 5: http_headers: X-A: values: found the mapping, want a list`},
		{http + "      headers: &h {A: b}\n      proxy_connect_header: *h", `module "m": http: line 5: proxy_connect_header: found the string, want a list`},
		{http + "      method: GET\n      headers: &h\n        A: *h", `module "m": http: line 6: headers: A: found the mapping, want a string`},
		{tcp + "      tls: false\n      query_response:\n        - expect: a\n          labels: 5", `module "m": tcp: line 8: query_response: entry 1: labels: found the number 5, want a list`},
		{"modules:\n  b: {prober: tcp, tcp: &t {tls: true, query_response: []}}\n  m:\n    prober: tcp\n    tcp:\n      <<: *t\n      tls: 5", `module "m": tcp: line 7: tls: found the number 5, want a bool`},
	} {
		_, err := buildModules(t, Options{}, test.text)
		if err == nil {
			t.Errorf("%s\nloads, want %s", test.text, test.want)
			continue
		}
		if diff := cmp.Diff(test.want, err.Error()); diff != "" {
			t.Errorf("%s\nmessage differs (-want +got):\n%s", test.text, diff)
		}
	}
}
