// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestRenderedModules shows modules as /config does: with their defaults, without secrets, and in a form that loads again.
func TestRenderedModules(t *testing.T) {
	for prober, c := range map[string]struct{ section, want string }{
		"dns": {"{query_name: a.example, tls_config: {cert: x, key: hunter22}}", "preferred_ip_protocol: ip6|ip_protocol_fallback: true|tls_config:|cert: x|key: <secret>|" +
			"insecure_skip_verify: false|query_class: IN|query_name: a.example|query_type: ANY|recursion_desired: true|transport_protocol: udp"},
		"icmp": {"{}", "preferred_ip_protocol: ip6|ip_protocol_fallback: true|ttl: 64"},
		"grpc": {"{metadata: {a: [b]}}", "preferred_ip_protocol: ip6|ip_protocol_fallback: true|metadata:|a:|- b"},
		"unix": {`{query_response: [{expect: "^220 (.*)", send: x}]}`, "query_response:|- expect: ^220 (.*)|send: x|tls: false"},
		"websocket": {"{http_config: {basic_auth: {username: u, password: hunter22}}, headers: {x: {secrets: [hunter23]}, z: v}}",
			"preferred_ip_protocol: ip6|ip_protocol_fallback: true|http_config:|basic_auth:|username: u|password: <secret>|follow_redirects: true|enable_http2: true|" +
				"headers:|x:|secrets:|- <secret>|z:|values:|- v"},
	} {
		if _, ok := registered[prober]; !ok {
			continue // left out of this build
		}
		modules, err := buildModules(t, Options{}, "modules: {m: {prober: "+prober+", "+prober+": "+c.section+"}}")
		if err != nil {
			t.Fatal(err)
		}
		text, err := yaml.Marshal(map[string]any{"modules": *modules})
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		for i := range lines {
			lines[i] = strings.TrimSpace(lines[i])
		}
		want := "modules:|m:|prober: " + prober + "|" + prober + ":|" + c.want
		if got := strings.Join(lines, "|"); got != want {
			t.Errorf("%s: %s, want %s", prober, got, want)
		}
		if _, err := buildModules(t, Options{}, string(text)); err != nil {
			t.Errorf("%s: loading it again: %v", prober, err)
		}
	}
}
