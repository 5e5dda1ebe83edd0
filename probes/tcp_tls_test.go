// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// withCA is a tcp section that trusts the authority.
func withCA(ca *probetest.CA, section string) string {
	return `{tls_config: {ca: ` + strconv.Quote(string(ca.PEM)) + `}, ` + section + `}`
}

const tcpTLSMetrics = "probe_dns_lookup_time_seconds probe_expect_info probe_failed_due_to_bytes probe_failed_due_to_regex probe_ip_addr_hash " +
	"probe_ip_protocol probe_ssl_earliest_cert_expiry probe_ssl_last_chain_expiry_timestamp_seconds probe_ssl_last_chain_info probe_tls_version_info"

func TestTCPStartTLS(t *testing.T) {
	ca := probetest.NewCA(t)
	server := probetest.Serve(t,
		probetest.Send("220 mail\r\n"), probetest.Line("EHLO prober\r\n"), probetest.Send("250-hi\r\n250-STARTTLS\r\n250 HELP\r\n"),
		probetest.Line("STARTTLS\r\n"), probetest.Send("220 go\r\n"), probetest.TLS(probetest.Config(ca.Good())),
		probetest.Line("EHLO prober\r\n"), probetest.Send("250 AUTH\r\n"), probetest.Line("QUIT\r\n"))
	m := testModule(t, Options{}, "tcp", withCA(ca, `query_response: [
		{expect: "^220 (.*)", labels: [{name: host, value: "$1"}], send: "EHLO prober\r"}, {expect: "^250-STARTTLS"}, {expect: "^250 ", send: "STARTTLS\r"},
		{expect: "^220"}, {starttls: true}, {send: "EHLO prober\r"}, {expect: "^250 AUTH", send: "QUIT\r"}]`))
	res := runProbe(t, t.Context(), m, strings.Replace(server.Addr, "127.0.0.1", "localhost", 1), long)
	if !res.Success() {
		t.Fatalf("%s\n%s", res.Err, res.Trace)
	}
	if got := strings.Join(probetest.Names(res.Samples), " "); got != tcpTLSMetrics {
		t.Errorf("metrics %s\nwant    %s", got, tcpTLSMetrics)
	}
	server.Close()
	if names := server.ServerNames(); len(names) != 1 || names[0] != "localhost" {
		t.Errorf("asked for %q, want the target's host", names)
	}
}

// TestTCPServerName shows which name is asked for: the module's, else the request's, else the target's, and none for an address.
func TestTCPServerName(t *testing.T) {
	ca := probetest.NewCA(t)
	for _, test := range []struct{ section, hostname, target, want string }{
		{`tls: true`, "", "localhost", "localhost"},
		{`tls: true`, "", "127.0.0.1", ""},
		{`tls: true`, "foo.example.com", "127.0.0.1", "foo.example.com"},
		{`query_response: [{starttls: true}]`, "foo.example.com", "127.0.0.1", "foo.example.com"},
	} {
		server := probetest.Serve(t, probetest.TLS(probetest.Config(ca.For("localhost", "foo.example.com"))))
		target := probe.NewTarget(strings.Replace(server.Addr, "127.0.0.1", test.target, 1))
		target.Hostname = test.hostname
		m := testModule(t, Options{}, "tcp", withCA(ca, test.section))
		res := probe.Run(t.Context(), probe.Check{Module: m, Target: target, Timeout: long}, probe.Env{})
		server.Close()
		if names := server.ServerNames(); len(names) != 1 || names[0] != test.want {
			t.Errorf("%+v: asked for %q", test, names)
		}
		if res.Success() != (test.want != "") { // the certificate has no address
			t.Errorf("%+v: %s %s", test, res.Verdict, res.Err)
		}
	}
}

func TestTCPConfiguredServerNameWins(t *testing.T) {
	ca := probetest.NewCA(t)
	server := probetest.Serve(t, probetest.TLS(probetest.Config(ca.For("mine.example"))))
	target := probe.NewTarget(server.Addr)
	target.Hostname = "other.example"
	m := testModule(t, Options{}, "tcp", `{tls: true, tls_config: {server_name: mine.example, ca: `+strconv.Quote(string(ca.PEM))+`}}`)
	if res := probe.Run(t.Context(), probe.Check{Module: m, Target: target, Timeout: long}, probe.Env{}); !res.Success() {
		t.Error(res.Err)
	}
}

// TestTCPTLSFailures leave out the TLS metrics, and the flags when TLS was to come first.
func TestTCPTLSFailures(t *testing.T) {
	ca := probetest.NewCA(t)
	const dialed = "probe_dns_lookup_time_seconds probe_ip_addr_hash probe_ip_protocol"
	const talking = "probe_dns_lookup_time_seconds probe_failed_due_to_bytes probe_failed_due_to_regex probe_ip_addr_hash probe_ip_protocol"
	for name, test := range map[string]struct {
		section string
		script  []probetest.Step
		reason  probe.Reason
		metrics string
	}{
		"expired":          {`{tls: true}`, []probetest.Step{probetest.TLS(probetest.Config(ca.Expired()))}, probe.ReasonTLS, dialed},
		"expired starttls": {`{query_response: [{starttls: true}]}`, []probetest.Step{probetest.TLS(probetest.Config(ca.Expired()))}, probe.ReasonTLS, talking},
		"not TLS":          {`{tls: true}`, []probetest.Step{probetest.Send("220 plain text\r\n")}, probe.ReasonTLS, dialed},
		"closed":           {`{tls: true}`, nil, probe.ReasonTLS, dialed},
		"no such CA":       {`{tls: true, tls_config: {ca_file: nosuch}}`, nil, probe.ReasonConfig, dialed},
		"early text": {`{query_response: [{expect: "^220 go", starttls: true}]}`, []probetest.Step{probetest.Send("220 go\r\n250 injected\r\n")},
			probe.ReasonProtocol, talking},
	} {
		res := probeTCP(t, test.section, long, test.script...)
		if res.Reason != test.reason || strings.Join(probetest.Names(res.Samples), " ") != test.metrics {
			t.Errorf("%s: %s %s with %v, want %s with %s", name, res.Reason, res.Err, probetest.Names(res.Samples), test.reason, test.metrics)
		}
	}
	patiently(t, func(t testing.TB, timeout time.Duration) {
		res := probeTCP(t, `{tls: true}`, timeout, probetest.Silence())
		if res.Reason != probe.ReasonTimeout {
			t.Errorf("silent: %s %s, want timeout", res.Reason, res.Err)
		}
	})
}

// TestTCPClientGoesAway: reads end with the client, not only at the deadline.
func TestTCPClientGoesAway(t *testing.T) {
	patiently(t, func(t testing.TB, _ time.Duration) {
		ctx, cancel := context.WithCancel(t.Context())
		server := probetest.Serve(t, probetest.Send("hello\n"), probetest.Meanwhile(cancel), probetest.Silence())
		m := testModule(t, Options{}, "tcp", `{query_response: [{expect: never}]}`)
		res := runProbe(t, ctx, m, server.Addr, 10*long)
		if res.Verdict != probe.Aborted {
			t.Errorf("%s, want aborted", res.Verdict)
		}
		wantPrompt(t, res, 5*short)
	})
}

func TestTCPTargets(t *testing.T) {
	m := testModule(t, Options{}, "tcp", `{}`)
	res := runProbe(t, t.Context(), m, "127.0.0.1", long)
	if res.Reason != probe.ReasonConfig || len(res.Samples) != 0 {
		t.Errorf("without port: %s %s with %v, want config and no metrics", res.Reason, res.Err, probetest.Names(res.Samples))
	}
	for target, protocol := range map[string]float64{"127.0.0.1:70000": 4, "127.0.0.1:nosuch": 4, "nosuch.invalid:70000": 0} {
		res := runProbe(t, t.Context(), m, target, long)
		if res.Reason != probe.ReasonConfig || !strings.Contains(fmt.Sprint(res.Err), "unknown port") {
			t.Errorf("%s: %s %v, want config for its port", target, res.Reason, res.Err)
		}
		wantValues(t, res, map[string]float64{"probe_ip_protocol": protocol})
	}
}
