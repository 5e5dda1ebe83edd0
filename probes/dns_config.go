// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nodns

package probes

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"skywatch/internal/probe"
)

// RRRules are the validators of one section of a response. A record is matched in the form of a zone file, separated by tabs:
// name, TTL, class, type, data.
type RRRules struct {
	FailIfMatches     []string `yaml:"fail_if_matches_regexp,omitempty"`      // any record matches any expression
	FailIfAllMatch    []string `yaml:"fail_if_all_match_regexp,omitempty"`    // not every record matches every expression: inverted, as in blackbox_exporter
	FailIfNotMatches  []string `yaml:"fail_if_not_matches_regexp,omitempty"`  // no records, or one that does not match some expression
	FailIfNoneMatches []string `yaml:"fail_if_none_matches_regexp,omitempty"` // no record matches any expression

	matches, allMatch, notMatches, noneMatches []*regexp.Regexp
}

// dnsFault is what makes a module fail each probe, by the moment at which blackbox_exporter notices.
type dnsFault struct {
	transport error // before anything else
	secure    error // once the server's address is known
	rules     error // once there is a response
}

// Validate checks the module. What blackbox_exporter notices only when it probes is refused, or kept for the probe if that is wanted
// exactly so.
func (d *DNS) Validate() (err error) {
	if d.dialer, err = d.IPConfig.dialer(d.options); err != nil {
		return err
	}
	if err := d.validateQuestion(); err != nil {
		return err
	}
	if err := d.TLSConfig.validate(); err != nil {
		return err
	}
	if err := d.validateHTTPS(); err != nil {
		return err
	}
	d.unusable = dnsFault{transport: d.validateTransport(), rules: d.validateRules()}
	if d.DNSOverTLS && d.TransportProtocol == "udp" {
		d.unusable.secure = errors.New("dns_over_tls: transport_protocol is udp, want tcp")
	}
	if d.options.Compat == Exact {
		return nil
	}
	for _, fault := range []error{d.unusable.transport, d.unusable.secure, d.unusable.rules} {
		if fault != nil {
			return fault
		}
	}
	return nil
}

func (d *DNS) validateQuestion() error {
	if d.QueryName == "" && !d.FromRequest {
		return errors.New("query name must be set for DNS module")
	}
	if _, ok := dns.IsDomainName(d.QueryName); !ok && d.QueryName != "" {
		return fmt.Errorf("query_name: found %q, want a domain name", d.QueryName)
	}
	d.QueryType, d.QueryClass = cmp.Or(d.QueryType, "ANY"), cmp.Or(d.QueryClass, "IN")
	qtype, ok := dns.StringToType[d.QueryType]
	if !ok {
		return fmt.Errorf("query type '%s' is not valid, want a type in upper case such as A, AAAA, MX or ANY", d.QueryType)
	}
	class, ok := dns.StringToClass[d.QueryClass]
	if !ok {
		return fmt.Errorf("query class '%s' is not valid, want a class in upper case such as IN or CH", d.QueryClass)
	}
	d.question = dns.Question{Name: dns.Fqdn(d.QueryName), Qtype: qtype, Qclass: class}
	return nil
}

// CheckHostname tells why the hostname parameter of a request, or that there is none, cannot be used with this module.
func (d *DNS) CheckHostname(hostname string) error {
	switch {
	case !d.FromRequest, hostname == "" && d.QueryName != "":
		return nil
	case hostname == "":
		return errors.New("query name neither in module configuration (query_name) nor in URL-parameter 'hostname', want one of them")
	}
	if _, ok := dns.IsDomainName(hostname); !ok {
		return fmt.Errorf("URL-parameter 'hostname': found %s, want a domain name", probe.Evidence(hostname))
	}
	return nil
}

func (d *DNS) withHostname(hostname string) probe.Prober {
	if !d.FromRequest {
		return d
	}
	shown := *d
	shown.QueryName = hostname
	return &shown
}

func (d *DNS) validateTransport() error {
	if d.TransportProtocol == "" {
		d.TransportProtocol = "udp"
	}
	if !slices.Contains([]string{"udp", "tcp", "https"}, d.TransportProtocol) {
		return fmt.Errorf("transport_protocol: found %q, want udp, tcp or https", d.TransportProtocol)
	}
	return nil
}

// validateHTTPS checks what blackbox_exporter does not have.
func (d *DNS) validateHTTPS() (err error) {
	switch {
	case d.TransportProtocol == "https" && d.DNSOverTLS:
		return errors.New("dns_over_tls: transport_protocol is https, which has TLS of its own, want only one of them")
	case d.TransportProtocol == "https" && d.HTTPSPath == "":
		d.HTTPSPath = "/dns-query"
	case d.HTTPSPath == "":
		return nil
	case d.TransportProtocol != "https":
		return fmt.Errorf("https_path: transport_protocol is %s, want https", d.TransportProtocol)
	}
	if d.path, err = url.ParseRequestURI(d.HTTPSPath); err != nil || !strings.HasPrefix(d.HTTPSPath, "/") {
		return fmt.Errorf("https_path: found %q, want a path such as /dns-query", d.HTTPSPath)
	}
	return nil
}

func (d *DNS) validateRules() error {
	names := d.ValidRcodes
	if names == nil {
		names = []string{"NOERROR"}
	}
	if len(names) == 0 {
		return errors.New("valid_rcodes: empty, so that no response is valid, want at least one code, or no such key for NOERROR")
	}
	d.rcodes = nil
	for _, name := range names {
		code, ok := dns.StringToRcode[name]
		if !ok {
			return fmt.Errorf("valid_rcodes: found %q, want codes in upper case such as NOERROR or NXDOMAIN", name)
		}
		d.rcodes = append(d.rcodes, code)
	}
	for _, s := range d.sections() {
		if err := s.rules.compile(); err != nil {
			return fmt.Errorf("%s: %w", s.key, err)
		}
	}
	return nil
}

// dnsSection pairs a section of a response with its rules.
type dnsSection struct {
	key   string // of the rules
	name  string
	rules *RRRules
}

// sections lists the sections in the order in which they are judged.
func (d *DNS) sections() [3]dnsSection {
	return [3]dnsSection{
		{"validate_answer_rrs", "answer", &d.ValidateAnswer},
		{"validate_authority_rrs", "authority", &d.ValidateAuthority},
		{"validate_additional_rrs", "additional", &d.ValidateAdditional},
	}
}

func (v *RRRules) compile() error {
	for _, list := range []struct {
		key   string
		texts []string
		into  *[]*regexp.Regexp
	}{
		{"fail_if_matches_regexp", v.FailIfMatches, &v.matches},
		{"fail_if_all_match_regexp", v.FailIfAllMatch, &v.allMatch},
		{"fail_if_not_matches_regexp", v.FailIfNotMatches, &v.notMatches},
		{"fail_if_none_matches_regexp", v.FailIfNoneMatches, &v.noneMatches},
	} {
		*list.into = nil
		for _, text := range list.texts {
			re, err := regexp.Compile(text)
			if err != nil {
				return fmt.Errorf("%s: regular expression %q: %w", list.key, text, err)
			}
			*list.into = append(*list.into, re)
		}
	}
	return nil
}
