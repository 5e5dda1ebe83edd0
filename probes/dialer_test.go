// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

var hosts = testResolver{
	"both": {"192.0.2.77", "2001:db8::1", "192.0.2.78", "2001:db8::2"},
	"four": {"192.0.2.1", "192.0.2.2", "::ffff:192.0.2.3"},
	"six":  {"2001:db8::1", "2001:db8::2"},
	"::1":  {"::1"}, "127.0.0.1": {"127.0.0.1"},
}

func TestResolve(t *testing.T) {
	const wanted6 = `: no such host, want an ip6 address`
	for _, test := range []struct {
		host, protocol string
		fallback       bool
		want, err      string
	}{
		{"both", "ip6", true, "2001:db8::1", ""},
		{"both", "", true, "2001:db8::1", ""},
		{"both", "ip4", true, "192.0.2.77", ""},
		{"both", "ip4", false, "192.0.2.77", ""},
		{"four", "ip6", true, "192.0.2.3", ""}, // the last one
		{"six", "ip4", true, "2001:db8::2", ""},
		{"four", "ip6", false, "", `resolving "four"` + wanted6},
		{"127.0.0.1", "ip6", true, "127.0.0.1", ""},
		{"127.0.0.1", "ip6", false, "", `resolving "127.0.0.1"` + wanted6},
		{"::1", "ip4", true, "::1", ""},
		{"::ffff:127.0.0.1", "ip6", true, "127.0.0.1", ""},
		{"nosuch", "ip4", true, "", `resolving "nosuch": no such host, want an address`},
	} {
		conf := IPConfig{PreferredIPProtocol: test.protocol, IPProtocolFallback: test.fallback}
		d, err := conf.dialer(Options{Resolver: hosts})
		if err != nil {
			t.Fatal(err)
		}
		var got netip.Addr
		res := runFunc(t, func(ctx context.Context, r *probe.Recorder) (err error) {
			got, err = d.resolve(ctx, test.host, r)
			return err
		})
		if res.Err != test.err || test.want != "" && got.String() != test.want {
			t.Errorf("%+v gives %s, %q", test, got, res.Err)
		}
		if test.err != "" && res.Reason != probe.ReasonResolve {
			t.Errorf("%+v: reason %s, want resolve", test, res.Reason)
		}
	}
}

func TestResolveMetrics(t *testing.T) {
	for host, want := range map[string]map[string]float64{
		"127.0.0.1":         {"probe_ip_protocol": 4, "probe_ip_addr_hash": 3668918509},
		"::1":               {"probe_ip_protocol": 6, "probe_ip_addr_hash": 1751717746},
		"192.0.2.77":        {"probe_ip_protocol": 4, "probe_ip_addr_hash": 2842422640},
		"::ffff:192.0.2.77": {"probe_ip_protocol": 4, "probe_ip_addr_hash": 2842422640},
		"nosuch":            {"probe_ip_protocol": 0, "probe_ip_addr_hash": 0},
	} {
		d, _ := defaultIPConfig.dialer(Options{Resolver: hosts})
		res := runFunc(t, func(ctx context.Context, r *probe.Recorder) error {
			_, err := d.resolve(ctx, host, r)
			return err
		})
		wantValues(t, res, want)
		if _, ok := probetest.Value(res.Samples, "probe_dns_lookup_time_seconds"); !ok {
			t.Errorf("%s: no lookup time", host)
		}
	}
}

func TestResolveFact(t *testing.T) {
	d, _ := defaultIPConfig.dialer(Options{Resolver: hosts})
	res := runFunc(t, func(ctx context.Context, r *probe.Recorder) error {
		_, err := d.resolve(ctx, "six", r)
		return err
	})
	if len(res.Facts) != 1 || res.Facts[0] != (probe.Fact{Key: "address", Value: "2001:db8::1"}) {
		t.Errorf("facts %v, want the address", res.Facts)
	}
}

func TestResolveTimeout(t *testing.T) {
	d, _ := defaultIPConfig.dialer(Options{Resolver: hungResolver{}})
	m := &probe.Module{Name: "m", Kind: "func", Prober: funcProber(func(ctx context.Context, r *probe.Recorder) error {
		_, err := d.resolve(ctx, "slow", r)
		return err
	})}
	res := runProbe(t, t.Context(), m, "target", short)
	want := `resolving "slow": no answer in time, want an address: context deadline exceeded`
	if res.Reason != probe.ReasonTimeout || res.Err != want {
		t.Errorf("%s: %s, want %s", res.Reason, res.Err, want)
	}
}

func TestDialerRules(t *testing.T) {
	for _, test := range []struct {
		protocol string
		compat   Compat
		want     string
		warns    bool
	}{
		{"ip4", Fixed, "ip4", false}, {"", Fixed, "ip6", false}, {"ip6", Exact, "ip6", false},
		{"ipv6", Fixed, "ip6", true}, {"ipv4", Fixed, "ip4", true},
		{"ipv6", Exact, "ip4", false}, {"junk", Exact, "ip4", false},
	} {
		d, err := IPConfig{PreferredIPProtocol: test.protocol}.dialer(Options{Compat: test.compat})
		if err != nil || d.wanted != test.want || (d.warning != "") != test.warns {
			t.Errorf("%q: %s, %q, %v", test.protocol, d.wanted, d.warning, err)
		}
	}
	for want, conf := range map[string]IPConfig{
		`preferred_ip_protocol: found "junk", want ip4 or ip6`:     {PreferredIPProtocol: "junk"},
		`source_ip_address: found "localhost", want an IP address`: {SourceIPAddress: "localhost"},
	} {
		if _, err := conf.dialer(Options{}); err == nil || err.Error() != want {
			t.Errorf("%+v: %v, want %s", conf, err, want)
		}
	}
}

// TestDialSource uses another address of loopback as source, and one that this machine does not have.
func TestDialSource(t *testing.T) {
	for source, want := range map[string]probe.Reason{"127.0.0.1": probe.ReasonNone, "192.0.2.1": probe.ReasonConnect} {
		d, err := IPConfig{SourceIPAddress: source}.dialer(Options{})
		if err != nil {
			t.Fatal(err)
		}
		to := netip.MustParseAddrPort(probetest.Serve(t).Addr)
		res := runFunc(t, func(ctx context.Context, r *probe.Recorder) error {
			conn, err := d.dial(ctx, "tcp", to, r, 0)
			if err == nil {
				conn.Close()
			}
			return err
		})
		if res.Reason != want {
			t.Errorf("from %s: %q %s, want %q", source, res.Reason, res.Err, want)
		}
	}
}

// TestDialBindsToASourceOnly keeps probes from using up the ports of the machine: a port that is bound to serves one connection only.
func TestDialBindsToASourceOnly(t *testing.T) {
	for _, test := range []struct{ source, network, want string }{
		{"", "tcp", "none"}, {"", "udp", "none"},
		{"127.0.0.2", "tcp", "tcp 127.0.0.2:0"}, {"127.0.0.2", "udp4", "udp 127.0.0.2:0"},
	} {
		d, err := IPConfig{SourceIPAddress: test.source}.dialer(Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := "none"
		if local := d.local(test.network); local != nil {
			got = local.Network() + " " + local.String()
		}
		if got != test.want {
			t.Errorf("%s from %q: bound to %s, want %s", test.network, test.source, got, test.want)
		}
	}
}

func TestDialUDP(t *testing.T) {
	peer, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	d := dialer{source: netip.MustParseAddr("127.0.0.1")}
	res := runFunc(t, func(ctx context.Context, r *probe.Recorder) error {
		conn, err := d.dial(ctx, "udp", netip.MustParseAddrPort(peer.LocalAddr().String()), r, 0)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte("hello"))
		return err
	})
	got := make([]byte, 10)
	n, _, err := peer.ReadFrom(got)
	if !res.Success() || string(got[:n]) != "hello" || err != nil {
		t.Errorf("%s; the peer got %q, %v", res.Err, got[:n], err)
	}
}

func TestDialRefused(t *testing.T) {
	address := probetest.RefusedAddr(t)
	res := runFunc(t, func(ctx context.Context, r *probe.Recorder) error {
		_, err := dialer{}.dial(ctx, "tcp", netip.MustParseAddrPort(address), r, 0)
		return err
	})
	if want := `connecting to "` + address + `": connect: connection refused, want a connection`; res.Err != want || res.Reason != probe.ReasonConnect {
		t.Errorf("%s: %s, want %s", res.Reason, res.Err, want)
	}
}

// TestDialDeadline: a connection carries the deadline of its context, so that reads end by themselves.
func TestDialDeadline(t *testing.T) {
	to := netip.MustParseAddrPort(probetest.Serve(t, probetest.Silence()).Addr)
	m := &probe.Module{Name: "m", Kind: "func", Prober: funcProber(func(ctx context.Context, r *probe.Recorder) error {
		early, cancel := context.WithTimeout(ctx, short)
		defer cancel()
		conn, err := dialer{}.dial(early, "tcp", to, r, 0)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
		return err
	})}
	res := runProbe(t, t.Context(), m, "target", long)
	if res.Reason != probe.ReasonTimeout || res.Took >= long {
		t.Errorf("%s after %s: %s, want the timeout of the context", res.Reason, res.Took, res.Err)
	}
}
