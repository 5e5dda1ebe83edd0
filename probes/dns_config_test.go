// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nodns

package probes

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// prepared runs only that part of a probe which finds the server.
func prepared(t *testing.T, d *DNS, target string) (q *dnsQuery, err error) {
	t.Helper()
	runFunc(t, func(ctx context.Context, r *probe.Recorder) error {
		q, err = d.prepare(ctx, probe.NewTarget(target), r)
		return nil
	})
	return q, err
}

func TestDNSRefusesAtLoad(t *testing.T) {
	const q = "query_name: example.com"
	for section, want := range map[string]string{
		"{}":                                             "query name must be set for DNS module",
		"{query_type: A}":                                "query name must be set for DNS module",
		"{query_name: a..b}":                             `query_name: found "a..b", want a domain name`,
		"{" + q + ", query_type: a}":                     "query type 'a' is not valid, want a type in upper case such as A, AAAA, MX or ANY",
		"{" + q + ", query_type: TYPE1}":                 "query type 'TYPE1' is not valid, want a type in upper case such as A, AAAA, MX or ANY",
		"{" + q + ", query_class: XX}":                   "query class 'XX' is not valid, want a class in upper case such as IN or CH",
		"{" + q + ", tls_config: {key: x}}":              "tls_config: key without cert, want exactly one of cert and cert_file with a client key",
		"{query_name_from_request: true, query_type: a}": "query type 'a' is not valid, want a type in upper case such as A, AAAA, MX or ANY",
		"{" + q + ", https_path: /q}":                    "https_path: transport_protocol is udp, want https",
		"{" + q + ", transport_protocol: https, https_path: dns-query}":     `https_path: found "dns-query", want a path such as /dns-query`,
		"{" + q + ", transport_protocol: https, https_path: 'https://x/y'}": `https_path: found "https://x/y", want a path such as /dns-query`,
		"{" + q + ", transport_protocol: https, https_path: '/a%zz'}":       `https_path: found "/a%zz", want a path such as /dns-query`,
		"{" + q + ", transport_protocol: https, dns_over_tls: true}":        "dns_over_tls: transport_protocol is https, which has TLS of its own, want only one of them",
		"{" + q + ", ip_protocol_fallback: true, preferred_ip_protocol: x}": `preferred_ip_protocol: found "x", want ip4 or ip6`,
	} {
		wantLoadError(t, Options{}, "dns", section, `module "m": line 1: dns: `+want)
	}
	for section, want := range map[string]string{
		"{" + q + "}": "", "": "", "{" + q + ", query_type: null}": "", "{" + q + ", query_type: '', query_class: '', transport_protocol: ''}": "",
	} {
		wantLoadError(t, Options{}, "dns", section, want)
	}
}

// TestDNSLateFaults has what blackbox_exporter notices only in a probe: refused at load, or failing each probe where that is wanted.
func TestDNSLateFaults(t *testing.T) {
	server := probetest.Serve(t, answerTCP(txt("ready"))).Addr
	const q, tcp = "{query_name: example.com, ", "transport_protocol: tcp, "
	for keys, c := range map[string]struct{ err, probe, metrics string }{
		q + "transport_protocol: sctp}": {`transport_protocol: found "sctp", want udp, tcp or https`, "querying TARGET: ",
			strings.TrimPrefix(dnsMetrics, tcpDialMetrics)},
		q + "dns_over_tls: true}": {"dns_over_tls: transport_protocol is udp, want tcp", "querying TARGET: ", dnsMetrics},
		q + tcp + "valid_rcodes: []}": {"valid_rcodes: empty, so that no response is valid, want at least one code, or no such key for NOERROR",
			"judging the response for example.com. IN ANY: ", dnsMetrics},
		q + tcp + "valid_rcodes: [noerror]}": {`valid_rcodes: found "noerror", want codes in upper case such as NOERROR or NXDOMAIN`,
			"judging the response for example.com. IN ANY: ", dnsMetrics},
		q + tcp + "validate_authority_rrs: {fail_if_none_matches_regexp: ['(']}}": {
			"validate_authority_rrs: fail_if_none_matches_regexp: regular expression \"(\": error parsing regexp: missing closing ): `(`",
			"judging the response for example.com. IN ANY: ", dnsMetrics},
	} {
		wantLoadError(t, Options{}, "dns", keys, `module "m": line 1: dns: `+c.err)
		res := askDNS(t, Options{Compat: Exact}, keys, server)
		want := "config: " + strings.ReplaceAll(c.probe, "TARGET", fmt.Sprintf("%q", server)) + c.err
		if got := outcome(res); got != want {
			t.Errorf("%s: %q, want %q", keys, got, want)
		}
		for _, name := range strings.Fields(c.metrics) {
			if !strings.Contains(strings.Join(probetest.Names(res.Samples), " "), name) {
				t.Errorf("%s: %s is absent, want it", keys, name)
			}
		}
		if got := len(probetest.Names(res.Samples)); got != len(strings.Fields(c.metrics)) {
			t.Errorf("%s: %d metrics, want %s", keys, got, c.metrics)
		}
	}
}

func TestRRRules(t *testing.T) {
	a, b := "h.\t60\tIN\tA\t127.0.0.1", "h.\t60\tIN\tA\t127.0.0.2"
	for name, c := range map[string]struct {
		rules   RRRules
		records []string
		want    string
	}{
		"no rules":                    {RRRules{}, nil, ""},
		"matches: none":               {RRRules{FailIfMatches: []string{"9$", "8$"}}, []string{a, b}, ""},
		"matches: one":                {RRRules{FailIfMatches: []string{"9$", "2$"}}, []string{a, b}, `found "h.\t60\tIN\tA\t127.0.0.2", want none that matches "2$"`},
		"matches: no records":         {RRRules{FailIfMatches: []string{"."}}, nil, ""},
		"all match: no records":       {RRRules{FailIfAllMatch: []string{"x"}}, nil, ""},
		"all match: all":              {RRRules{FailIfAllMatch: []string{"127", "IN"}}, []string{a, b}, ""},
		"all match: not all":          {RRRules{FailIfAllMatch: []string{"127", "1$"}}, []string{a, b}, `found "h.\t60\tIN\tA\t127.0.0.2", want all to match "1$"`},
		"not matches: all":            {RRRules{FailIfNotMatches: []string{"127"}}, []string{a, b}, ""},
		"not matches: one of two":     {RRRules{FailIfNotMatches: []string{"1$"}}, []string{a, b}, `found "h.\t60\tIN\tA\t127.0.0.2", want all to match "1$"`},
		"not matches: no records":     {RRRules{FailIfNotMatches: []string{"x"}}, nil, `no records, want one that matches "x"`},
		"none matches: one of four":   {RRRules{FailIfNoneMatches: []string{"x", "2$"}}, []string{a, b}, ""},
		"none matches: none":          {RRRules{FailIfNoneMatches: []string{"x", "y"}}, []string{a, b}, `none of 2 records fits, want one that matches ["x" "y"]`},
		"none matches: no records":    {RRRules{FailIfNoneMatches: []string{"x"}}, nil, `none of 0 records fits, want one that matches ["x"]`},
		"several rules, last decides": {RRRules{FailIfMatches: []string{"x"}, FailIfNoneMatches: []string{"x"}}, []string{a}, `none of 1 records fits, want one that matches ["x"]`},
	} {
		if err := c.rules.compile(); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := c.rules.judge(c.records, probe.Evidence); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestDNSFacts(t *testing.T) {
	res := askDNS(t, Options{}, "{query_name: example.com, query_type: A}", serveUDP(t, records("example.com. 60 IN A 192.0.2.2", "example.com. 7 IN A 192.0.2.1")))
	facts := fmt.Sprint(res.Facts)
	if want := "[{address 127.0.0.1} {rcode NOERROR} {answer A 192.0.2.1, A 192.0.2.2}]"; facts != want {
		t.Errorf("facts %s, want %s", facts, want)
	}
}
