// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noicmp

package probes

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/icmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const roundMetrics = icmpMetrics + " probe_icmp_packets_sent probe_icmp_packets_received probe_icmp_packets_duplicate probe_icmp_packet_loss_ratio"

// script answers the requests of a round by their number, from 0.
func script(t testing.TB, answer func(n int, reply []byte) [][]byte) icmpPeer {
	n := -1
	return func(request *icmp.Message) [][]byte {
		n++
		return answer(n, reply(t, request, unchanged))
	}
}

func TestICMPRound(t *testing.T) {
	for name, c := range map[string]struct {
		section                    string
		answer                     func() func(n int, reply []byte) [][]byte
		received, duplicates, loss float64
		want                       string
	}{
		"all": {"{count: 5, interval: 10ms}", each(func(_ int, reply []byte) [][]byte { return [][]byte{reply} }), 5, 0, 0, ""},
		"some lost": {"{count: 5, interval: 10ms}", each(func(n int, reply []byte) [][]byte {
			if n == 1 || n == 4 {
				return nil
			}
			return [][]byte{reply}
		}), 3, 0, 0.4, ""},
		"all but one lost":  {"{count: 5, interval: 10ms}", each(func(n int, reply []byte) [][]byte { return [][]byte{reply}[:min(1, max(0, 1-n))] }), 1, 0, 0.8, ""},
		"as much as may be": {"{count: 5, interval: 10ms, max_loss: 0.2}", each(func(n int, reply []byte) [][]byte { return [][]byte{reply}[:min(1, n)] }), 4, 0, 0.2, ""},
		"more than may be": {"{count: 5, interval: 10ms, max_loss: 0.19}", each(func(n int, reply []byte) [][]byte { return [][]byte{reply}[:min(1, n)] }), 4, 0, 0.2,
			`response: pinging "127.0.0.1": 1 of 5 requests without reply, a loss of 0.2, want at most 0.19`},
		"none may be lost": {"{count: 3, interval: 10ms, max_loss: 0}", each(func(_ int, reply []byte) [][]byte { return [][]byte{reply} }), 3, 0, 0, ""},
		"late and in wrong order": {"{count: 4, interval: 10ms, max_loss: 0}", func() func(int, []byte) [][]byte {
			var held [][]byte
			return func(n int, reply []byte) [][]byte {
				if held = append(held, reply); n < 3 {
					return nil
				}
				slices.Reverse(held)
				return held
			}
		}, 4, 0, 0, ""},
		"twice": {"{count: 3, interval: 10ms, max_loss: 0}", each(func(n int, reply []byte) [][]byte {
			if n == 2 {
				return [][]byte{reply}
			}
			return [][]byte{reply, reply, reply}
		}), 3, 4, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patiently(t, func(t testing.TB, _ time.Duration) { // a reply has a second
				m := echoesWith(t, c.section, true, script(t, c.answer()))
				res := runProbe(t, t.Context(), m, "127.0.0.1", long)
				if got := outcome(res); got != c.want {
					t.Errorf("outcome %q, want %q", got, c.want)
				}
				wantValues(t, res, map[string]float64{
					"probe_icmp_packets_sent": float64(m.Prober.(*ICMP).Count), "probe_icmp_packets_received": c.received,
					"probe_icmp_packets_duplicate": c.duplicates, "probe_icmp_packet_loss_ratio": c.loss, "probe_icmp_reply_hop_limit": 57,
				})
				low, mean, high := value(t, res, "probe_icmp_rtt_min_seconds"), value(t, res, "probe_icmp_rtt_avg_seconds"), value(t, res, "probe_icmp_rtt_max_seconds")
				if low <= 0 || low > mean || mean > high || high >= long.Seconds() {
					t.Errorf("round trips of %v, %v and %v, want them ordered", low, mean, high)
				}
				if rtt := value(t, res, "probe_icmp_duration_seconds", "rtt"); rtt != mean {
					t.Errorf("the phase rtt is %v, want the mean %v", rtt, mean)
				}
			})
		})
	}
}

func each(answer func(n int, reply []byte) [][]byte) func() func(int, []byte) [][]byte {
	return func() func(int, []byte) [][]byte { return answer }
}

// TestICMPRoundLateReply shows that a reply after its successor was sent counts from its own request.
func TestICMPRoundLateReply(t *testing.T) {
	patiently(t, func(t testing.TB, _ time.Duration) { // a reply has a second
		held := make(chan time.Duration, 1)
		var first []byte
		var came time.Time
		m := echoesWith(t, "{count: 2, interval: 30ms}", true, script(t, func(n int, reply []byte) [][]byte {
			if n == 0 {
				first, came = reply, time.Now()
				return nil
			}
			held <- time.Since(came)
			return [][]byte{reply, first}
		}))
		res := runProbe(t, t.Context(), m, "127.0.0.1", long)
		if got := outcome(res); got != "" {
			t.Fatalf("outcome %q, want success", got)
		}
		if high, wait := value(t, res, "probe_icmp_rtt_max_seconds"), <-held; high < wait.Seconds() {
			t.Errorf("longest round trip %v, want at least %s, for which the peer held the reply", high, wait)
		}
	})
}

// TestICMPRoundSkips has replies to nobody's requests.
func TestICMPRoundSkips(t *testing.T) {
	patiently(t, func(t testing.TB, _ time.Duration) { // a reply has a second
		m := echoesWith(t, "{count: 3, interval: 10ms, max_loss: 0}", true, func(request *icmp.Message) [][]byte {
			return [][]byte{
				reply(t, request, func(_ *icmp.Message, e *icmp.Echo) { e.Seq = (e.Seq + 100) & 0xffff }),
				reply(t, request, func(_ *icmp.Message, e *icmp.Echo) { e.Seq = (e.Seq - 100) & 0xffff }),
				reply(t, request, func(_ *icmp.Message, e *icmp.Echo) { e.Data[9] = 1 }),
				[]byte("garbage that is no message"), {},
				reply(t, request, unchanged),
			}
		})
		res := runProbe(t, t.Context(), m, "127.0.0.1", long)
		wantValues(t, res, map[string]float64{"probe_icmp_packets_received": 3, "probe_icmp_packets_duplicate": 0})
		if got := outcome(res); got != "" {
			t.Errorf("outcome %q, want success", got)
		}
	})
}

// TestICMPRoundPlaces: numbers go round after 65535.
func TestICMPRoundPlaces(t *testing.T) {
	rd := &round{first: 0xffff, sent: make([]time.Time, 2)}
	for seq, want := range map[int]int{0xffff: 0, 0: 1, 1: -1, 0xfffe: -1} {
		if got := rd.place(seq); got != want {
			t.Errorf("number %d is in place %d, want %d", seq, got, want)
		}
	}
}

// TestICMPRoundLost hears nothing: the attempt says so before its deadline.
func TestICMPRoundLost(t *testing.T) {
	leakFree(t, silent, func(t *testing.T) {
		patiently(t, func(t testing.TB, timeout time.Duration) {
			m := echoesWith(t, "{count: 3, interval: 10ms}", true, func(*icmp.Message) [][]byte { return nil })
			res := runProbe(t, t.Context(), m, "127.0.0.1", timeout)
			if got, want := outcome(res), `timeout: pinging "127.0.0.1": no echo reply from 127.0.0.1 in time, want one: context deadline exceeded`; got != want {
				t.Errorf("outcome %q, want %q", got, want)
			}
			want := strings.Fields(roundMetrics)
			slices.Sort(want)
			if got := probetest.Names(res.Samples); !slices.Equal(got, want) {
				t.Errorf("metrics %v, want %v", got, want)
			}
			wantValues(t, res, map[string]float64{"probe_icmp_packets_sent": 3, "probe_icmp_packets_received": 0, "probe_icmp_packet_loss_ratio": 1})
		})
	})
}

func TestICMPRoundDoesNotFit(t *testing.T) {
	m := echoesWith(t, "{count: 700, interval: 100ms}", true, func(*icmp.Message) [][]byte { t.Error("a request was sent, want none"); return nil })
	res := runProbe(t, t.Context(), m, "127.0.0.1", long)
	if got, want := outcome(res), `config: pinging "127.0.0.1": 700 requests take 1m9.9s, want them to fit into the `; !strings.HasPrefix(got, want) {
		t.Errorf("outcome %q, want %q", got, want)
	}
}

// TestICMPRoundCancelled ends between two requests.
func TestICMPRoundCancelled(t *testing.T) {
	leakFree(t, cancelled, func(t *testing.T) {
		patiently(t, func(t testing.TB, _ time.Duration) {
			asked := make(chan struct{}, 1)
			m := echoesWith(t, "{count: 3, interval: 25s}", true, func(*icmp.Message) [][]byte { asked <- struct{}{}; return nil })
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-asked
				cancel()
			}()
			if res := runProbe(t, ctx, m, "127.0.0.1", long); res.Verdict != probe.Aborted || res.Took >= 25*time.Second {
				t.Errorf("verdict %s after %s, want aborted before the next request", res.Verdict, res.Took)
			}
		})
	})
}

func TestICMPRoundLoopback(t *testing.T) {
	resolver := testResolver{"::1": {"::1"}, "127.0.0.1": {"127.0.0.1"}}
	for _, target := range []string{"127.0.0.1", "::1"} {
		patiently(t, func(t testing.TB, _ time.Duration) { // a reply has a second
			m := testModule(t, Options{Resolver: resolver}, "icmp", "{count: 20, interval: 10ms, max_loss: 0, payload_size: 1000}")
			res := runProbe(t, t.Context(), m, target, long)
			if got := outcome(res); got != "" {
				t.Errorf("%s: %s, want success", target, got)
			}
			wantValues(t, res, map[string]float64{"probe_icmp_packets_received": 20, "probe_icmp_reply_hop_limit": 64})
		})
	}
}

// TestICMPOneRequest shows that a count of one is what blackbox_exporter does.
func TestICMPOneRequest(t *testing.T) {
	for _, section := range []string{"{}", "{count: 1}"} {
		res := runProbe(t, t.Context(), testModule(t, Options{}, "icmp", section), "127.0.0.1", long)
		want := strings.Fields(icmpMetrics + " probe_icmp_reply_hop_limit")
		slices.Sort(want)
		if got := probetest.Names(res.Samples); !slices.Equal(got, want) {
			t.Errorf("%s: metrics %v, want %v", section, got, want)
		}
	}
}
