// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nodns

package probes

import (
	"net/url"
	"testing"

	"skywatch/internal/probe"
)

// FuzzParams sends any query: it is refused, or sets what is listed and nothing else.
func FuzzParams(f *testing.F) {
	for _, query := range []string{"query_name=a.example", "query_type=MX&valid_rcodes=NXDOMAIN", "query_name=!!binary+AA", "recursion_desired=false", "x=1", "query_name=%ff&debug=true"} {
		f.Add(query)
	}
	modules, err := buildModules(f, Options{}, "modules: {m: {prober: dns, params: [query_name, query_type, recursion_desired, valid_rcodes], dns: {query_name: a, tls_config: {cert: c, key: k}}}}")
	if err != nil {
		f.Fatal(err)
	}
	m := modules.All()["m"]
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		variant, err := m.Vary(values)
		if err != nil {
			return
		}
		d := variant.Prober.(*DNS)
		if d.IPConfig != defaultIPConfig || d.QueryClass != "IN" || d.TransportProtocol != "udp" || d.DNSOverTLS || d.FromRequest || d.TLSConfig.Key != "k" {
			t.Errorf("%q gives %+v, want only listed keys changed", query, d)
		}
		if text, ok := values["query_name"]; ok && d.QueryName != text[0] || !ok && d.QueryName != "a" {
			t.Errorf("%q asks for %q, want what it says", query, d.QueryName)
		}
		if base := m.Prober.(*DNS); base.QueryName != "a" || base.QueryType != "ANY" || !base.RecursionDesired || base.ValidRcodes != nil {
			t.Errorf("%q changed the module to %+v", query, base)
		}
		if _, err := ModuleYAML(variant, ""); err != nil {
			t.Errorf("%q cannot be shown: %v", query, err)
		}
	})
}

// BenchmarkVary is what a request with parameters costs beside its probe.
func BenchmarkVary(b *testing.B) {
	modules, err := buildModules(b, Options{}, "modules: {m: {prober: dns, params: [query_name, query_type], dns: {query_name: a, validate_answer_rrs: {fail_if_not_matches_regexp: ['127']}}}}")
	if err != nil {
		b.Fatal(err)
	}
	m, values := modules.All()["m"], url.Values{"query_name": {"a.example"}, "query_type": {"A"}}
	var variant *probe.Module
	for b.Loop() {
		if variant, err = m.Vary(values); err != nil {
			b.Fatal(err)
		}
	}
	_ = variant
}
