// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probetest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
)

func TestLeafVariants(t *testing.T) {
	ca := NewCA(t)
	verify := func(pair tls.Certificate) error {
		_, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: "localhost", Roots: ca.Pool()})
		return err
	}
	if err := verify(ca.Good()); err != nil {
		t.Errorf("good: %v", err)
	}
	var invalid x509.CertificateInvalidError
	if err := verify(ca.Expired()); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("expired: %v", err)
	}
	var name x509.HostnameError
	if err := verify(ca.For("other.example")); !errors.As(err, &name) {
		t.Errorf("wrong name: %v", err)
	}
	var unknown x509.UnknownAuthorityError
	if err := verify(SelfSigned(t)); !errors.As(err, &unknown) {
		t.Errorf("self-signed: %v", err)
	}
}

func TestPairPEM(t *testing.T) {
	cert, key := PairPEM(t, NewCA(t).Good())
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		t.Error(err)
	}
}
