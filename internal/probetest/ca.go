// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CA is a throw-away certificate authority.
type CA struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	PEM  []byte // its certificate
}

// The times and the serial number of the certificates, which expositions show.
var (
	NotBefore = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	NotAfter  = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	Serial    = big.NewInt(0x0bffbc)
)

// NewCA makes an authority.
func NewCA(t testing.TB) *CA {
	t.Helper()
	ca := &CA{t: t, key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, NotBefore: NotBefore, NotAfter: NotAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	ca.cert = sign(t, template, template, &ca.key.PublicKey, ca.key)
	ca.PEM = certPEM(ca.cert)
	return ca
}

// Pool gives a pool with the authority alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// File writes the authority's certificate into a file of the test.
func (ca *CA) File() string { return WriteFile(ca.t, "ca.pem", ca.PEM) }

// Good gives a certificate for localhost and the loopback addresses.
func (ca *CA) Good() tls.Certificate { return ca.issue(leaf()) }

// Expired gives a certificate for localhost that ended in 2021.
func (ca *CA) Expired() tls.Certificate {
	template := leaf()
	template.NotAfter = NotBefore.AddDate(1, 0, 0)
	return ca.issue(template)
}

// For gives a certificate for the given names only.
func (ca *CA) For(names ...string) tls.Certificate {
	template := leaf()
	template.DNSNames, template.IPAddresses = names, nil
	return ca.issue(template)
}

// SelfSigned gives a certificate for localhost that no authority signed.
func SelfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	key := newKey(t)
	cert := sign(t, leaf(), leaf(), &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func leaf() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: Serial, Subject: pkix.Name{CommonName: "localhost", Organization: []string{"Lab"}}, NotBefore: NotBefore, NotAfter: NotAfter,
		DNSNames: []string{"localhost", "www.localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func (ca *CA) issue(template *x509.Certificate) tls.Certificate {
	ca.t.Helper()
	key := newKey(ca.t)
	cert := sign(ca.t, template, ca.cert, &key.PublicKey, ca.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw, ca.cert.Raw}, PrivateKey: key, Leaf: cert}
}

// Config gives the TLS configuration of a server with the certificate.
func Config(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

// PairPEM gives a certificate and its key as PEM text.
func PairPEM(t testing.TB, pair tls.Certificate) (cert, key []byte) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return certPEM(pair.Leaf), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Fingerprint gives the SHA-256 of a certificate in hexadecimal.
func Fingerprint(pair tls.Certificate) string {
	sum := sha256.Sum256(pair.Leaf.Raw)
	return hex.EncodeToString(sum[:])
}

// WriteFile writes a file into a fresh directory of the test and gives its path.
func WriteFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func certPEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, template, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
