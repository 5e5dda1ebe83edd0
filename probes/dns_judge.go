// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nodns

package probes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"skywatch/internal/probe"
)

// record sets what a response shows by itself.
func (d *DNS) record(response *dns.Msg, r *probe.Recorder) {
	r.Set(dnsSucceeded, 1)
	r.Set(dnsAnswer, float64(len(response.Answer)))
	r.Set(dnsAuthority, float64(len(response.Ns)))
	r.Set(dnsAdditional, float64(len(response.Extra)))
	r.Log.Debug("received response", "rcode", rcodeName(response.Rcode), "answer_rrs", len(response.Answer), "authority_rrs", len(response.Ns),
		"additional_rrs", len(response.Extra), "truncated", response.Truncated, "authoritative", response.Authoritative)
	if d.question.Qtype == dns.TypeSOA {
		r.Set(dnsSerial, lastSerial(response.Answer))
	}
	r.Fact("rcode", rcodeName(response.Rcode))
	r.Fact("answer", answerText(response.Answer))
}

func lastSerial(answer []dns.RR) float64 {
	var serial float64
	for _, rr := range answer {
		if soa, ok := rr.(*dns.SOA); ok {
			serial = float64(soa.Serial)
		}
	}
	return serial
}

// answerText gives the data of the records in an order of its own and without TTLs, since servers change both at will.
func answerText(answer []dns.RR) string {
	texts := make([]string, len(answer))
	for i, rr := range answer {
		texts[i] = dns.TypeToString[rr.Header().Rrtype] + " " + strings.TrimPrefix(rr.String(), rr.Header().String())
	}
	slices.Sort(texts)
	return strings.ToValidUTF8(strings.Join(texts, ", "), "")
}

func rcodeName(code int) string {
	if name, ok := dns.RcodeToString[code]; ok {
		return name
	}
	return fmt.Sprintf("RCODE%d", code)
}

// judge applies the rules to a response. what is the question.
func (d *DNS) judge(response *dns.Msg, what string, r *probe.Recorder) error {
	if d.unusable.rules != nil {
		return probe.Failf(probe.ReasonConfig, "judging the response for %s: %w", what, d.unusable.rules)
	}
	if !slices.Contains(d.rcodes, response.Rcode) {
		want := strings.Join(d.ValidRcodes, " or ")
		if want == "" {
			want = "NOERROR"
		}
		return probe.Failf(probe.ReasonResponse, "querying %s: found %s, want %s", what, rcodeName(response.Rcode), want)
	}
	records := [][]dns.RR{response.Answer, response.Ns, response.Extra}
	for i, s := range d.sections() {
		texts := make([]string, len(records[i]))
		for j, rr := range records[i] {
			texts[j] = rr.String()
			r.Log.Debug("record", "section", s.name, "rr", texts[j])
		}
		if err := s.rules.judge(texts, r.Evidence); err != nil {
			return probe.Failf(probe.ReasonResponse, "querying %s: %s section: %w", what, s.name, err)
		}
	}
	return nil
}

// judge applies the four rules to the records of a section. evidence quotes a record for an error.
func (v *RRRules) judge(records []string, evidence func(string) string) error {
	for _, rr := range records {
		if re := firstOf(v.matches, rr, true); re != nil {
			return fmt.Errorf("found %s, want none that matches %q", evidence(rr), re)
		}
		if re := firstOf(v.allMatch, rr, false); re != nil {
			return fmt.Errorf("found %s, want all to match %q", evidence(rr), re)
		}
		if re := firstOf(v.notMatches, rr, false); re != nil {
			return fmt.Errorf("found %s, want all to match %q", evidence(rr), re)
		}
	}
	if len(v.notMatches) > 0 && len(records) == 0 {
		return fmt.Errorf("no records, want one that matches %q", v.notMatches[0])
	}
	if len(v.noneMatches) == 0 || slices.ContainsFunc(records, func(rr string) bool { return firstOf(v.noneMatches, rr, true) != nil }) {
		return nil
	}
	return fmt.Errorf("none of %d records fits, want one that matches %q", len(records), v.noneMatches)
}

// firstOf gives the first expression that matches, or that does not; nil if there is none.
func firstOf(list []*regexp.Regexp, text string, matches bool) *regexp.Regexp {
	for _, re := range list {
		if re.MatchString(text) == matches {
			return re
		}
	}
	return nil
}
