// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nodns

package probes

import (
	"bytes"
	"context"
	"testing"

	"github.com/miekg/dns"

	"skywatch/internal/probe"
)

// FuzzDNSResponse holds everything behind the socket to one rule: whatever a server sends, the probe ends with a reason of a server's fault.
func FuzzDNSResponse(f *testing.F) {
	for _, z := range []zone{records("example.com. 60 IN A 192.0.2.1", "example.com. 60 IN SOA a. b. 1 2 3 4 5"), txt("x"), rcode(dns.RcodeServerFailure)} {
		wire, err := z(new(dns.Msg).SetQuestion("example.com.", dns.TypeSOA)).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire, false)
		f.Add(wire[2:], true)
		f.Add(wire[:len(wire)-3], true)
	}
	d := testModule(f, Options{}, "dns", `{query_name: example.com, query_type: SOA, validate_answer_rrs: {fail_if_not_matches_regexp: [SOA]}}`).Prober.(*DNS)
	f.Fuzz(func(t *testing.T, wire []byte, stream bool) {
		res := runFunc(t, func(_ context.Context, r *probe.Recorder) error {
			q := &dnsQuery{DNS: d, r: r, server: "s", what: "example.com. IN SOA"}
			ask := q.overUDP
			if stream {
				ask = q.overTCP
			}
			response, err := ask(canned{in: bytes.NewReader(wire)}, []byte("query"), 7)
			if err != nil {
				return err
			}
			d.record(response, r)
			return d.judge(response, q.what, r)
		})
		if res.Reason != probe.ReasonNone && res.Reason != probe.ReasonProtocol && res.Reason != probe.ReasonResponse {
			t.Errorf("%s, want success, protocol or response", outcome(res))
		}
	})
}
