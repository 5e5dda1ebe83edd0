// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nodns

package probes

import (
	"net/url"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"skywatch/internal/probe"
)

// TestDNSNameFromRequest asks for the name of the hostname parameter, where the module wants that.
func TestDNSNameFromRequest(t *testing.T) {
	asked := make(chan string, 1)
	server := serveUDP(t, func(query *dns.Msg) *dns.Msg {
		asked <- query.Question[0].Name
		return new(dns.Msg).SetReply(query)
	})
	for _, c := range []struct{ section, hostname, want string }{
		{"{query_name_from_request: true}", "a.example", "a.example."},
		{"{query_name_from_request: true, query_name: b.example}", "a.example", "a.example."},
		{"{query_name_from_request: true, query_name: b.example}", "", "b.example."},
		{"{query_name: b.example}", "a.example", "b.example."},
	} {
		m := testModule(t, Options{}, "dns", c.section)
		target := probe.NewTarget(server)
		target.Hostname = c.hostname
		res := probe.Run(t.Context(), probe.Check{Module: m, Target: target, Timeout: long}, probe.Env{})
		if got := outcome(res); got != "" {
			t.Fatalf("%s, hostname %q: %s, want success", c.section, c.hostname, got)
		}
		if got := <-asked; got != c.want {
			t.Errorf("%s, hostname %q: asked for %q, want %q", c.section, c.hostname, got, c.want)
		}
	}
}

func TestDNSNoName(t *testing.T) {
	m := testModule(t, Options{}, "dns", "{query_name_from_request: true}")
	const missing = "query name neither in module configuration (query_name) nor in URL-parameter 'hostname', want one of them"
	res := runProbe(t, t.Context(), m, "127.0.0.1", long)
	if got, want := outcome(res), `config: querying "127.0.0.1": `+missing; got != want {
		t.Errorf("outcome %q, want %q", got, want)
	}
	for hostname, want := range map[string]string{
		"":                        missing,
		"a..b":                    `URL-parameter 'hostname': found "a..b", want a domain name`,
		strings.Repeat("a.", 200): `URL-parameter 'hostname': found "` + strings.Repeat("a.", 150) + `"..., want a domain name`,
		"a.example":               "",
	} {
		got := ""
		if err := m.Prober.(*DNS).CheckHostname(hostname); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("hostname %q: %q, want %q", hostname, got, want)
		}
	}
}

// TestDNSParams asks what the parameters say.
func TestDNSParams(t *testing.T) {
	asked := make(chan dns.Question, 1)
	server := serveUDP(t, func(query *dns.Msg) *dns.Msg {
		asked <- query.Question[0]
		return new(dns.Msg).SetRcode(query, dns.RcodeNameError)
	})
	modules, err := buildModules(t, Options{}, "modules: {m: {prober: dns, params: [query_name, query_type, valid_rcodes], dns: {query_name: b.example}}}")
	if err != nil {
		t.Fatal(err)
	}
	m := modules.All()["m"]
	variant, err := m.Vary(url.Values{"query_name": {"a.example"}, "query_type": {"MX"}, "valid_rcodes": {"NXDOMAIN", "REFUSED"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := outcome(runProbe(t, t.Context(), variant, server, long)); got != "" {
		t.Errorf("outcome %q, want success", got)
	}
	if got := <-asked; got.Name != "a.example." || got.Qtype != dns.TypeMX {
		t.Errorf("asked %v, want the question of the request", got)
	}
	if got := outcome(runProbe(t, t.Context(), m, server, long)); got != "response: querying b.example. IN ANY: found NXDOMAIN, want NOERROR" {
		t.Errorf("outcome %q, want the module unchanged", got)
	}
	<-asked
	want := `parameters for module "m": query type 'mx' is not valid, want a type in upper case such as A, AAAA, MX or ANY`
	if _, err := m.Vary(url.Values{"query_type": {"mx"}}); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDNSShownWithHostname(t *testing.T) {
	for section, want := range map[string]bool{"{query_name_from_request: true}": true, "{query_name: b.example}": false} {
		text, err := ModuleYAML(testModule(t, Options{}, "dns", section), "a.example")
		if err != nil || strings.Contains(string(text), "query_name: a.example\n") != want {
			t.Errorf("%s: %v, the name of the request shown: want %v\n%s", section, err, want, text)
		}
	}
}
