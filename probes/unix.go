// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nounix

package probes

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"slices"
	"strings"

	"skywatch/internal/probe"
)

func init() { register("unix", newUnix, slices.Concat(tlsDescs, dialogueDescs)...) }

// Unix connects to the socket at a path, with TLS if wanted, and holds a dialogue if one is configured.
type Unix struct {
	QueryResponse []QueryResponse `yaml:"query_response,omitempty"`
	TLS           bool            `yaml:"tls"`
	TLSConfig     TLSConfig       `yaml:"tls_config,omitempty"`

	options  Options
	dialogue dialogue
}

func newUnix(o Options) probe.Prober { return &Unix{options: o} }

// Validate checks the module.
func (p *Unix) Validate() (err error) {
	if p.dialogue, err = newDialogue(p.QueryResponse, p.TLS); err != nil {
		return err
	}
	return p.TLSConfig.validate()
}

// Probe succeeds when the connection, TLS and the dialogue do.
func (p *Unix) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	conn, err := dialUnix(ctx, t, r)
	if err != nil {
		return err
	}
	secure := func(ctx context.Context, wire net.Conn) (*tls.Conn, error) { return p.secure(ctx, wire, t, r) }
	return converse(ctx, conn, p.dialogue, p.TLS, t, r, secure)
}

// dialUnix opens a watched connection to a path, with the deadline of ctx.
func dialUnix(ctx context.Context, t probe.Target, r *probe.Recorder) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", t.Raw())
	if err != nil {
		return nil, unixError(ctx, t, err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	r.Log.Debug("connected", "address", t.String())
	return r.Track(conn, 0), nil
}

// unixError tells a socket that we may not use from one that nobody serves.
func unixError(ctx context.Context, t probe.Target, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return dialError(ctx, t.String(), err)
	}
	return probe.Failf(probe.ReasonConfig, "connecting to %q: %w, want write permission on the socket and search permission on its directories",
		t, errors.Unwrap(err))
}

// secure makes the TLS handshake. A path has no host name to verify, so the module must give one.
func (p *Unix) secure(ctx context.Context, wire net.Conn, t probe.Target, r *probe.Recorder) (*tls.Conn, error) {
	if p.TLSConfig.ServerName == "" && !p.TLSConfig.InsecureSkipVerify {
		return nil, probe.Failf(probe.ReasonConfig, "TLS handshake with %q: no name to verify, want tls_config with server_name or insecure_skip_verify", t)
	}
	conf, err := p.TLSConfig.client("", p.options, r.Log)
	if err != nil {
		return nil, err
	}
	secured, err := p.TLSConfig.startTLS(ctx, wire, conf, t.String(), r)
	if err != nil {
		return nil, err
	}
	state := secured.ConnectionState()
	recordTLS(r, &state, false, p.options.Compat)
	return secured, nil
}

// CheckTarget tells why no check can aim at t; nil when one can.
func (p *Unix) CheckTarget(t probe.Target) error {
	abstract := strings.HasPrefix(t.Raw(), "@")
	if strings.Contains(t.Raw(), "://") || !abstract && !strings.Contains(t.Raw(), "/") {
		return probe.Failf(probe.ReasonConfig, "reading target %q: not a path, want the path of a socket such as /run/app.sock", t)
	}
	return nil
}
