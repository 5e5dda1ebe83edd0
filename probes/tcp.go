// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !notcp

package probes

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"

	"skywatch/internal/probe"
)

func init() { register("tcp", newTCP, slices.Concat(dialDescs, tlsDescs, dialogueDescs)...) }

// TCP connects to host:port, with TLS if wanted, and holds a dialogue if one is configured.
type TCP struct {
	IPConfig      `yaml:",inline"`
	QueryResponse []QueryResponse `yaml:"query_response,omitempty"`
	TLS           bool            `yaml:"tls"`
	TLSConfig     TLSConfig       `yaml:"tls_config,omitempty"`

	options  Options
	dialer   dialer
	dialogue dialogue
}

func newTCP(o Options) probe.Prober { return &TCP{IPConfig: defaultIPConfig, options: o} }

// Validate checks the module.
func (p *TCP) Validate() (err error) {
	if p.dialer, err = p.IPConfig.dialer(p.options); err != nil {
		return err
	}
	if p.dialogue, err = newDialogue(p.QueryResponse, p.TLS); err != nil {
		return err
	}
	return p.TLSConfig.validate()
}

// Probe succeeds when the connection, TLS and the dialogue do.
func (p *TCP) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	return p.dialer.each(ctx, r, func(ctx context.Context, r *probe.Recorder) error { return p.attempt(ctx, t, r) })
}

// attempt probes one address.
func (p *TCP) attempt(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	host, port, bad := splitTarget(ctx, t)
	if host == "" {
		return bad
	}
	addr, err := p.dialer.resolve(ctx, host, r)
	if bad != nil {
		return bad // only now, since blackbox_exporter looks the name up before it looks at the port
	}
	if err != nil {
		return err
	}
	conn, err := p.dialer.dial(ctx, "tcp", netip.AddrPortFrom(addr, port), r, 0)
	if err != nil {
		return err
	}
	secure := func(ctx context.Context, wire net.Conn) (*tls.Conn, error) {
		return p.secure(ctx, wire, host, t, r)
	}
	return converse(ctx, conn, p.dialogue, p.TLS, t, r, secure)
}

// secure makes the TLS handshake for the name that the module, the request or the target gives, in this order.
func (p *TCP) secure(ctx context.Context, wire net.Conn, host string, t probe.Target, r *probe.Recorder) (*tls.Conn, error) {
	name := t.Hostname
	if name == "" {
		name = host
	}
	conf, err := p.TLSConfig.client(name, p.options, r.Log)
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

func (p *TCP) withHostname(hostname string) probe.Prober {
	shown := *p
	if shown.TLSConfig.ServerName == "" {
		shown.TLSConfig.ServerName = hostname
	}
	return &shown
}

// CheckTarget tells why no check can aim at t; nil when one can.
func (p *TCP) CheckTarget(t probe.Target) error {
	_, _, err := splitTarget(context.Background(), t)
	return err
}
