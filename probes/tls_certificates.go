// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"skywatch/internal/probe"
)

// The groups of metrics that cert_metrics adds to those of blackbox_exporter.
const (
	certUnverified = "unverified" // those of the certificate even when it was refused, and whether it was verified
	certLifetime   = "lifetime"   // when it began, and how much of its life is left
)

var (
	descTLSVerified = &probe.Desc{Name: "probe_tls_verified", Labels: []string{"reason"},
		Help: "Whether the peer's certificate was verified; if not, why: expired, name, authority, skipped or invalid."}
	descCertNotBefore = &probe.Desc{Name: "probe_ssl_earliest_cert_not_before_timestamp_seconds",
		Help: "When the one of the peer's certificates that expires first began to be valid, in unixtime."}
	descCertLifetime = &probe.Desc{Name: "probe_ssl_cert_lifetime_remaining_ratio",
		Help: "Least fraction of its lifetime that one of the peer's certificates has left, from 0 to 1."}

	// certDescs are the metrics that cert_metrics asks for; the first two are also without it where a prober uses recordTLS.
	certDescs = []*probe.Desc{descEarliestExpiry, descChainInfo, descTLSVerified, descCertNotBefore, descCertLifetime}
)

func (c *TLSConfig) validateCertMetrics() error {
	for _, group := range c.CertMetrics {
		if group != certUnverified && group != certLifetime {
			return fmt.Errorf("tls_config: cert_metrics: found %q, want %s or %s", group, certUnverified, certLifetime)
		}
	}
	return nil
}

// startTLS is the function of this name, and records what cert_metrics asks for.
func (c *TLSConfig) startTLS(ctx context.Context, conn net.Conn, conf *tls.Config, server string, r *probe.Recorder) (*tls.Conn, error) {
	secured, err := startTLS(ctx, conn, conf, server, r)
	if err != nil {
		c.refused(r, err)
		return nil, err
	}
	state := secured.ConnectionState()
	c.accepted(r, &state)
	return secured, nil
}

// accepted records the certificates of an established connection, as far as cert_metrics asks for more than recordTLS sets.
func (c *TLSConfig) accepted(r *probe.Recorder, state *tls.ConnectionState) {
	verified, why := 1.0, ""
	if len(state.VerifiedChains) == 0 {
		verified, why = 0, "skipped"
	}
	c.recordPeer(r, state.PeerCertificates, verified, why)
}

// refused records the certificates that made a handshake fail, if that was the cause and cert_metrics wants them.
func (c *TLSConfig) refused(r *probe.Recorder, err error) {
	var cause *tls.CertificateVerificationError
	if slices.Contains(c.CertMetrics, certUnverified) && errors.As(err, &cause) {
		c.recordPeer(r, cause.UnverifiedCertificates, 0, unverifiedReason(cause.Err))
	}
}

func (c *TLSConfig) recordPeer(r *probe.Recorder, peer []*x509.Certificate, verified float64, why string) {
	if len(peer) == 0 {
		return
	}
	if slices.Contains(c.CertMetrics, certUnverified) {
		recordCertificates(r, peer)
		r.Set(descTLSVerified, verified, why)
	}
	if slices.Contains(c.CertMetrics, certLifetime) {
		r.Set(descCertNotBefore, float64(firstToExpire(peer).NotBefore.Unix()))
		r.Set(descCertLifetime, lifetimeLeft(peer, time.Now()))
	}
}

// unverifiedReason is the label for a failed verification.
func unverifiedReason(err error) string {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "expired"
	case errors.As(err, &name):
		return "name"
	case errors.As(err, &authority):
		return "authority"
	}
	return "invalid"
}

func firstToExpire(certs []*x509.Certificate) *x509.Certificate {
	return slices.MinFunc(certs, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
}

// lifetimeLeft is the least fraction of its lifetime that one of the certificates has left.
func lifetimeLeft(certs []*x509.Certificate, now time.Time) float64 {
	least := 1.0
	for _, cert := range certs {
		whole := cert.NotAfter.Unix() - cert.NotBefore.Unix() // of centuries too, which a time.Duration cannot hold
		if whole <= 0 {
			return 0
		}
		least = min(least, float64(cert.NotAfter.Unix()-now.Unix())/float64(whole))
	}
	return max(least, 0)
}

// tlsError is an error of a handshake without the package's name in front.
type tlsError struct{ error }

func (e tlsError) Error() string { return strings.TrimPrefix(e.error.Error(), "tls: ") }

func (e tlsError) Unwrap() error { return e.error }
