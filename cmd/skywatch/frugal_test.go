// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// TestFrugal leaves the collector to whoever has set it in the environment, and the heap profile to whoever serves it.
func TestFrugal(t *testing.T) {
	percent, rate := debug.SetGCPercent(100), runtime.MemProfileRate
	t.Cleanup(func() { debug.SetGCPercent(percent); runtime.MemProfileRate = rate })
	for _, test := range []struct {
		environment string
		pprof       bool
		percent     int
		rate        int
	}{
		{"", false, collectAt, 0}, {"", true, collectAt, 1}, {"200", false, 100, 0}, {"off", true, 100, 1},
	} {
		t.Setenv("GOGC", test.environment)
		debug.SetGCPercent(100)
		runtime.MemProfileRate = 1
		(&program{pprof: test.pprof}).frugal()
		if got := debug.SetGCPercent(100); got != test.percent || runtime.MemProfileRate != test.rate {
			t.Errorf("GOGC=%q, profiles %t: percentage %d and rate %d, want %d and %d", test.environment, test.pprof, got, runtime.MemProfileRate,
				test.percent, test.rate)
		}
	}
}
