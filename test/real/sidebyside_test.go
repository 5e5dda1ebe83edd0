// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"slices"
	"strings"
	"testing"
)

// leastFailures is the share of the requests that must fail: when all is well is not when exporters differ.
const leastFailures = 0.4

// TestSideBySide hands the same module file and the same requests to Debian's blackbox_exporter and to skywatch, and compares the
// answers. What differs must be in the list of meant differences, and what is in that list must differ.
func TestSideBySide(t *testing.T) {
	s := newScene(t)
	theirs, ours := exporters(t, s.modules(), serveNames(t))
	requests := slices.Concat(s.refusedRequests(), s.httpRequests(), s.httpFailures(), s.httpsRequests(), s.tcpRequests(), s.tcpFailures(),
		s.dnsRequests(), s.otherRequests())
	book := newLedger(meant)
	failures := 0
	for _, compat := range []string{"fixed", "exact"} {
		for _, r := range requests {
			if !bothSucceed(t, book, theirs, ours[compat], r) {
				failures++
			}
		}
	}
	for _, entry := range book.idle() {
		t.Errorf("a meant difference no longer occurs: %+v", entry)
	}
	all := 2 * len(requests)
	t.Logf("%d comparisons, %d of them of failures", all, failures)
	if float64(failures) < leastFailures*float64(all) {
		t.Errorf("%d of %d comparisons are of failures, want at least %v of them", failures, all, leastFailures)
	}
}

// comparisons is how often a request is made until the answers agree: on a busy machine one of the two may run out of time, but not always.
const comparisons = 4

// bothSucceed compares the answers to a request, and tells whether the probe succeeded.
func bothSucceed(t *testing.T, book *ledger, theirs, ours *exporter, r probeRequest) bool {
	t.Helper()
	for n := 1; ; n++ {
		a, b, took := bothProbe(theirs, ours, r)
		found, err := compare(a, b)
		rest := book.unexpected(ours.name, r.name, found)
		if err == nil && len(rest) == 0 {
			return strings.Contains(a.body, "\nprobe_success 1\n")
		}
		if n < comparisons {
			t.Logf("%s, %s: once more after %s: %v %s", ours.name, r.name, took, err, rest)
			continue
		}
		if err != nil {
			t.Errorf("%s, %s: %v", ours.name, r.name, err)
		}
		for _, d := range rest {
			t.Errorf("%s, %s: module=%s target=%s after %s: %s", ours.name, r.name, r.module, r.target, took, d)
		}
		t.Logf("blackbox_exporter says:\n%s\nskywatch says:\n%s", samplesOf(a.body), samplesOf(b.body))
		return false
	}
}

// samplesOf leaves the comments out of an exposition.
func samplesOf(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
