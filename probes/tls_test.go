// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

func TestTLSConfigRefused(t *testing.T) {
	for want, c := range map[string]TLSConfig{
		"tls_config: both ca and ca_file given, want at most one":                                        {CA: "x", CAFile: "y"},
		"tls_config: both cert and cert_file given, want at most one":                                    {Cert: "x", CertFile: "y"},
		"tls_config: both key and key_file given, want at most one":                                      {Key: "x", KeyFile: "y"},
		"tls_config: cert without key, want exactly one of key and key_file with a client certificate":   {Cert: "x"},
		"tls_config: key without cert, want exactly one of cert and cert_file with a client key":         {KeyFile: "x"},
		"tls_config: ca_ref needs a secret manager, which skywatch does not have, want ca or ca_file":    {CARef: "x"},
		"tls_config: key_ref needs a secret manager, which skywatch does not have, want key or key_file": {KeyRef: "x"},
		`tls_config: min_version: unknown TLS version "TLS9", want TLS10, TLS11, TLS12 or TLS13`:         {MinVersion: "TLS9"},
		`tls_config: max_version: unknown TLS version "1.2", want TLS10, TLS11, TLS12 or TLS13`:          {MaxVersion: "1.2"},
		"tls_config: max_version TLS12 is below min_version TLS13, want a range":                         {MinVersion: "TLS13", MaxVersion: "TLS12"},
	} {
		if err := c.validate(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// handshake makes a TLS connection to a server with the certificate, and records it.
func handshake(t *testing.T, conf TLSConfig, name string, o Options, server *tls.Config) (probe.Result, *probetest.Server) {
	t.Helper()
	if err := conf.validate(); err != nil {
		t.Fatal(err)
	}
	s := probetest.Serve(t, probetest.TLS(server))
	return runFunc(t, func(ctx context.Context, r *probe.Recorder) error {
		wire, err := net.Dial("tcp", s.Addr)
		if err != nil {
			return err
		}
		wire = r.Track(wire, 0)
		defer wire.Close()
		client, err := conf.client(name, o, r.Log)
		if err != nil {
			return err
		}
		secured, err := startTLS(ctx, wire, client, "server:443", r)
		if err != nil {
			return err
		}
		state := secured.ConnectionState()
		recordTLS(r, &state, true, o.Compat)
		return nil
	}), s
}

func TestTLSVerification(t *testing.T) {
	ca := probetest.NewCA(t)
	trusted := TLSConfig{CA: string(ca.PEM)}
	for name, test := range map[string]struct {
		conf TLSConfig
		cert tls.Certificate
		err  string
	}{
		"good":        {trusted, ca.Good(), ""},
		"expired":     {trusted, ca.Expired(), "certificate has expired"},
		"wrong name":  {trusted, ca.For("other.example"), "not localhost"},
		"self-signed": {trusted, probetest.SelfSigned(t), "certificate signed by unknown authority"},
		"unknown CA":  {TLSConfig{}, ca.Good(), "certificate signed by unknown authority"},
		"skipped":     {TLSConfig{InsecureSkipVerify: true}, ca.Expired(), ""},
		"other name":  {TLSConfig{CA: string(ca.PEM), ServerName: "other.example"}, ca.For("other.example"), ""},
		"versions":    {TLSConfig{CA: string(ca.PEM), MaxVersion: "TLS12"}, ca.Good(), "protocol version not supported"},
	} {
		server := probetest.Config(test.cert)
		server.MinVersion = tls.VersionTLS13
		res, _ := handshake(t, test.conf, "localhost", Options{}, server)
		if test.err == "" {
			if !res.Success() {
				t.Errorf("%s: %s", name, res.Err)
			}
			continue
		}
		if res.Reason != probe.ReasonTLS || !strings.HasPrefix(res.Err, `TLS handshake with "server:443": `) || !strings.Contains(res.Err, test.err) {
			t.Errorf("%s: %s: %s, want %s", name, res.Reason, res.Err, test.err)
		}
		if len(res.Samples) != 0 {
			t.Errorf("%s: metrics %v, want none", name, probetest.Names(res.Samples))
		}
	}
}

func TestRecordTLS(t *testing.T) {
	ca := probetest.NewCA(t)
	cert := ca.Good()
	res, server := handshake(t, TLSConfig{CA: string(ca.PEM), MinVersion: "TLS13"}, "localhost", Options{}, probetest.Config(cert))
	const end = "4.1024448e+09" // 2100-01-01
	want := map[string]string{
		"probe_ssl_earliest_cert_expiry":                " " + end,
		"probe_ssl_last_chain_expiry_timestamp_seconds": " " + end,
		"probe_ssl_last_chain_info": `{fingerprint_sha256="` + probetest.Fingerprint(cert) +
			`",issuer="CN=Test CA",serialnumber="0bffbc",subject="CN=localhost,O=Lab",subjectalternative="localhost,www.localhost"} 1`,
		"probe_tls_version_info": `{version="TLS 1.3"} 1`,
		"probe_tls_cipher_info":  `{cipher="TLS_AES_128_GCM_SHA256"} 1`,
	}
	text := probetest.Exposition(res.Samples)
	for name, rest := range want {
		if !strings.Contains(text, "\n"+name+rest+"\n") {
			t.Errorf("no %s%s in\n%s", name, rest, text)
		}
	}
	facts := []probe.Fact{{Key: "certificate_serial", Value: "0bffbc"}, {Key: "certificate_not_after", Value: "2100-01-01T00:00:00Z"}, {Key: "tls_version", Value: "TLS 1.3"}}
	if diff := cmp.Diff(facts, res.Facts); diff != "" {
		t.Error(diff)
	}
	if names := server.ServerNames(); len(names) != 1 || names[0] != "localhost" {
		t.Errorf("asked for %q, want localhost", names)
	}
}

// TestRecordTLSUnverified: without a verified chain there is no expiry of one, unless wanted exactly as blackbox_exporter has it.
func TestRecordTLSUnverified(t *testing.T) {
	ca := probetest.NewCA(t)
	for compat, want := range map[Compat]float64{Fixed: -1, Exact: -62135596800} {
		res, _ := handshake(t, TLSConfig{InsecureSkipVerify: true}, "localhost", Options{Compat: compat}, probetest.Config(ca.Good()))
		wantValues(t, res, map[string]float64{
			"probe_ssl_last_chain_expiry_timestamp_seconds": want,
			"probe_ssl_earliest_cert_expiry":                float64(probetest.NotAfter.Unix()),
		})
	}
}

// TestLastChain: of each chain the first certificate to expire counts, of the chains the one that lasts longest.
func TestLastChain(t *testing.T) {
	until := func(years ...int) (chain []*x509.Certificate) {
		for _, year := range years {
			chain = append(chain, &x509.Certificate{NotAfter: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)})
		}
		return chain
	}
	for _, test := range []struct {
		chains [][]*x509.Certificate
		want   int
	}{
		{[][]*x509.Certificate{until(2030, 2027, 2040)}, 2027},
		{[][]*x509.Certificate{until(2030, 2027), until(2030, 2029, 2050), until(2030, 2028)}, 2029},
		{nil, 1},
	} {
		if got := lastChain(test.chains).Year(); got != test.want {
			t.Errorf("%d chains: %d, want %d", len(test.chains), got, test.want)
		}
	}
}

// TestTLSHandshakeBudget: a handshake is under the byte budget of its connection.
func TestTLSHandshakeBudget(t *testing.T) {
	s := probetest.Serve(t, probetest.TLS(probetest.Config(probetest.SelfSigned(t))))
	res := runFunc(t, func(ctx context.Context, r *probe.Recorder) error {
		wire, err := net.Dial("tcp", s.Addr)
		if err != nil {
			return err
		}
		defer wire.Close()
		_, err = startTLS(ctx, r.Track(wire, 100), &tls.Config{ServerName: "localhost"}, "server:443", r)
		return err
	})
	if res.Reason != probe.ReasonProtocol || !strings.Contains(res.Err, "more than 100 bytes received") {
		t.Errorf("%s: %s, want protocol", res.Reason, res.Err)
	}
}

func TestTLSVersionName(t *testing.T) {
	for version, want := range map[uint16]string{tls.VersionTLS10: "TLS 1.0", tls.VersionTLS13: "TLS 1.3", 0x9999: "unknown"} {
		if got := tlsVersionName(version); got != want {
			t.Errorf("%x: %s, want %s", version, got, want)
		}
	}
}

// TestTLSClientCertificate shows that a server gets the certificate it asks for.
func TestTLSClientCertificate(t *testing.T) {
	ca := probetest.NewCA(t)
	cert, key := probetest.PairPEM(t, ca.Good())
	server := probetest.Config(ca.Good())
	server.ClientAuth, server.ClientCAs, server.MaxVersion = tls.RequireAndVerifyClientCert, ca.Pool(), tls.VersionTLS12
	res, _ := handshake(t, TLSConfig{CA: string(ca.PEM), Cert: string(cert), Key: probe.Secret(key)}, "localhost", Options{}, server)
	if !res.Success() {
		t.Errorf("with certificate: %s", res.Err)
	}
	res, _ = handshake(t, TLSConfig{CA: string(ca.PEM)}, "localhost", Options{}, server)
	if res.Reason != probe.ReasonTLS {
		t.Errorf("without certificate: %s %s, want tls", res.Reason, res.Err)
	}
}
