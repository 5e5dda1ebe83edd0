// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nogrpc

package probes

import (
	"context"
	"crypto/tls"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"skywatch/internal/probe"
)

func init() { register("grpc", newGRPC, grpcDescs...) }

// GRPC asks a server for its health by the standard service grpc.health.v1.
type GRPC struct {
	IPConfig  `yaml:",inline"`
	Service   string              `yaml:"service,omitempty"` // "" = the server as a whole
	TLS       bool                `yaml:"tls,omitempty"`
	TLSConfig TLSConfig           `yaml:"tls_config,omitempty"`
	Metadata  map[string][]string `yaml:"metadata,omitempty"`

	options  Options
	dialer   dialer
	unusable bool // the metadata cannot be sent
}

// newGRPC gives the defaults.
func newGRPC(o Options) probe.Prober { return &GRPC{IPConfig: defaultIPConfig, options: o} }

// bare keeps a module without section to IPv6, if wanted exactly as blackbox_exporter does.
func (g *GRPC) bare() { g.IPProtocolFallback = g.options.Compat == Fixed }

var (
	grpcDuration = &probe.Desc{Name: "probe_grpc_duration_seconds", Help: "Duration of each phase of the health check, in seconds.", Labels: []string{"phase"}}
	grpcSSL      = &probe.Desc{Name: "probe_grpc_ssl", Help: "Whether the answer came over TLS."}
	grpcStatus   = &probe.Desc{Name: "probe_grpc_status_code", Help: "Status code of the call."}
	grpcServing  = &probe.Desc{Name: "probe_grpc_healthcheck_response", Help: "The serving status that the server answered with: 1 for the one it has.",
		Labels: []string{"serving_status"}}

	grpcDescs = slices.Concat([]*probe.Desc{grpcDuration, grpcSSL, grpcStatus, grpcServing, descTLSVersion}, dialDescs, certDescs)
)

// Validate checks the module.
func (g *GRPC) Validate() (err error) {
	if g.dialer, err = g.IPConfig.dialer(g.options); err != nil {
		return err
	}
	g.unusable = slices.ContainsFunc(slices.Collect(maps.Keys(g.Metadata)), func(key string) bool { return !validMetadata(key, g.Metadata[key]) })
	return g.TLSConfig.validate()
}

// validMetadata tells whether an entry keeps the rules of gRPC: keys are of lower-case letters, digits, "-", "_" and ".", values are
// printable ASCII, or anything when the key ends in -bin.
func validMetadata(key string, values []string) bool {
	const keyChars = "abcdefghijklmnopqrstuvwxyz0123456789-_."
	if key == "" || strings.Trim(key, keyChars) != "" {
		return false
	}
	unprintable := func(value string) bool {
		return strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' })
	}
	return strings.HasSuffix(key, "-bin") || !slices.ContainsFunc(values, unprintable)
}

// Probe succeeds when the service is serving.
func (g *GRPC) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	return g.dialer.each(ctx, r, func(ctx context.Context, r *probe.Recorder) error { return g.attempt(ctx, t, r) })
}

// attempt probes one address.
func (g *GRPC) attempt(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	r.Set(grpcSSL, 0)
	r.Set(grpcStatus, 0)
	r.Phase(grpcDuration, "resolve", 0)
	host, port, err := g.target(ctx, t)
	if err != nil {
		return err
	}
	var conf *tls.Config
	if g.TLS {
		if conf, err = g.TLSConfig.client(host, g.options, r.Log); err != nil {
			return err
		}
		conf.NextProtos = []string{"h2"}
	}
	start := time.Now()
	addr, err := g.dialer.resolve(ctx, host, r)
	if err != nil {
		return err
	}
	r.Phase(grpcDuration, "resolve", time.Since(start))
	c := &grpcCheck{GRPC: g, r: r, tls: conf, address: netip.AddrPortFrom(addr, port), server: joinHostPort(host, port)}
	defer c.close()
	return c.run(ctx)
}

// target takes host and port apart. A scheme is skipped and does not select TLS; what follows the port is of no use.
func (g *GRPC) target(ctx context.Context, t probe.Target) (host string, port uint16, err error) {
	text := t.Raw()
	for _, scheme := range []string{"http://", "https://"} {
		text = strings.TrimPrefix(text, scheme)
	}
	if end := strings.IndexAny(text, "/?#"); end >= 0 {
		text = text[:end]
	}
	text = text[strings.LastIndexByte(text, '@')+1:]
	standard := uint16(80)
	if g.TLS {
		standard = 443
	}
	return splitOptionalPort(ctx, t, text, standard)
}

// CheckTarget tells why no check can aim at t; nil when one can.
func (g *GRPC) CheckTarget(t probe.Target) error {
	_, _, err := g.target(context.Background(), t)
	return err
}
