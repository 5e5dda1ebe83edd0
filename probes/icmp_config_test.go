// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noicmp

package probes

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"skywatch/internal/probe"
)

func TestICMPRefusesAtLoad(t *testing.T) {
	for section, want := range map[string]string{
		"{ttl: -1}":                                    `module "m": line 1: icmp: "ttl" cannot be negative, found -1, want 0 to 255`,
		"{ttl: 256}":                                   `module "m": line 1: icmp: "ttl" cannot exceed 255, found 256, want 0 to 255`,
		"{payload_size: -1}":                           `module "m": line 1: icmp: payload_size: found -1, want 0 to 65507`,
		"{payload_size: 65508}":                        `module "m": line 1: icmp: payload_size: found 65508, want 0 to 65507`,
		"{source_ip_address: localhost}":               `module "m": line 1: icmp: source_ip_address: found "localhost", want an IP address`,
		"{count: -1}":                                  `module "m": line 1: icmp: count: found -1, want 1 to 1000`,
		"{count: 1001}":                                `module "m": line 1: icmp: count: found 1001, want 1 to 1000`,
		"{count: 1, interval: 1s}":                     `module "m": line 1: icmp: interval: there is one request only, want a count above 1`,
		"{max_loss: 0}":                                `module "m": line 1: icmp: max_loss: there is one request only, want a count above 1`,
		"{count: 2, max_loss: 1}":                      `module "m": line 1: icmp: max_loss: found 1, want 0 or more and less than 1`,
		"{count: 2, max_loss: -0.1}":                   `module "m": line 1: icmp: max_loss: found -0.1, want 0 or more and less than 1`,
		"{count: 2, max_loss: .nan}":                   `module "m": line 1: icmp: max_loss: found NaN, want 0 or more and less than 1`,
		"{count: 2, interval: 9ms}":                    `module "m": line 1: icmp: interval: found 9ms, want at least 10ms`,
		"{count: 2, interval: -1s}":                    `module "m": line 1: icmp: interval: found -1s, want at least 10ms`,
		"{count: 2, max_loss: 10%}":                    `module "m": icmp: line 1: max_loss: found the string 10%, want a number`,
		"{count: 1000, interval: 10ms, max_loss: 0.5}": "",
		"{count: 1}":                                   "",
		"{ttl: 255, payload_size: 0}":                  "",
	} {
		wantLoadError(t, Options{}, "icmp", section, want)
	}
}

func TestICMPTargets(t *testing.T) {
	m := testModule(t, Options{}, "icmp", "{}")
	for _, target := range []string{"127.0.0.1:80", "[::1]", "http://localhost", "user@localhost", "localhost/x"} {
		res := runProbe(t, t.Context(), m, target, long)
		want := `config: reading target "` + probe.NewTarget(target).String() + `": not a bare host, want a name or an address without scheme, port and brackets`
		if got := outcome(res); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
		if value(t, res, "probe_ip_protocol") != 0 {
			t.Errorf("%s: ip_protocol is not 0", target)
		}
	}
	if got, want := outcome(runProbe(t, t.Context(), m, "nosuch", long)), `resolve: resolving "nosuch": no such host, want an address`; got != want {
		t.Errorf("outcome %q, want %q", got, want)
	}
}

func TestICMPSourceOfOtherFamily(t *testing.T) {
	m := testModule(t, Options{}, "icmp", "{source_ip_address: '::1'}")
	want := `config: pinging "127.0.0.1": source_ip_address ::1 has another family than 127.0.0.1, want the same`
	res := runProbe(t, t.Context(), m, "127.0.0.1", long)
	if got := outcome(res); got != want || res.Verdict != probe.Inconclusive {
		t.Errorf("outcome %q, verdict %s, want %q and inconclusive", got, res.Verdict, want)
	}
}

func TestICMPWithoutPermission(t *testing.T) {
	unprivileged := os.NewSyscallError("socket", syscall.EACCES)
	raw := os.NewSyscallError("socket", syscall.EPERM)
	for _, c := range []struct {
		unprivileged, raw error
		want              string
	}{
		{unprivileged, raw, "opening a socket: unprivileged socket: socket: permission denied; raw socket: socket: operation not permitted, " +
			"want our group within net.ipv4.ping_group_range (sysctl), or the capability CAP_NET_RAW"},
		{nil, raw, "opening a socket: raw socket: socket: operation not permitted, want the capability CAP_NET_RAW, which dont_fragment needs"},
		{unprivileged, errors.New("no such family"), "opening a socket: unprivileged socket: socket: permission denied; raw socket: no such family, want one of them"},
	} {
		err := socketError(c.unprivileged, c.raw)
		if err.Error() != c.want || probe.ReasonOf(err) != probe.ReasonConfig {
			t.Errorf("%s: %q, want config: %q", probe.ReasonOf(err), err, c.want)
		}
	}
}
