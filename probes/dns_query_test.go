// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nodns

package probes

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

func TestDNSVectors(t *testing.T) {
	t.Run("34 NXDOMAIN", func(t *testing.T) {
		server := serveUDP(t, rcode(dns.RcodeNameError))
		res := askDNS(t, Options{}, "{query_name: example.com, query_type: A}", server)
		if got, want := outcome(res), "response: querying example.com. IN A: found NXDOMAIN, want NOERROR"; got != want {
			t.Errorf("outcome %q, want %q", got, want)
		}
		if value(t, res, "probe_dns_query_succeeded") != 1 || value(t, res, "probe_dns_answer_rrs") != 0 {
			t.Errorf("succeeded and answer_rrs differ, want 1 and 0: %v", res.Samples)
		}
		res = askDNS(t, Options{}, "{query_name: example.com, query_type: A, valid_rcodes: [NOERROR, NXDOMAIN]}", server)
		if got := outcome(res); got != "" {
			t.Errorf("outcome %q, want success with NXDOMAIN among the valid codes", got)
		}
	})
	t.Run("35 silent server", func(t *testing.T) {
		m := testModule(t, Options{}, "dns", "{query_name: example.com}")
		server := serveUDP(t, nil)
		res := runProbe(t, t.Context(), m, server, short)
		want := fmt.Sprintf("timeout: querying %q for example.com. IN ANY: no response in time, want one: context deadline exceeded", server)
		if got := outcome(res); got != want {
			t.Errorf("outcome %q, want %q", got, want)
		}
		if got := value(t, res, "probe_dns_duration_seconds", "request"); value(t, res, "probe_dns_query_succeeded") != 0 || got <= value(t, res, "probe_dns_duration_seconds", "resolve") {
			t.Errorf("request phase %v, want the time that was waited, and no success", got)
		}
	})
	t.Run("36 SOA", func(t *testing.T) {
		soa := "example.com. 60 IN SOA ns.example.com. mail.example.com. %d 7200 3600 1209600 60"
		res := askDNS(t, Options{}, "{query_name: example.com, query_type: SOA}", serveUDP(t, records(fmt.Sprintf(soa, 999), fmt.Sprintf(soa, 1000))))
		if got := outcome(res); got != "" || value(t, res, "probe_dns_serial") != 1000 {
			t.Errorf("outcome %q, serial %v, want success and 1000", got, value(t, res, "probe_dns_serial"))
		}
		res = askDNS(t, Options{}, "{query_name: example.com, query_type: SOA}", serveUDP(t, records()))
		if value(t, res, "probe_dns_serial") != 0 {
			t.Errorf("serial %v without a record, want 0", value(t, res, "probe_dns_serial"))
		}
	})
	t.Run("37 fail_if_all_match is inverted", func(t *testing.T) {
		server := serveUDP(t, records("example.com. 60 IN A 127.0.0.1", "example.com. 60 IN AAAA ::1"))
		const section = `{query_name: example.com, validate_answer_rrs: {fail_if_all_match_regexp: [%q]}}`
		want := `response: querying example.com. IN ANY: answer section: found "example.com.\t60\tIN\tAAAA\t::1", want all to match "127"`
		if got := outcome(askDNS(t, Options{}, fmt.Sprintf(section, "127"), server)); got != want {
			t.Errorf("outcome %q, want %q", got, want)
		}
		if got := outcome(askDNS(t, Options{}, fmt.Sprintf(section, "."), server)); got != "" {
			t.Errorf("outcome %q, want success", got)
		}
	})
}

func TestDNSQuestion(t *testing.T) {
	questions := make(chan *dns.Msg, 1)
	server := serveUDP(t, func(query *dns.Msg) *dns.Msg { questions <- query; return new(dns.Msg).SetReply(query) })
	for section, want := range map[string]string{
		"{query_name: Example.com}": "Example.com. IN ANY rd=true",
		"{query_name: version.bind., query_class: CH, query_type: TXT, recursion_desired: false}": "version.bind. CH TXT rd=false",
		"": ". IN ANY rd=true",
	} {
		askDNS(t, Options{}, section, server)
		asked := <-questions
		q := asked.Question[0]
		got := fmt.Sprintf("%s %s %s rd=%v", q.Name, dns.ClassToString[q.Qclass], dns.TypeToString[q.Qtype], asked.RecursionDesired)
		if got != want || len(asked.Question) != 1 || asked.IsEdns0() != nil {
			t.Errorf("%s: asked %s (%d questions), want %s without EDNS", section, got, len(asked.Question), want)
		}
	}
}

// TestDNSTruncated shows that a truncated response counts as it is.
func TestDNSTruncated(t *testing.T) {
	server := serveUDP(t, func(query *dns.Msg) *dns.Msg {
		reply := records("example.com. 60 IN A 192.0.2.1")(query)
		reply.Truncated = true
		return reply
	})
	res := askDNS(t, Options{}, "{query_name: example.com, query_type: A}", server)
	if got := outcome(res); got != "" || value(t, res, "probe_dns_answer_rrs") != 1 {
		t.Errorf("outcome %q, want success with one record", got)
	}
}

func TestDNSBadPackets(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(query []byte) [][]byte
		err    string // SERVER stands for the target; "" = success
	}{
		"other ids first": {func(query []byte) [][]byte {
			reply := bytes.Clone(query)
			reply[2] |= 0x80
			other := bytes.Clone(reply)
			other[0]++
			return [][]byte{other, other, reply}
		}, ""},
		"short packet": {func(query []byte) [][]byte { return [][]byte{query[:5]} },
			`protocol: querying "SERVER" for example.com. IN ANY: found bad header question count: dns: overflow unpacking uint16 in`},
		"empty packet": {func([]byte) [][]byte { return [][]byte{{}} },
			`protocol: querying "SERVER" for example.com. IN ANY: found bad header id: dns: overflow unpacking uint16 in "", want a DNS message`},
		"too long": {func(query []byte) [][]byte { return [][]byte{append(bytes.Clone(query), make([]byte, 600)...)} },
			`protocol: querying "SERVER" for example.com. IN ANY: found 629 bytes, want at most 512 over udp`},
		"counts that lie": {func(query []byte) [][]byte {
			reply := bytes.Clone(query)
			reply[2], reply[6], reply[7] = reply[2]|0x80, 0xff, 0xff
			return [][]byte{reply}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := packetUDP(t, c.answer)
			got := outcome(askDNS(t, Options{}, "{query_name: example.com}", server))
			if want := strings.ReplaceAll(c.err, "SERVER", server); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("outcome %q, want %q", got, want)
			}
		})
	}
}

// TestDNSFlood holds a server that never stops to the budget.
func TestDNSFlood(t *testing.T) {
	packets := make([][]byte, 2000)
	for i := range packets {
		packets[i] = make([]byte, 1400)
	}
	server := packetUDP(t, func(query []byte) [][]byte {
		packets[0][0], packets[0][1] = query[0]+1, query[1]
		for i := range packets {
			packets[i] = packets[0]
		}
		return packets
	})
	res := runProbe(t, t.Context(), testModule(t, Options{}, "dns", "{query_name: example.com}"), server, short)
	if res.Reason != probe.ReasonProtocol && res.Reason != probe.ReasonTimeout { // the kernel may drop what we are too slow for
		t.Errorf("%s, want protocol or timeout", outcome(res))
	}
}

func TestDNSRefusedOverUDP(t *testing.T) {
	server := refusedDatagrams(t)
	got := outcome(askDNS(t, Options{}, "{query_name: example.com}", server))
	if want := fmt.Sprintf("connect: querying %q for example.com. IN ANY: connection refused, want a response", server); got != want {
		t.Errorf("outcome %q, want %q", got, want)
	}
}

func TestDNSOverTLS(t *testing.T) {
	ca := probetest.NewCA(t)
	server := probetest.Serve(t, probetest.TLS(probetest.Config(ca.Good())), answerTCP(txt("ready")))
	section := "{query_name: example.com, query_type: TXT, transport_protocol: tcp, dns_over_tls: true, tls_config: {ca_file: " + ca.File() + "}}"
	res := askDNS(t, Options{}, section, strings.Replace(server.Addr, "127.0.0.1", "localhost", 1))
	if got := outcome(res); got != "" {
		t.Errorf("outcome %q, want success", got)
	}
	if names := server.ServerNames(); len(names) != 1 || names[0] != "localhost" {
		t.Errorf("asked for the certificate of %q, want localhost", names)
	}
	if got := strings.Join(probetest.Names(res.Samples), " "); strings.Contains(got, "ssl") || strings.Contains(got, "tls") {
		t.Errorf("metrics %s, want none about TLS", got)
	}
	untrusted := askDNS(t, Options{}, "{query_name: example.com, transport_protocol: tcp, dns_over_tls: true}", server.Addr)
	if untrusted.Reason != probe.ReasonTLS {
		t.Errorf("%s, want a failure of TLS", outcome(untrusted))
	}
}

func TestDNSTargets(t *testing.T) {
	resolver := testResolver{"::1": {"::1"}}
	for target, want := range map[string]string{
		"::1":           "[::1]:53",
		"[::1]":         "[::1]:53",
		"[::1]:5353":    "[::1]:5353",
		"127.0.0.1":     "127.0.0.1:53",
		"127.0.0.1:530": "127.0.0.1:530",
	} {
		d := testModule(t, Options{Resolver: resolver}, "dns", "{query_name: example.com}").Prober.(*DNS)
		q, err := prepared(t, d, target)
		if err != nil || q.address.String() != want {
			t.Errorf("%s: %v (%v), want %s", target, q, err, want)
		}
	}
	secure := testModule(t, Options{}, "dns", "{query_name: example.com, transport_protocol: tcp, dns_over_tls: true}").Prober.(*DNS)
	if q, err := prepared(t, secure, "localhost"); err != nil || q.address.String() != "127.0.0.1:853" || q.server != "localhost:853" {
		t.Errorf("over TLS: %v (%v), want port 853", q, err)
	}
	for _, target := range []string{"dns://localhost", "a:b:c", "localhost:nosuchport", "user:hunter22@localhost"} {
		res := askDNS(t, Options{}, "{query_name: example.com}", target)
		if res.Reason != probe.ReasonConfig || !strings.HasPrefix(res.Err, "reading target ") || strings.Contains(res.Trace.String(), "hunter22") {
			t.Errorf("%s: %s, want a failure of config without the password", target, outcome(res))
		}
		if got := strings.Join(probetest.Names(res.Samples), " "); !strings.Contains(got, "probe_ip_addr_hash") {
			t.Errorf("%s: metrics %s, want those of the look-up too", target, got)
		}
	}
}
