// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noudp

package probes

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const udpMetrics = tcpDialMetrics + " probe_udp_duration_seconds"

var _ = enroll("udp", subject{
	section: `{send: "version\n", expect: "^server (\\S+)", labels: [{name: version, value: "$1"}]}`,
	serve:   serveDatagrams,
	refuse:  refusedDatagrams,
	healthy: func(t testing.TB) string {
		return serveDatagrams(t, probetest.Line("version\n"), probetest.Send("server 1.2\n")).Addr
	},
	presence: map[situation]string{
		healthy:  udpMetrics + " probe_udp_datagrams_sent probe_udp_response_bytes probe_failed_due_to_regex probe_failed_due_to_bytes probe_expect_info",
		refused:  udpMetrics + " probe_udp_datagrams_sent probe_failed_due_to_regex probe_failed_due_to_bytes",
		silent:   udpMetrics + " probe_udp_datagrams_sent probe_failed_due_to_regex probe_failed_due_to_bytes",
		early:    udpMetrics + " probe_udp_datagrams_sent probe_udp_response_bytes probe_failed_due_to_regex probe_failed_due_to_bytes",
		unsolved: udpMetrics,
	},
	echo: func(text string) []probetest.Step { return []probetest.Step{probetest.Send("server " + text + "\r\n")} },
})

func TestUDPAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		section, answer, want string // SERVER stands for the target; "" = success
		regex, bytes          float64
	}{
		"anything":       {"{send: x}", "y", "", 0, 0},
		"even nothing":   {"{send: x}", "", "", 0, 0},
		"matches":        {"{send: x, expect: '(?s)^a.b$'}", "a\nb", "", 0, 0},
		"does not match": {"{send: x, expect: ^b}", "ab\n", `response: asking SERVER: got "ab\n", want a datagram that matches "^b"`, 1, 0},
		"begins":         {"{send: x, expect_bytes: ab}", "abc", "", 0, 0},
		"begins not":     {"{send: x, expect_bytes: ab}", "cab", `response: asking SERVER: got "cab", want a datagram that begins with "ab"`, 0, 1},
		"hexadecimal":    {"{send: x, expect_hex: 'ff 00'}", "\xff\x00\xfe", "", 0, 0},
		"too short":      {"{send: x, expect_hex: ff00}", "\xff", `response: asking SERVER: got "\xff", want a datagram that begins with "\xff\x00"`, 0, 1},
		"binary":         {"{send: x, expect_bytes: !!binary /wA=}", "\xff\x00", "", 0, 0},
		"longest":        {"{send: x, expect: 'aab$'}", strings.Repeat("a", 65506) + "b", "", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := packetUDP(t, func([]byte) [][]byte { return [][]byte{[]byte(c.answer)} })
			res := runProbe(t, t.Context(), testModule(t, Options{}, "udp", c.section), server, long)
			if got, want := outcome(res), strings.Replace(c.want, "SERVER", fmt.Sprintf("%q", server), 1); got != want {
				t.Errorf("outcome %q, want %q", got, want)
			}
			wantValues(t, res, map[string]float64{
				"probe_failed_due_to_regex": c.regex, "probe_failed_due_to_bytes": c.bytes,
				"probe_udp_response_bytes": float64(len(c.answer)), "probe_udp_datagrams_sent": 1,
			})
			if value(t, res, "probe_udp_duration_seconds", "response") <= 0 {
				t.Error("no time of the response, want it")
			}
		})
	}
}

// TestUDPSends looks at what goes over the wire.
func TestUDPSends(t *testing.T) {
	for section, want := range map[string]string{
		`{send: "a\nb"}`:              "a\nb",
		"{send: !!binary AAH/}":       "\x00\x01\xff",
		"{send_hex: '00 01\tfF\n7f'}": "\x00\x01\xff\x7f",
		"{send_hex: 00}":              "\x00",
		"{send: $1}":                  "$1",
	} {
		seen := make(chan []byte, 1)
		server := packetUDP(t, func(query []byte) [][]byte { seen <- bytes.Clone(query); return [][]byte{{}} })
		if got := outcome(runProbe(t, t.Context(), testModule(t, Options{}, "udp", section), server, long)); got != "" {
			t.Fatalf("%s: %s, want success", section, got)
		}
		if got := <-seen; string(got) != want {
			t.Errorf("%s: sent %q, want %q", section, got, want)
		}
	}
}

// TestUDPResend has a server that loses the first datagrams.
func TestUDPResend(t *testing.T) {
	n := 0
	server := packetUDP(t, func(query []byte) [][]byte {
		if n++; n < 3 {
			return nil
		}
		return [][]byte{query}
	})
	res := runProbe(t, t.Context(), testModule(t, Options{}, "udp", "{send: ping, expect: ^ping$, resend: 100ms}"), server, long)
	if sent := value(t, res, "probe_udp_datagrams_sent"); outcome(res) != "" || sent < 3 {
		t.Errorf("outcome %q after %v datagrams, want success after the third", outcome(res), sent)
	}
}

func TestUDPResendEnds(t *testing.T) {
	leakFree(t, silent, func(t *testing.T) {
		patiently(t, func(t testing.TB, timeout time.Duration) {
			server := packetUDP(t, func([]byte) [][]byte { return nil })
			res := runProbe(t, t.Context(), testModule(t, Options{}, "udp", "{send: ping, expect_bytes: pong, resend: 400ms}"), server, timeout)
			want := fmt.Sprintf("timeout: asking %q: no answer in time, want a datagram that begins with \"pong\": context deadline exceeded", server)
			if got := outcome(res); got != want {
				t.Errorf("outcome %q, want %q", got, want)
			}
			if sent := value(t, res, "probe_udp_datagrams_sent"); sent < 1 || sent > 1+timeout.Seconds()/0.4 {
				t.Errorf("%v datagrams in %s, want one each 400ms", sent, timeout)
			}
		})
	})
}

func TestUDPRefused(t *testing.T) {
	server := refusedDatagrams(t)
	res := runProbe(t, t.Context(), testModule(t, Options{}, "udp", "{send: x}"), server, long)
	if got, want := outcome(res), fmt.Sprintf("connect: asking %q: connection refused, want a datagram", server); got != want {
		t.Errorf("outcome %q, want %q", got, want)
	}
}

func TestUDPTargets(t *testing.T) {
	m := testModule(t, Options{}, "udp", "{send: x}")
	for _, target := range []string{"localhost", "localhost:nosuchport", "udp://localhost:1", ":1"} {
		res := runProbe(t, t.Context(), m, target, long)
		if res.Reason != probe.ReasonConfig || !strings.HasPrefix(res.Err, "reading target ") {
			t.Errorf("%s: %s, want a failure of config", target, outcome(res))
		}
	}
}

func TestUDPRefusesAtLoad(t *testing.T) {
	for section, want := range map[string]string{
		"{}":                        "nothing to send, want send or send_hex",
		"{send: ''}":                "nothing to send, want send or send_hex",
		"{send: a, send_hex: '00'}": "send_hex: the bytes are given as text too, want them once",
		"{send_hex: '0'}":           `send_hex: found "0", want pairs of hexadecimal digits`,
		"{send_hex: 'xx'}":          `send_hex: found "xx", want pairs of hexadecimal digits`,
		"{send: " + strings.Repeat("a", 65508) + "}":            "send: found 65508 bytes, want at most 65507",
		"{send: a, expect_bytes: a, expect_hex: '00'}":          "expect_hex: the bytes are given as text too, want them once",
		"{send: a, expect: a, expect_bytes: a}":                 "both expect and bytes to expect given, want at most one",
		"{send: a, expect: a, expect_hex: '00'}":                "both expect and bytes to expect given, want at most one",
		"{send: a, labels: [{name: a, value: b}]}":              "labels: nothing to take them from, want expect",
		"{send: a, expect: a, labels: [{name: __a, value: b}]}": `labels: found the name "__a", want UTF-8 text that does not begin with __`,
		"{send: a, resend: 99ms}":                               "resend: found 99ms, want at least 100ms",
		"{send: a, resend: -1s}":                                "resend: found -1s, want at least 100ms",
		"{send: a, source_ip_address: x}":                       `source_ip_address: found "x", want an IP address`,
	} {
		wantLoadError(t, Options{}, "udp", section, `module "m": line 1: udp: `+want)
	}
	wantLoadError(t, Options{}, "udp", "{send: a, expect: '('}", "module \"m\": udp: line 1: expect: regular expression \"(\": error parsing regexp: missing closing ): `(`")
	wantLoadError(t, Options{}, "udp", "{send: a, sent: b}", `module "m": udp: line 1: unknown field "sent"`)
}
