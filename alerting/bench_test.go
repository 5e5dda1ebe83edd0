// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"testing"
	"time"

	"skywatch/internal/probe"
)

// BenchmarkObserve is the cost of a result that changes nothing, with 1000 checks.
func BenchmarkObserve(b *testing.B) {
	a := New(Options{Journal: &journal{disk: newDisk()}})
	checks := make([]probe.Check, 1000)
	for i := range checks {
		checks[i].Name = string(rune('a'+i%26)) + time.Duration(i).String()
	}
	if err := a.Apply(DefaultConfig(), time.UTC, checks); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a.Observe(b.Context(), upOf(checks[i%len(checks)].Name))
	}
}

func upOf(check string) probe.Result {
	r := resultOf(probe.Up, 0, probe.Fact{Key: "address", Value: "192.0.2.1"})
	r.Check = check
	return r
}
