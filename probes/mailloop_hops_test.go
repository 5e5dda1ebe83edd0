// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomailloop

package probes

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReadHops(t *testing.T) {
	sent := time.Date(2026, 5, 1, 12, 0, 0, 500e6, time.UTC)
	at := func(by, clock string) string {
		return "from a by " + by + " (Postfix) id 1; Fri, 1 May 2026 " + clock + " +0000 (UTC)"
	}
	hops := readHops(sent, []string{at("C.test;", "12:00:09"), "nonsense", at("b.test", "12:00:07"), at("<b>", "12:05:00"), at("a.test", "12:00:03")})
	want := []loopHop{{"a.test", 2500 * time.Millisecond}, {"", 297 * time.Second}, {"b.test", 0}, {"c.test", 2 * time.Second}}
	if diff := cmp.Diff(want, hops, cmp.AllowUnexported(loopHop{})); diff != "" {
		t.Error(diff)
	}
	if n := len(readHops(sent, strings.Split(strings.Repeat("x;"+at("b", "12:00:07")+"\n", 50), "\n"))); n != maxHops {
		t.Errorf("%d hops, want %d", n, maxHops)
	}
	for _, test := range []struct {
		received string
		seen     time.Duration // after sent
		want     time.Duration
	}{
		{at("a", "12:00:00"), 200 * time.Millisecond, 200 * time.Millisecond}, // within the second
		{at("a", "12:00:03"), time.Minute, 2500 * time.Millisecond},
		{at("a", "11:00:00"), time.Minute, 0},
		{at("a", "13:00:00"), time.Minute, time.Minute},
		{"nonsense", time.Minute, time.Minute},
	} {
		if got := deliveryTime(sent, sent.Add(test.seen), []string{test.received}); got != test.want {
			t.Errorf("%s seen after %s: %s, want %s", test.received, test.seen, got, test.want)
		}
	}
}

// TestReceivedAt reads the times of servers that write them in their own ways. One whose zone may mean several is no time.
func TestReceivedAt(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for date, known := range map[string]bool{
		"Fri, 1 May 2026 12:00:00 +0000": true, "Fri, 1 May 2026 14:00:00 +0200 (CEST)": true, "1 May 2026 12:00 -0000": true, "Fri, 01 May 26 12:00:00 GMT": true,
		"Fri, 1 May 2026 07:00:00 EST": true, "Fri, 1 May 2026 05:00:00 pdt (summer; time)": true, "Fri, 1 May 2026 12:00:00 Z": true,
		"Fri, 1 May 2026 17:30:00 +0530 (a \\) b (c; d))": true,
		"Fri, 1 May 2026 14:00:00 CEST":                   false, "Fri, 1 May 2026 12:00:00": false, "Fri, 1 May 2026 12:00:00 GMT+1": false, "Fri, 1 May 2026 12:00:00 A": false,
		"Fri, 1 May 2026 12:00:00 +0000 (": false, "+0000": false, "": false,
	} {
		at, err := receivedAt("from a by b; " + date)
		if (err == nil) != known || known && !at.Equal(noon) {
			t.Errorf("%q gives %s (%v), want noon: %v", date, at, err, known)
		}
	}
	for field, want := range map[string]string{
		"(qmail 1 invoked by uid 89); 1 May 2026 12:00:00 -0000":                   "",
		"from a (helo by x) (authenticated by y) by mx.test with SMTP; 1 May 2026": "mx.test",
		"from a by mx.test (open; 1 May 2026":                                      "mx.test",
	} {
		if got := receivedBy(field); got != want {
			t.Errorf("%q gives %q, want %q", field, got, want)
		}
	}
}

// FuzzReceived: whatever a server writes into a field, no time is negative and every name is fit for a label.
func FuzzReceived(f *testing.F) {
	f.Add("from a by b.test (x \\) (y)) id 1; Fri, 1 May 2026 12:00:00 +0200 (CEST)", int64(0))
	f.Add("by [::1]; 1 Jan 0001 00:00 PDT", int64(1e18))
	f.Add("(;", int64(-1e18))
	f.Fuzz(func(t *testing.T, field string, nanoseconds int64) {
		sent := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
		seen := sent.Add(time.Duration(nanoseconds))
		for _, hop := range readHops(sent, []string{field, field}) {
			if hop.took < 0 || len(hop.by) > 64 || strings.ContainsAny(hop.by, " ()\n") {
				t.Errorf("%q gives %+v", field, hop)
			}
		}
		if took := deliveryTime(sent, seen, []string{field}); took < 0 || took > max(0, seen.Sub(sent)) {
			t.Errorf("%q seen after %s: took %s", field, seen.Sub(sent), took)
		}
	})
}
