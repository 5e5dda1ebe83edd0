// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"skywatch/internal/probe"
)

// TLSConfig is `tls_config`. Files are opened when a probe needs them.
type TLSConfig struct {
	CA                 string       `yaml:"ca,omitempty"`
	CAFile             string       `yaml:"ca_file,omitempty"`
	CARef              string       `yaml:"ca_ref,omitempty"`
	Cert               string       `yaml:"cert,omitempty"`
	CertFile           string       `yaml:"cert_file,omitempty"`
	CertRef            string       `yaml:"cert_ref,omitempty"`
	Key                probe.Secret `yaml:"key,omitempty"`
	KeyFile            string       `yaml:"key_file,omitempty"`
	KeyRef             string       `yaml:"key_ref,omitempty"`
	ServerName         string       `yaml:"server_name,omitempty"`
	InsecureSkipVerify bool         `yaml:"insecure_skip_verify"`
	MinVersion         string       `yaml:"min_version,omitempty"`
	MaxVersion         string       `yaml:"max_version,omitempty"`
	CertMetrics        []string     `yaml:"cert_metrics,omitempty"` // groups of metrics, see certUnverified

	ca, cert, key *pemText // of the inline texts; set by validate
	min, max      uint16   // set by validate
}

var tlsVersions = map[string]uint16{"": 0, "TLS10": tls.VersionTLS10, "TLS11": tls.VersionTLS11, "TLS12": tls.VersionTLS12, "TLS13": tls.VersionTLS13}

// validate checks the keys against each other and prepares the inline texts. It is for use in Validate.
func (c *TLSConfig) validate() error {
	for _, e := range []struct{ name, inline, file, ref string }{
		{"ca", c.CA, c.CAFile, c.CARef},
		{"cert", c.Cert, c.CertFile, c.CertRef},
		{"key", c.Key.Reveal(), c.KeyFile, c.KeyRef},
	} {
		if e.ref != "" {
			return fmt.Errorf("tls_config: %s_ref needs a secret manager, which skywatch does not have, want %s or %s_file", e.name, e.name, e.name)
		}
		if e.inline != "" && e.file != "" {
			return fmt.Errorf("tls_config: both %s and %s_file given, want at most one", e.name, e.name)
		}
	}
	hasCert, hasKey := c.Cert != "" || c.CertFile != "", c.Key != "" || c.KeyFile != ""
	switch {
	case hasCert && !hasKey:
		return errors.New("tls_config: cert without key, want exactly one of key and key_file with a client certificate")
	case hasKey && !hasCert:
		return errors.New("tls_config: key without cert, want exactly one of cert and cert_file with a client key")
	}
	if err := c.validateCertMetrics(); err != nil {
		return err
	}
	c.ca, c.cert, c.key = inlinePEM(c.CA), inlinePEM(c.Cert), inlinePEM(c.Key.Reveal())
	return c.validateVersions()
}

func inlinePEM(text string) *pemText {
	if text == "" {
		return nil
	}
	return newPEM([]byte(text))
}

func (c *TLSConfig) validateVersions() error {
	var ok bool
	if c.min, ok = tlsVersions[c.MinVersion]; !ok {
		return fmt.Errorf("tls_config: min_version: unknown TLS version %q, want TLS10, TLS11, TLS12 or TLS13", c.MinVersion)
	}
	if c.max, ok = tlsVersions[c.MaxVersion]; !ok {
		return fmt.Errorf("tls_config: max_version: unknown TLS version %q, want TLS10, TLS11, TLS12 or TLS13", c.MaxVersion)
	}
	if c.max != 0 && c.min > c.max {
		return fmt.Errorf("tls_config: max_version %s is below min_version %s, want a range", c.MaxVersion, c.MinVersion)
	}
	return nil
}

// client makes the configuration of one connection. serverName is used when the module names none; an IP address sends no SNI.
// The error's reason is config: a file that cannot be used.
func (c *TLSConfig) client(serverName string, o Options, log *slog.Logger) (*tls.Config, error) {
	if c.ServerName != "" {
		serverName = c.ServerName
	}
	conf := &tls.Config{ServerName: serverName, InsecureSkipVerify: c.InsecureSkipVerify, MinVersion: c.min, MaxVersion: c.max}
	ca, err := c.source(c.ca, c.CAFile, o, log)
	if err != nil {
		return nil, err
	}
	if ca != nil {
		if conf.RootCAs, err = ca.pool(); err != nil {
			return nil, probe.Failf(probe.ReasonConfig, "reading the CA %q: %w", c.CAFile, err)
		}
	}
	return conf, c.addPair(conf, o, log)
}

// addPair adds the client certificate, if there is one.
func (c *TLSConfig) addPair(conf *tls.Config, o Options, log *slog.Logger) error {
	cert, err := c.source(c.cert, c.CertFile, o, log)
	if err != nil || cert == nil {
		return err
	}
	key, err := c.source(c.key, c.KeyFile, o, log)
	if err != nil {
		return err
	}
	pair, err := cert.withKey(key)
	if err != nil {
		return probe.Failf(probe.ReasonConfig, "reading the client certificate %q: %w, want a certificate and its key", c.CertFile, err)
	}
	conf.Certificates = []tls.Certificate{pair}
	return nil
}

func (c *TLSConfig) source(inline *pemText, file string, o Options, log *slog.Logger) (*pemText, error) {
	if inline != nil || file == "" {
		return inline, nil
	}
	return o.pems.load(o, file, log)
}

// startTLS makes a connection a TLS one. server is for the error text.
func startTLS(ctx context.Context, conn net.Conn, conf *tls.Config, server string, r *probe.Recorder) (*tls.Conn, error) {
	secure := tls.Client(conn, conf)
	err := secure.HandshakeContext(ctx)
	switch {
	case err == nil:
		state := secure.ConnectionState()
		r.Log.Debug("TLS established", "version", tls.VersionName(state.Version), "cipher", tls.CipherSuiteName(state.CipherSuite))
		return secure, nil
	case errors.Is(err, probe.ErrBudget):
		return nil, probe.Failf(probe.ReasonProtocol, "TLS handshake with %q: %w", server, err)
	case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		return nil, probe.Failf(probe.ReasonTimeout, "TLS handshake with %q: not done in time: %w", server, context.DeadlineExceeded)
	}
	return nil, probe.Failf(probe.ReasonTLS, "TLS handshake with %q: %w, want a verified connection", server, tlsError{err})
}
