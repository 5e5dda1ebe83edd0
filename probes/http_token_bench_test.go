// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !noopenstack

package probes

import (
	"testing"

	"skywatch/internal/probe"
)

// BenchmarkHTTPWithToken has a token from an earlier probe, as all but one probe in an hour.
func BenchmarkHTTPWithToken(b *testing.B) {
	k := newKeystone(b)
	check := probe.Check{Module: httpModule(b, k.keys(), Options{}), Target: probe.NewTarget("http://" + answering(b, nil)), Timeout: long}
	env := probe.Env{Cache: new(probe.MemoryStore)}
	b.ReportAllocs()
	for b.Loop() {
		if res := probe.Run(b.Context(), check, env); !res.Success() {
			b.Fatal(res.Err)
		}
	}
	if asked := len(k.requests()); asked != 1 {
		b.Errorf("Keystone was asked %d times, want once", asked)
	}
}
