// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// twoServers listens on the same port of two addresses, and says "ready" to callers of the one but nothing to those of the other.
func twoServers(t *testing.T) (port string) {
	t.Helper()
	for {
		ready := probetest.Serve(t, probetest.Send("ready\n"), probetest.Silence())
		_, port, _ := net.SplitHostPort(ready.Addr)
		listener, err := net.Listen("tcp", net.JoinHostPort(otherLoopback, port))
		if err != nil {
			continue // somebody else has it
		}
		t.Cleanup(func() { listener.Close() })
		return port
	}
}

// outcomes lists probe_address_success.
func outcomes(res probe.Result) map[string]float64 {
	all := map[string]float64{}
	for _, s := range res.Samples {
		if s.Desc == descAddressSuccess {
			all[s.Labels[0]] = s.Value
		}
	}
	return all
}

func TestAddresses(t *testing.T) {
	port := twoServers(t) // 127.0.0.1 is ready, 127.0.0.2 silent, 127.0.0.3 refuses
	names := testResolver{
		"mixed.example": {"127.0.0.3", "127.0.0.2", "127.0.0.1", "127.0.0.1"}, "good.example": {"127.0.0.1"}, "bad.example": {"127.0.0.3", "127.0.0.4"},
		"other.example": {"::2", "127.0.0.1"}, "six.example": {"::1"},
	}
	refused := `connecting to "127.0.0.3:` + port + `": connect: connection refused, want a connection`
	silent := func(target string) string {
		return `step 1: reading from "` + target + `": no more in time, got nothing, want a line that matches "ready"`
	}
	for _, test := range []struct {
		addresses, host string
		reason          probe.Reason
		want            string
		outcomes        map[string]float64
		hash            string // of which address the metrics are
	}{
		{"any", "mixed.example", probe.ReasonNone, "", map[string]float64{"127.0.0.3": 0, "127.0.0.2": 0, "127.0.0.1": 1}, "127.0.0.1"},
		{"all", "mixed.example", probe.ReasonConnect, "2 of 3 addresses fail, the first of them 127.0.0.3: " + refused,
			map[string]float64{"127.0.0.3": 0, "127.0.0.2": 0, "127.0.0.1": 1}, "127.0.0.3"},
		{"any", "bad.example", probe.ReasonConnect, "2 of 2 addresses fail, the first of them 127.0.0.3: " + refused,
			map[string]float64{"127.0.0.3": 0, "127.0.0.4": 0}, "127.0.0.3"},
		{"all", "good.example", probe.ReasonNone, "", map[string]float64{"127.0.0.1": 1}, "127.0.0.1"},
		{"any", otherLoopback, probe.ReasonTimeout, "1 of 1 addresses fail, the first of them 127.0.0.2: " + silent("127.0.0.2:"+port),
			map[string]float64{"127.0.0.2": 0}, "127.0.0.2"},
		{"first", "good.example", probe.ReasonNone, "", map[string]float64{}, "127.0.0.1"},
		{"all", "gone.example", probe.ReasonResolve, `resolving "gone.example": no such host, want an ip4 address`, map[string]float64{}, ""},
		{"all", "other.example", probe.ReasonNone, "", map[string]float64{"127.0.0.1": 1}, "127.0.0.1"},
	} {
		t.Run(test.addresses+" "+test.host, func(t *testing.T) {
			literal := test.host == otherLoopback
			m := testModule(t, Options{Resolver: names}, "tcp", fmt.Sprintf(
				"{addresses: %s, preferred_ip_protocol: ip4, ip_protocol_fallback: %t, query_response: [{expect: ready}]}", test.addresses, literal))
			patiently(t, func(t testing.TB, timeout time.Duration) { // of two addresses the first may use up what it gets of the time
				res := runProbe(t, t.Context(), m, net.JoinHostPort(test.host, port), timeout)
				if res.Reason != test.reason || !strings.HasSuffix(res.Err, test.want) || test.want == "" && res.Err != "" { // the attempt's own deadline may say it first
					t.Errorf("outcome:\n got %s: %s\nwant %s: %s", res.Reason, res.Err, test.reason, test.want)
				}
				if diff := cmp.Diff(test.outcomes, outcomes(res)); diff != "" {
					t.Errorf("addresses differ (-want +got):\n%s", diff)
				}
				addr, _ := netip.ParseAddr(test.hash)
				wantValues(t, res, map[string]float64{"probe_ip_addr_hash": addrHash(addr)})
			})
		})
	}
}

// TestAddressesOfBothFamilies: the wanted family comes first, and without fallback it comes alone.
func TestAddressesOfBothFamilies(t *testing.T) {
	names := testResolver{"both.example": {"127.0.0.3", "::1", "127.0.0.3"}}
	for keys, want := range map[string]string{
		"{}":                            "map[127.0.0.3:0 ::1:0] ::1",
		"{preferred_ip_protocol: ip4}":  "map[127.0.0.3:0 ::1:0] 127.0.0.3",
		"{ip_protocol_fallback: false}": "map[::1:0] ::1",
		"{addresses: any}":              "map[127.0.0.3:0 ::1:0] ::1",
	} {
		if !strings.Contains(keys, "addresses") {
			keys = "{addresses: all, " + strings.TrimPrefix(keys, "{")
		}
		_, port, _ := net.SplitHostPort(probetest.RefusedAddr(t))
		res := runProbe(t, t.Context(), testModule(t, Options{Resolver: names}, "tcp", keys), "both.example:"+port, long)
		_, first, _ := strings.Cut(res.Err, "the first of them ")
		first, _, _ = strings.Cut(first, ": ")
		if got := fmt.Sprint(outcomes(res), " ", first); got != want {
			t.Errorf("%s: %s, want %s (%s)", keys, got, want, res.Err)
		}
	}
}

func TestAddressesAreCapped(t *testing.T) {
	var many []string
	for i := range 2 * maxAddresses {
		many = append(many, fmt.Sprintf("127.0.1.%d", i))
	}
	_, port, _ := net.SplitHostPort(probetest.RefusedAddr(t))
	m := testModule(t, Options{Resolver: testResolver{"many.example": many}}, "tcp", "{addresses: all}")
	res := runProbe(t, t.Context(), m, "many.example:"+port, long)
	if got := len(outcomes(res)); got != maxAddresses || !strings.HasPrefix(res.Err, "16 of 16 addresses fail, ") {
		t.Errorf("%d addresses probed (%s), want %d", got, res.Err, maxAddresses)
	}
}

// TestAddressesOfEveryProber: whatever dials can probe all addresses; a target that makes no sense is refused as ever.
func TestAddressesOfEveryProber(t *testing.T) {
	names := testResolver{"bad.example": {"127.0.0.3", "127.0.0.4"}}
	_, port, _ := net.SplitHostPort(probetest.RefusedAddr(t))
	for prober, target := range map[string]string{
		"http": "http://bad.example:" + port, "websocket": "ws://bad.example:" + port, "grpc": "bad.example:" + port, "tcp": "bad.example:" + port,
		"dns": "bad.example:" + port,
	} {
		if _, ok := registered[prober]; !ok {
			continue
		}
		more := map[string]string{"dns": ", query_name: a.example"}[prober]
		m := testModule(t, Options{Resolver: names}, prober, "{addresses: all"+more+"}")
		res := runProbe(t, t.Context(), m, target, long)
		if res.Success() || !strings.HasPrefix(res.Err, "2 of 2 addresses fail, the first of them 127.0.0.3: ") || len(outcomes(res)) != 2 {
			t.Errorf("%s: %s: %s, want both addresses refused", prober, res.Reason, res.Err)
		}
		if res = runProbe(t, t.Context(), m, "http://[::1", long); res.Reason != probe.ReasonConfig && res.Reason != probe.ReasonResolve || len(outcomes(res)) != 0 {
			t.Errorf("%s at a bad target: %s: %s", prober, res.Reason, res.Err)
		}
	}
}

func TestAddressesInvalid(t *testing.T) {
	_, err := buildModules(t, Options{}, "modules: {m: {prober: tcp, tcp: {addresses: both}}}")
	if want := `module "m": line 1: tcp: addresses: found "both", want first, any or all`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
