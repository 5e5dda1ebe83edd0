// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"time"

	"skywatch/internal/probe"
)

var (
	descEarliestExpiry = &probe.Desc{Name: "probe_ssl_earliest_cert_expiry", Help: "When the first of the peer's certificates expires, in unixtime."}
	descChainExpiry    = &probe.Desc{Name: "probe_ssl_last_chain_expiry_timestamp_seconds", Help: "When the last of the verified chains expires, in unixtime."}
	descChainInfo      = &probe.Desc{Name: "probe_ssl_last_chain_info", Help: "The peer's own certificate.",
		Labels: []string{"fingerprint_sha256", "subject", "issuer", "subjectalternative", "serialnumber"}}
	descTLSVersion = &probe.Desc{Name: "probe_tls_version_info", Help: "The TLS version in use.", Labels: []string{"version"}}
	descTLSCipher  = &probe.Desc{Name: "probe_tls_cipher_info", Help: "The TLS cipher suite in use.", Labels: []string{"cipher"}}

	// tlsDescs are the metrics that recordTLS sets without the cipher, and those that cert_metrics adds.
	tlsDescs = append([]*probe.Desc{descChainExpiry, descTLSVersion}, certDescs...)
)

// recordTLS sets the TLS metrics and facts of an established connection. The expiry of the chain needs a verified one; without, it is
// left out, or the zero time in Unix seconds if that is wanted exactly as blackbox_exporter has it.
func recordTLS(r *probe.Recorder, state *tls.ConnectionState, withCipher bool, compat Compat) {
	if len(state.PeerCertificates) > 0 {
		recordCertificates(r, state.PeerCertificates)
		leaf := state.PeerCertificates[0]
		r.Log.Debug("certificate", "subject", leaf.Subject.String(), "issuer", leaf.Issuer.String(), "not_after", leaf.NotAfter.UTC())
		if last := lastChain(state.VerifiedChains); !last.IsZero() || compat == Exact {
			r.Set(descChainExpiry, float64(last.Unix()))
		}
	}
	version := tlsVersionName(state.Version)
	r.Set(descTLSVersion, 1, version)
	r.Fact("tls_version", version)
	if withCipher {
		r.Set(descTLSCipher, 1, tls.CipherSuiteName(state.CipherSuite))
	}
}

// recordCertificates sets what a peer's certificates show by themselves.
func recordCertificates(r *probe.Recorder, peer []*x509.Certificate) {
	leaf := peer[0]
	r.Set(descEarliestExpiry, float64(firstToExpire(peer).NotAfter.Unix()))
	sum := sha256.Sum256(leaf.Raw)
	serial := hex.EncodeToString(leaf.SerialNumber.Bytes())
	r.Set(descChainInfo, 1, hex.EncodeToString(sum[:]), leaf.Subject.String(), leaf.Issuer.String(), strings.Join(leaf.DNSNames, ","), serial)
	r.Fact("certificate_serial", serial)
	r.Fact("certificate_not_after", leaf.NotAfter.UTC().Format(time.RFC3339))
}

// lastChain is the end of the chain that stays valid longest; the zero time without a verified chain.
func lastChain(chains [][]*x509.Certificate) time.Time {
	var last time.Time
	for _, chain := range chains {
		if end := firstToExpire(chain).NotAfter; end.After(last) {
			last = end
		}
	}
	return last
}

func tlsVersionName(version uint16) string {
	switch version {
	case tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13:
		return tls.VersionName(version)
	}
	return "unknown"
}
