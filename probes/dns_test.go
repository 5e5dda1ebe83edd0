// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nodns

package probes

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/miekg/dns"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const dnsMetrics = tcpDialMetrics + " probe_dns_answer_rrs probe_dns_authority_rrs probe_dns_additional_rrs probe_dns_query_succeeded probe_dns_duration_seconds"

var _ = enroll("dns", subject{
	section: `{query_name: example.com, query_type: TXT, transport_protocol: tcp, validate_answer_rrs: {fail_if_not_matches_regexp: ["ready"]}}`,
	healthy: func(t testing.TB) string { return probetest.Serve(t, answerTCP(txt("ready"))).Addr },
	presence: map[situation]string{
		healthy: dnsMetrics, refused: dnsMetrics, unsolved: dnsMetrics, silent: dnsMetrics, early: dnsMetrics, garbage: dnsMetrics,
	},
	echo: func(text string) []probetest.Step { return []probetest.Step{answerTCP(txt(text))} },
})

// zone answers a question.
type zone func(query *dns.Msg) *dns.Msg

// records answers with the records in the form of a zone file.
func records(answer ...string) zone {
	return func(query *dns.Msg) *dns.Msg {
		reply := new(dns.Msg).SetReply(query)
		for _, text := range answer {
			rr, err := dns.NewRR(text)
			if err != nil {
				panic(err)
			}
			reply.Answer = append(reply.Answer, rr)
		}
		return reply
	}
}

func txt(text string) zone {
	return func(query *dns.Msg) *dns.Msg {
		reply := new(dns.Msg).SetReply(query)
		header := dns.RR_Header{Name: query.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}
		reply.Answer = []dns.RR{&dns.TXT{Hdr: header, Txt: []string{text}}}
		return reply
	}
}

func rcode(code int) zone {
	return func(query *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(query, code) }
}

// answerTCP is a server's side of one query over a stream.
func answerTCP(z zone) probetest.Step {
	return func(_ testing.TB, c *probetest.Conn) error {
		var length [2]byte
		if _, err := io.ReadFull(c.In, length[:]); err != nil {
			return err
		}
		wire := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c.In, wire); err != nil {
			return err
		}
		query := new(dns.Msg)
		if err := query.Unpack(wire); err != nil {
			return err
		}
		reply, err := z(query).Pack()
		if err != nil {
			return err
		}
		_, err = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
		return err
	}
}

// serveUDP answers questions on loopback, and gives the address. A nil zone is silence.
func serveUDP(t testing.TB, z zone) string {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started, ended := make(chan struct{}), make(chan error)
	server := &dns.Server{PacketConn: conn, NotifyStartedFunc: func() { close(started) },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
			if z != nil {
				w.WriteMsg(z(query))
			}
		})}
	go func() { ended <- server.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		server.Shutdown()
		<-ended
	})
	return conn.LocalAddr().String()
}

func askDNS(t testing.TB, o Options, section, server string) probe.Result {
	t.Helper()
	return runProbe(t, t.Context(), testModule(t, o, "dns", section), server, long)
}
