// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nodns

package probes

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/miekg/dns"

	"skywatch/internal/probe"
)

func init() { register("dns", newDNS, dnsDescs...) }

// DNS asks a name server one question and judges the answer. The target is the server.
type DNS struct {
	IPConfig           `yaml:",inline"`
	DNSOverTLS         bool      `yaml:"dns_over_tls,omitempty"`
	HTTPSPath          string    `yaml:"https_path,omitempty"`
	TLSConfig          TLSConfig `yaml:"tls_config,omitempty"`
	QueryClass         string    `yaml:"query_class,omitempty"`
	QueryName          string    `yaml:"query_name,omitempty"`
	FromRequest        bool      `yaml:"query_name_from_request,omitempty"` // the hostname parameter goes before QueryName
	QueryType          string    `yaml:"query_type,omitempty"`
	RecursionDesired   bool      `yaml:"recursion_desired"`
	TransportProtocol  string    `yaml:"transport_protocol,omitempty"`
	ValidRcodes        []string  `yaml:"valid_rcodes,omitempty"` // nil = NOERROR
	ValidateAnswer     RRRules   `yaml:"validate_answer_rrs,omitempty"`
	ValidateAuthority  RRRules   `yaml:"validate_authority_rrs,omitempty"`
	ValidateAdditional RRRules   `yaml:"validate_additional_rrs,omitempty"`

	options  Options
	dialer   dialer
	question dns.Question // without a name if only the request has one
	path     *url.URL     // of HTTPSPath
	rcodes   []int
	unusable dnsFault // only with Exact
}

// newDNS gives the defaults.
func newDNS(o Options) probe.Prober {
	return &DNS{IPConfig: defaultIPConfig, QueryClass: "IN", QueryType: "ANY", RecursionDesired: true, TransportProtocol: "udp", options: o}
}

// bare makes a module without section ask for everything about the root, as blackbox_exporter's does.
func (d *DNS) bare() { d.QueryName = "." }

var (
	dnsDuration   = &probe.Desc{Name: "probe_dns_duration_seconds", Help: "Duration of each phase of the query, in seconds.", Labels: []string{"phase"}}
	dnsAnswer     = &probe.Desc{Name: "probe_dns_answer_rrs", Help: "Number of resource records in the answer section."}
	dnsAuthority  = &probe.Desc{Name: "probe_dns_authority_rrs", Help: "Number of resource records in the authority section."}
	dnsAdditional = &probe.Desc{Name: "probe_dns_additional_rrs", Help: "Number of resource records in the additional section."}
	dnsSucceeded  = &probe.Desc{Name: "probe_dns_query_succeeded", Help: "Whether a response came, whatever its code."}
	dnsSerial     = &probe.Desc{Name: "probe_dns_serial", Help: "Serial number of the zone."}

	dnsAlways = []*probe.Desc{dnsAnswer, dnsAuthority, dnsAdditional, dnsSucceeded}
	dnsDescs  = slices.Concat(dnsAlways, []*probe.Desc{dnsDuration, dnsSerial}, dialDescs, certDescs)
)

// Probe succeeds when the response has a valid code and the validators let its records pass.
func (d *DNS) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	return d.dialer.each(ctx, r, func(ctx context.Context, r *probe.Recorder) error { return d.attempt(ctx, t, r) })
}

// attempt probes one address.
func (d *DNS) attempt(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	for _, desc := range dnsAlways {
		r.Set(desc, 0)
	}
	for _, phase := range []string{"resolve", "connect", "request"} {
		r.Phase(dnsDuration, phase, 0)
	}
	if d.unusable.transport != nil {
		return probe.Failf(probe.ReasonConfig, "querying %q: %w", t, d.unusable.transport)
	}
	q, err := d.prepare(ctx, t, r)
	if err != nil {
		return err
	}
	if err := q.name(t); err != nil {
		return err
	}
	response, err := q.ask(ctx)
	if err != nil {
		return err
	}
	d.record(response, r)
	return d.judge(response, q.what, r)
}

// prepare finds the server.
func (d *DNS) prepare(ctx context.Context, t probe.Target, r *probe.Recorder) (*dnsQuery, error) {
	host, port, bad := splitOptionalPort(ctx, t, t.Raw(), d.standardPort())
	start := time.Now()
	addr, err := d.dialer.resolve(ctx, host, r)
	if bad != nil {
		return nil, bad // only now, since blackbox_exporter looks up any target
	}
	if err != nil {
		return nil, err
	}
	r.Phase(dnsDuration, "resolve", time.Since(start))
	if d.unusable.secure != nil {
		return nil, probe.Failf(probe.ReasonConfig, "querying %q: %w", t, d.unusable.secure)
	}
	return &dnsQuery{DNS: d, r: r, host: host, address: netip.AddrPortFrom(addr, port), server: joinHostPort(host, port), question: d.question}, nil
}

func (d *DNS) standardPort() uint16 {
	switch {
	case d.DNSOverTLS:
		return 853
	case d.TransportProtocol == "https":
		return 443
	}
	return 53
}

// CheckTarget tells why no check can aim at t; nil when one can.
func (d *DNS) CheckTarget(t probe.Target) error {
	_, _, err := splitOptionalPort(context.Background(), t, t.Raw(), 53)
	return err
}
