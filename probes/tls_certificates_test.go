// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// tlsModule makes a module that shakes hands at once, with keys of tls_config.
func tlsModule(t *testing.T, prober, keys string) *probe.Module {
	t.Helper()
	section := map[string]string{
		"tcp":       "{tls: true, tls_config: {" + keys + "}}",
		"http":      "{tls_config: {" + keys + "}}",
		"websocket": "{http_config: {tls_config: {" + keys + "}}}",
		"grpc":      "{tls: true, tls_config: {" + keys + "}}",
		"dns":       "{query_name: a.example, transport_protocol: tcp, dns_over_tls: true, tls_config: {" + keys + "}}",
	}
	return testModule(t, Options{}, prober, section[prober])
}

// tlsTarget is a target that the prober meets with TLS.
func tlsTarget(prober, address string) string {
	return map[string]string{"http": "https://", "websocket": "wss://"}[prober] + address
}

func tlsProbers() (names []string) {
	for _, name := range Names() {
		switch name {
		case "tcp", "http", "websocket", "grpc", "dns":
			names = append(names, name)
		}
	}
	return names
}

// TestCertMetricsOfRefusedCertificates: every prober that speaks TLS shows what it refused, and why, if it is asked to.
func TestCertMetricsOfRefusedCertificates(t *testing.T) {
	ca := probetest.NewCA(t)
	trust := "ca_file: " + ca.File()
	for _, prober := range tlsProbers() {
		for reason, test := range map[string]struct {
			keys string
			cert tls.Certificate
			end  time.Time
		}{
			"expired":   {trust, ca.Expired(), probetest.NotBefore.AddDate(1, 0, 0)},
			"name":      {trust + ", server_name: a.example", ca.Good(), probetest.NotAfter},
			"authority": {"server_name: localhost", ca.Good(), probetest.NotAfter},
		} {
			s := probetest.Serve(t, probetest.TLS(probetest.Config(test.cert)))
			target := tlsTarget(prober, s.Addr)
			res := runProbe(t, t.Context(), tlsModule(t, prober, test.keys+", cert_metrics: [unverified, lifetime]"), target, long)
			if res.Reason != probe.ReasonTLS {
				t.Errorf("%s, %s: %s: %s, want tls", prober, reason, res.Reason, res.Err)
			}
			if got, ok := probetest.Value(res.Samples, "probe_tls_verified", reason); !ok || got != 0 {
				t.Errorf("%s: no probe_tls_verified{reason=%q} 0 in\n%s", prober, reason, probetest.Exposition(res.Samples))
			}
			wantValues(t, res, map[string]float64{
				"probe_ssl_earliest_cert_expiry":                       float64(test.end.Unix()),
				"probe_ssl_earliest_cert_not_before_timestamp_seconds": float64(probetest.NotBefore.Unix()),
				"probe_ssl_last_chain_expiry_timestamp_seconds":        -1,
			})
			if !strings.Contains(probetest.Exposition(res.Samples), `probe_ssl_last_chain_info{fingerprint_sha256="`+probetest.Fingerprint(test.cert)) {
				t.Errorf("%s, %s: the certificate is not shown", prober, reason)
			}
			res = runProbe(t, t.Context(), tlsModule(t, prober, test.keys), target, long)
			for _, d := range certDescs {
				if _, ok := probetest.Value(res.Samples, d.Name); ok {
					t.Errorf("%s, %s: %s is there without cert_metrics", prober, reason, d.Name)
				}
			}
		}
	}
}

// TestCertMetricsOfAcceptedCertificates tells a verified certificate from one that nobody looked at.
func TestCertMetricsOfAcceptedCertificates(t *testing.T) {
	ca := probetest.NewCA(t)
	s := probetest.Serve(t, probetest.TLS(probetest.Config(ca.Good())))
	for reason, test := range map[string]struct {
		keys     string
		verified float64
	}{"": {"ca_file: " + ca.File(), 1}, "skipped": {"insecure_skip_verify: true", 0}} {
		res := runProbe(t, t.Context(), tlsModule(t, "tcp", test.keys+", cert_metrics: [lifetime, unverified]"), s.Addr, long)
		if !res.Success() {
			t.Fatal(res.Err)
		}
		if got, ok := probetest.Value(res.Samples, "probe_tls_verified", reason); !ok || got != test.verified {
			t.Errorf("probe_tls_verified{reason=%q} is %v, want %v", reason, got, test.verified)
		}
		left, ok := probetest.Value(res.Samples, "probe_ssl_cert_lifetime_remaining_ratio")
		if now := float64(time.Now().Unix()); !ok || left >= 1 || left <= 0 || now < float64(probetest.NotBefore.Unix()) {
			t.Errorf("fraction left is %v, want one between 0 and 1", left)
		}
		res = runProbe(t, t.Context(), tlsModule(t, "tcp", test.keys), s.Addr, long)
		wantValues(t, res, map[string]float64{"probe_ssl_cert_lifetime_remaining_ratio": -1,
			"probe_ssl_earliest_cert_not_before_timestamp_seconds": -1, "probe_ssl_earliest_cert_expiry": float64(probetest.NotAfter.Unix())})
		if _, ok := probetest.Value(res.Samples, "probe_tls_verified", reason); ok {
			t.Error("probe_tls_verified is there without cert_metrics")
		}
	}
}

func TestCertMetricsInvalid(t *testing.T) {
	_, err := buildModules(t, Options{}, "modules: {m: {prober: tcp, tcp: {tls_config: {cert_metrics: [all]}}}}")
	if want := `module "m": line 1: tcp: tls_config: cert_metrics: found "all", want unverified or lifetime`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLifetimeLeft(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cert := func(days int) *x509.Certificate {
		return &x509.Certificate{NotBefore: start, NotAfter: start.AddDate(0, 0, days)}
	}
	at := func(days int) time.Time { return start.AddDate(0, 0, days) }
	for _, test := range []struct {
		certs []*x509.Certificate
		now   time.Time
		want  float64
	}{
		{[]*x509.Certificate{cert(100)}, at(75), 0.25},
		{[]*x509.Certificate{cert(100), cert(80)}, at(60), 0.25},
		{[]*x509.Certificate{cert(100)}, at(101), 0},
		{[]*x509.Certificate{cert(100)}, at(-1), 1},
		{[]*x509.Certificate{cert(0)}, at(0), 0},
		{[]*x509.Certificate{cert(365_000), cert(400_000)}, at(182_500), 0.5},
	} {
		if got := lifetimeLeft(test.certs, test.now); got != test.want {
			t.Errorf("%v at %s: %v, want %v", test.certs[0].NotAfter, test.now, got, test.want)
		}
	}
}

func TestUnverifiedReason(t *testing.T) {
	for want, err := range map[string]error{
		"expired": x509.CertificateInvalidError{Reason: x509.Expired}, "invalid": x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign},
		"name": x509.HostnameError{}, "authority": x509.UnknownAuthorityError{},
	} {
		if got := unverifiedReason(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
	if got := unverifiedReason(errors.New("other")); got != "invalid" {
		t.Errorf("got %s, want invalid", got)
	}
}
