// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nogrpc

package probes

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// TestGRPCVector39 has the answers of a health server.
func TestGRPCVector39(t *testing.T) {
	server := serveHealth(t, nil, healthServer()).addr
	nothing := serveHealth(t, nil, nil).addr
	for _, c := range []struct {
		section, server, err string
		code                 float64
		serving              string
	}{
		{"{service: service1}", server, "", 0, "SERVING"},
		{"{}", server, "", 0, "SERVING"},
		{"", server, "", 0, "SERVING"},
		{"{service: service2}", server, `response: checking the service "service2" of "SERVER": found NOT_SERVING, want SERVING`, 0, "NOT_SERVING"},
		{"{service: x}", server, `response: checking the service "x" of "SERVER": code NotFound (5), "unknown service", want SERVING`, 5, "none"},
		{"{}", nothing, `response: checking the server "SERVER": code Unimplemented (12), "unknown service grpc.health.v1.Health", want SERVING`, 12, "none"},
		{"{metadata: {Token: [x]}}", server,
			`config: checking the server "SERVER": code Internal (13), "header key \"Token\" contains illegal characters not in [0-9a-z-_.]", want SERVING`, 13, "none"},
	} {
		res := checkGRPC(t, Options{}, c.section, c.server)
		if got, want := outcome(res), strings.ReplaceAll(c.err, "SERVER", c.server); got != want {
			t.Errorf("%s: %q, want %q", c.section, got, want)
		}
		if got := value(t, res, "probe_grpc_status_code"); got != c.code {
			t.Errorf("%s: code %v, want %v", c.section, got, c.code)
		}
		if got := servingStatuses(t, res); got != c.serving {
			t.Errorf("%s: serving status %q, want %q", c.section, got, c.serving)
		}
		if got := value(t, res, "probe_grpc_ssl"); got != 0 {
			t.Errorf("%s: ssl %v, want 0", c.section, got)
		}
	}
}

func TestGRPCOverTLS(t *testing.T) {
	ca := probetest.NewCA(t)
	server := serveHealth(t, probetest.Config(ca.Good()), healthServer())
	secure := "{tls: true, service: service1, tls_config: {ca_file: " + ca.File() + "}}"
	res := checkGRPC(t, Options{}, secure, strings.Replace(server.addr, "127.0.0.1", "localhost", 1))
	if got := outcome(res); got != "" {
		t.Fatalf("outcome %q, want success", got)
	}
	want := "probe_dns_lookup_time_seconds probe_grpc_duration_seconds probe_grpc_healthcheck_response probe_grpc_ssl probe_grpc_status_code " +
		"probe_ip_addr_hash probe_ip_protocol probe_ssl_earliest_cert_expiry probe_ssl_last_chain_info probe_tls_version_info"
	if got := strings.Join(probetest.Names(res.Samples), " "); got != want {
		t.Errorf("metrics %s, want %s", got, want)
	}
	if value(t, res, "probe_grpc_ssl") != 1 || value(t, res, "probe_tls_version_info", "TLS 1.3") != 1 {
		t.Error("ssl or version is not 1")
	}
	if name, authority := server.serverName(), server.asked(":authority"); name != "localhost" || authority != "localhost" {
		t.Errorf("asked for %q at %q, want localhost for both", name, authority)
	}
	plain := checkGRPC(t, Options{}, "{}", server.addr)
	if plain.Reason != probe.ReasonProtocol || value(t, plain, "probe_grpc_status_code") != 14 {
		t.Errorf("without TLS: %s, want protocol with code 14", outcome(plain))
	}
}

// TestGRPCTLSFailures has handshakes that fail, before and after the address is known.
func TestGRPCTLSFailures(t *testing.T) {
	ca := probetest.NewCA(t)
	server := serveHealth(t, probetest.Config(ca.Good()), healthServer()).addr
	noALPN := probetest.Serve(t, probetest.TLS(probetest.Config(ca.Good()))).Addr
	for name, c := range map[string]struct {
		section, server, err, names string
		code                        float64
	}{
		"unknown CA": {"{tls: true}", server, `tls: checking the server "SERVER": TLS handshake with "SERVER": failed to verify certificate: ` +
			`x509: certificate signed by unknown authority, want a verified connection`, grpcMetrics, 14},
		"missing file": {"{tls: true, tls_config: {ca_file: /nonexistent}}", server, `config: opening "/nonexistent": no such file or directory, want a readable file`,
			grpcBefore, 0},
		"no ALPN": {"{tls: true, tls_config: {insecure_skip_verify: true}}", noALPN,
			`protocol: checking the server "SERVER": TLS handshake with "SERVER": the server did not choose a protocol, want h2 by ALPN`, grpcMetrics, 14},
	} {
		res := checkGRPC(t, Options{}, c.section, c.server)
		if got, want := outcome(res), strings.ReplaceAll(c.err, "SERVER", c.server); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if got := value(t, res, "probe_grpc_status_code"); got != c.code {
			t.Errorf("%s: code %v, want %v", name, got, c.code)
		}
		if got, want := len(probetest.Names(res.Samples)), len(strings.Fields(c.names)); got != want {
			t.Errorf("%s: metrics %s, want %s", name, probetest.Names(res.Samples), c.names)
		}
	}
}

// TestGRPCDeadline has servers that take too long: code 4, whoever notices.
func TestGRPCDeadline(t *testing.T) {
	hangs := serveHealth(t, nil, checkFunc(func(ctx context.Context, _ string) (*grpc_health_v1.HealthCheckResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})).addr
	silent := probetest.Serve(t, probetest.Silence()).Addr
	for _, server := range []string{hangs, silent} {
		for _, section := range []string{"{}", "{tls: true}"} {
			if server == hangs && section != "{}" {
				continue
			}
			res := runProbe(t, t.Context(), testModule(t, Options{}, "grpc", section), server, short)
			want := `timeout: checking the server "` + server + `": no answer in time, want SERVING: context deadline exceeded`
			if got := outcome(res); got != want {
				t.Errorf("%s: %q, want %q", section, got, want)
			}
			if got := value(t, res, "probe_grpc_status_code"); got != 4 {
				t.Errorf("%s: code %v, want 4", section, got)
			}
		}
	}
}

func TestGRPCMetadata(t *testing.T) {
	allow := checkFunc(func(ctx context.Context, _ string) (*grpc_health_v1.HealthCheckResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		if got := strings.Join(md.Get("authorization"), ","); got != "Bearer hunter22" {
			return nil, status.Errorf(codes.Unauthenticated, "not with %q", got)
		}
		return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
	})
	server := serveHealth(t, nil, allow)
	if got := outcome(checkGRPC(t, Options{UserAgent: "skywatch/1"}, "{metadata: {authorization: [Bearer hunter22], x-a: [b, c]}}", server.addr)); got != "" {
		t.Errorf("outcome %q, want success", got)
	}
	if got := server.asked("x-a"); got != "b,c" || !strings.HasPrefix(server.asked("user-agent"), "skywatch/1 ") {
		t.Errorf("x-a is %q and the user agent %q, want all values and ours", got, server.asked("user-agent"))
	}
	refusal := `auth: checking the server "` + server.addr + `": code Unauthenticated (16), "not with \"<secret>\"", want SERVING`
	res := checkGRPC(t, Options{}, "{metadata: {authorization: [Bearer hunter23]}}", server.addr)
	if got := outcome(res); got != refusal || strings.Contains(res.Trace.String(), "hunter23") {
		t.Errorf("outcome %q, want %q", got, refusal)
	}
	if res := checkGRPC(t, Options{}, "{}", server.addr); res.Reason != probe.ReasonResponse {
		t.Errorf("without a credential: %s, want response", outcome(res))
	}
}

func TestValidMetadata(t *testing.T) {
	for key, want := range map[string]bool{"authorization": true, "x-1_2.z": true, "x-bin": true, "Token": false, "": false, "a b": false, "ä": false} {
		if got := validMetadata(key, []string{"v w~"}); got != want {
			t.Errorf("%q: %v, want %v", key, got, want)
		}
	}
	if validMetadata("a", []string{"ok", "\x01"}) || validMetadata("a", []string{"é"}) || !validMetadata("a-bin", []string{"\x01"}) {
		t.Error("values: want printable ASCII only, but anything for a key in -bin")
	}
}

func TestGRPCTargets(t *testing.T) {
	resolver := testResolver{"localhost": {"127.0.0.1"}}
	plain := testModule(t, Options{Resolver: resolver}, "grpc", "{}").Prober.(*GRPC)
	secure := testModule(t, Options{Resolver: resolver}, "grpc", "{tls: true}").Prober.(*GRPC)
	for target, want := range map[string]string{
		"h":                        "h:80 h:443",
		"h:1":                      "h:1 h:1",
		"http://h":                 "h:80 h:443",
		"https://h:1/path?q=a#b":   "h:1 h:1",
		"https://user:pass@h/path": "h:80 h:443",
		"::1":                      "[::1]:80 [::1]:443",
		"[::1]":                    "[::1]:80 [::1]:443",
		"[::1]:1":                  "[::1]:1 [::1]:1",
		"http://[::1]:1":           "[::1]:1 [::1]:1",
		"":                         "config config",
		"http://":                  "config config",
		"h:nosuchport":             "config config",
	} {
		var got []string
		for _, g := range []*GRPC{plain, secure} {
			host, port, err := g.target(t.Context(), probe.NewTarget(target))
			text := joinHostPort(host, port)
			if err != nil {
				text = probe.ReasonOf(err).String()
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// TestGRPCDialsTheChosenAddress takes a name that only our resolver knows, and address literals of both families.
func TestGRPCDialsTheChosenAddress(t *testing.T) {
	server := serveHealth(t, nil, healthServer())
	_, port, _ := net.SplitHostPort(server.addr)
	resolver := testResolver{"health.example": {"127.0.0.1"}}
	if got := outcome(checkGRPC(t, Options{Resolver: resolver}, "{}", "health.example:"+port)); got != "" {
		t.Errorf("outcome %q, want success", got)
	}
	if got := server.asked(":authority"); got != "health.example:"+port {
		t.Errorf("authority %q, want the name as asked", got)
	}
	six := serveHealthAt(t, "[::1]:0", nil, healthServer())
	res := checkGRPC(t, Options{}, "{}", six.addr)
	if got := outcome(res); got != "" || six.asked(":authority") != six.addr || value(t, res, "probe_ip_protocol") != 6 {
		t.Errorf("outcome %q, authority %q, want success over IPv6", got, six.asked(":authority"))
	}
}

// TestGRPCWithoutSection shows the switch: with Exact a module without section has no fallback to IPv4.
func TestGRPCWithoutSection(t *testing.T) {
	server := serveHealth(t, nil, healthServer()).addr
	for compat, sections := range map[Compat]map[string]probe.Reason{
		Fixed: {"": probe.ReasonNone, "{}": probe.ReasonNone},
		Exact: {"": probe.ReasonResolve, "{}": probe.ReasonNone},
	} {
		for section, want := range sections {
			res := checkGRPC(t, Options{Compat: compat, Resolver: localhost}, section, server)
			if res.Reason != want {
				t.Errorf("exact %v, section %q: %s, want %q", compat, section, outcome(res), want)
			}
			if want == probe.ReasonResolve && value(t, res, "probe_grpc_status_code") != 0 {
				t.Error("code before the call is not 0")
			}
		}
	}
}

// TestGRPCLosesConnection has a server that goes away each time: one connection, no second one.
func TestGRPCLosesConnection(t *testing.T) {
	settings := "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	server := probetest.Serve(t, probetest.Send(settings))
	res := checkGRPC(t, Options{}, "{}", server.Addr)
	if res.Reason != probe.ReasonProtocol {
		t.Errorf("%s, want protocol", outcome(res))
	}
	if got := len(server.Accepted); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
}

// TestGRPCFlood has a server that sends valid frames without end.
func TestGRPCFlood(t *testing.T) {
	settings, ping := "\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x00\x00\x08\x06\x01\x00\x00\x00\x0012345678"
	server := probetest.Serve(t, probetest.Send(settings), probetest.Endless(ping))
	res := checkGRPC(t, Options{}, "{}", server.Addr)
	if res.Reason != probe.ReasonProtocol {
		t.Errorf("%s, want protocol", outcome(res))
	}
}

func TestGRPCRefusesAtLoad(t *testing.T) {
	for section, want := range map[string]string{
		"{metadata: {a: b}}":                   `module "m": grpc: line 1: found the string, want a list`,
		"{preferred_ip_protocol: x}":           `module "m": line 1: grpc: preferred_ip_protocol: found "x", want ip4 or ip6`,
		"{tls_config: {ca: x, ca_file: y}}":    `module "m": line 1: grpc: tls_config: both ca and ca_file given, want at most one`,
		"{tls: true, service: a, nosuch: key}": `module "m": grpc: line 1: unknown field "nosuch"`,
	} {
		wantLoadError(t, Options{}, "grpc", section, want)
	}
}

func TestGRPCWire(t *testing.T) {
	check := &grpcCheck{address: netip.AddrPort{}}
	first := check.note(errors.New("first"))
	check.note(errors.New("second"))
	if fault := check.noted(); fault != first {
		t.Errorf("fault %v, want the first one", fault)
	}
	tls := grpcTLS{}
	if _, _, err := tls.ServerHandshake(nil); err == nil || tls.OverrideServerName("x") != nil || tls.Clone().Info().SecurityProtocol != "tls" {
		t.Error("credentials changed, want those of a TLS client")
	}
}
