// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noicmp

package probes

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const (
	icmpMetrics   = tcpDialMetrics + " probe_icmp_duration_seconds"
	noPorts       = "ICMP has no ports"
	kernelAnswers = "the kernel answers on loopback, not a server; scripted peers are in icmp_test.go"
)

var _ = enroll("icmp", subject{
	section: "{}",
	target: func(address string) string {
		host, _, _ := net.SplitHostPort(address)
		return host
	},
	healthy:  func(testing.TB) string { return "127.0.0.1" },
	presence: map[situation]string{healthy: icmpMetrics + " probe_icmp_reply_hop_limit", unsolved: icmpMetrics},
	exempt: map[situation]string{
		refused: noPorts, silent: kernelAnswers, garbage: kernelAnswers, early: kernelAnswers, endless: kernelAnswers,
		flood: kernelAnswers, cancelled: kernelAnswers,
	},
})

// icmpPeer is what answers a prober over UDP, as if it were a host. It gets each message and says what is sent back.
type icmpPeer func(request *icmp.Message) [][]byte

// echoes makes a module whose socket leads to a peer.
func echoes(t testing.TB, raw bool, p icmpPeer) *probe.Module {
	t.Helper()
	return echoesWith(t, "{payload_size: 40}", raw, p)
}

func echoesWith(t testing.TB, section string, raw bool, p icmpPeer) *probe.Module {
	t.Helper()
	server := packetUDP(t, func(query []byte) [][]byte {
		request, err := icmp.ParseMessage(protocolICMP, query)
		if err != nil {
			t.Errorf("the request: %v", err)
			return nil
		}
		return p(request)
	})
	m := testModule(t, Options{}, "icmp", section)
	m.Prober.(*ICMP).open = func(_ context.Context, to netip.Addr) (*echoSocket, error) {
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		s := &echoSocket{PacketConn: conn, to: to, peer: net.UDPAddrFromAddrPort(netip.MustParseAddrPort(server)), raw: raw}
		s.read = func(p []byte) (int, int, net.Addr, error) {
			n, from, err := conn.ReadFrom(p)
			return n, 57, from, err
		}
		return s, nil
	}
	return m
}

// reply encodes an answer to a request after a change.
func reply(t testing.TB, request *icmp.Message, change func(m *icmp.Message, e *icmp.Echo)) []byte {
	t.Helper()
	body := *request.Body.(*icmp.Echo)
	body.Data = bytes.Clone(body.Data)
	answer := icmp.Message{Type: ipv4.ICMPTypeEchoReply, Body: &body}
	change(&answer, &body)
	wire, err := answer.Marshal(nil)
	if err != nil {
		t.Errorf("the reply: %v", err)
	}
	return wire
}

func unchanged(*icmp.Message, *icmp.Echo) {}

func TestICMPSkipsWhatIsNotTheReply(t *testing.T) {
	wrong := map[string]func(m *icmp.Message, e *icmp.Echo){
		"type":    func(m *icmp.Message, _ *icmp.Echo) { m.Type = ipv4.ICMPTypeEcho },
		"code":    func(m *icmp.Message, _ *icmp.Echo) { m.Code = 1 },
		"seq":     func(_ *icmp.Message, e *icmp.Echo) { e.Seq++ },
		"data":    func(_ *icmp.Message, e *icmp.Echo) { e.Data[39] = 1 },
		"longer":  func(_ *icmp.Message, e *icmp.Echo) { e.Data = append(e.Data, 0) },
		"shorter": func(_ *icmp.Message, e *icmp.Echo) { e.Data = e.Data[:39] },
		"id":      func(_ *icmp.Message, e *icmp.Echo) { e.ID ^= 1 },
	}
	answer := func(request *icmp.Message) [][]byte {
		packets := [][]byte{{}, {0}, []byte("garbage that is no message")}
		for _, change := range wrong {
			packets = append(packets, reply(t, request, change))
		}
		return packets
	}
	patiently(t, func(t testing.TB, timeout time.Duration) {
		res := runProbe(t, t.Context(), echoes(t, true, answer), "127.0.0.1", timeout)
		want := `timeout: pinging "127.0.0.1": no echo reply from 127.0.0.1 in time, want one: context deadline exceeded`
		if got := outcome(res); got != want {
			t.Errorf("outcome %q, want %q", got, want)
		}
		if rtt := value(t, res, "probe_icmp_duration_seconds", "rtt"); rtt != 0 {
			t.Errorf("rtt %v of a lost request, want 0", rtt)
		}
		if _, ok := probetest.Value(res.Samples, "probe_icmp_reply_hop_limit"); ok {
			t.Error("hop limit of a lost request, want none")
		}
	})
	res := runProbe(t, t.Context(), echoes(t, true, func(request *icmp.Message) [][]byte {
		return append(answer(request), reply(t, request, unchanged))
	}), "127.0.0.1", long)
	if got := outcome(res); got != "" || value(t, res, "probe_icmp_reply_hop_limit") != 57 {
		t.Errorf("outcome %q, want success after skipping, with hop limit 57", got)
	}
}

// TestICMPUnprivilegedID takes a reply whose id the kernel chose.
func TestICMPUnprivilegedID(t *testing.T) {
	m := echoes(t, false, func(request *icmp.Message) [][]byte {
		return [][]byte{reply(t, request, func(_ *icmp.Message, e *icmp.Echo) { e.ID ^= 1 })}
	})
	if got := outcome(runProbe(t, t.Context(), m, "127.0.0.1", long)); got != "" {
		t.Errorf("outcome %q, want success", got)
	}
}

func TestICMPOtherSender(t *testing.T) {
	patiently(t, func(t testing.TB, timeout time.Duration) {
		m := echoes(t, true, func(request *icmp.Message) [][]byte { return [][]byte{reply(t, request, unchanged)} })
		res := runProbe(t, t.Context(), m, "127.0.0.2", timeout) // the peer answers from 127.0.0.1
		if res.Reason != probe.ReasonTimeout {
			t.Errorf("%s, want the reply of another host skipped", outcome(res))
		}
	})
}

func TestICMPCancelled(t *testing.T) {
	asked := make(chan struct{})
	m := echoes(t, true, func(*icmp.Message) [][]byte { close(asked); return nil })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if res := runProbe(t, ctx, m, "127.0.0.1", long); res.Verdict != probe.Aborted {
		t.Errorf("verdict %s, want aborted", res.Verdict)
	}
}

func TestICMPRequest(t *testing.T) {
	type seen struct{ id, seq int }
	requests := make(chan *icmp.Message, 1)
	m := echoes(t, true, func(request *icmp.Message) [][]byte {
		requests <- request
		return [][]byte{reply(t, request, unchanged)}
	})
	ids := map[seen]bool{}
	for range 8 {
		runProbe(t, t.Context(), m, "127.0.0.1", long)
		request := <-requests
		body := request.Body.(*icmp.Echo)
		if want := icmpText + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"; request.Type != ipv4.ICMPTypeEcho || string(body.Data) != want {
			t.Errorf("sent %v with %q, want an echo request with %q", request.Type, body.Data, want)
		}
		ids[seen{body.ID, body.Seq}] = true
	}
	if len(ids) < 2 {
		t.Errorf("all requests had id and number %v, want random ones", ids)
	}
}

func TestICMPLoopback(t *testing.T) {
	if len(icmpText) != 28 {
		t.Errorf("the text has %d bytes, want 28", len(icmpText))
	}
	resolver := testResolver{"::1": {"::1"}, "127.0.0.1": {"127.0.0.1"}, "localhost": {"127.0.0.1"}}
	for section, target := range map[string]string{
		"{payload_size: 4}":              "127.0.0.1",
		"{payload_size: 3000, ttl: 0}":   "localhost",
		"{dont_fragment: true, ttl: 7}":  "127.0.0.1",
		"{source_ip_address: 127.0.0.2}": "127.0.0.1",
		"{ttl: 9, dont_fragment: true}":  "::1",
		"{preferred_ip_protocol: ip4}":   "127.0.0.1",
		"{payload_size: 65507}":          "127.0.0.1",
		"":                               "::1",
	} {
		t.Run(fmt.Sprint(section, target), func(t *testing.T) {
			res := runProbe(t, t.Context(), testModule(t, Options{Resolver: resolver}, "icmp", section), target, long)
			if got := outcome(res); got != "" || value(t, res, "probe_icmp_duration_seconds", "rtt") <= 0 {
				t.Fatalf("outcome %q, want success and a round trip time", got)
			}
			if hops := value(t, res, "probe_icmp_reply_hop_limit"); hops != 64 { // that of the reply, whatever ours was
				t.Errorf("hop limit %v, want 64", hops)
			}
		})
	}
}
