// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"skywatch/internal/probetest"
)

// answersQuery tells whether unbound answers.
func (s *scene) answersQuery() error {
	client := dns.Client{Net: "tcp", Timeout: 5 * time.Second}
	reply, _, err := client.Exchange(new(dns.Msg).SetQuestion("a.skywatch.test.", dns.TypeA), address(s.dns))
	if err == nil && reply.Rcode != dns.RcodeSuccess {
		err = errors.New(dns.RcodeToString[reply.Rcode])
	}
	return err
}

// dnsRequests are dns probes of unbound, good and bad.
func (s *scene) dnsRequests() []probeRequest {
	server := address(s.dns)
	requests := []probeRequest{
		{name: "dns by name", module: "dns_a", target: fmt.Sprintf("four.skywatch.test:%d", s.dns)},
		{name: "dns over tls", module: "dns_tls", target: fmt.Sprintf("localhost:%d", s.dot)},
		{name: "dns over tls of a stranger", module: "dns_tls_stranger", target: fmt.Sprintf("localhost:%d", s.dot)},
		{name: "dns over tls to a plain port", module: "dns_tls", target: server},
		{name: "dns refused", module: "dns_a", target: probetest.RefusedAddr(s.t)},
		{name: "dns tcp refused", module: "dns_tcp", target: probetest.RefusedAddr(s.t)},
		{name: "dns tcp silent", module: "dns_tcp_impatient", target: s.script(probetest.Silence())},
		{name: "dns tcp hung up on", module: "dns_tcp", target: s.script(hangUp)},
		{name: "dns unknown name", module: "dns_a", target: "nosuch.skywatch.test"},
		{name: "dns bad target", module: "dns_a", target: "[::1]"},
	}
	for _, module := range []string{
		"dns_a", "dns_two", "dns_aaaa", "dns_mx", "dns_soa", "dns_soa_none", "dns_tcp", "dns_nxdomain", "dns_nxdomain_ok", "dns_refused",
		"dns_servfail", "dns_dropped", "dns_any_match", "dns_any_match_not", "dns_all_match", "dns_all_match_all", "dns_not_match",
		"dns_none_match", "dns_none_match_none", "dns_authority", "dns_additional",
	} {
		requests = append(requests, probeRequest{name: "dns query " + module, module: module, target: server})
	}
	return requests
}
