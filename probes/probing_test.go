// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// funcProber lets a test use what probers share inside a real run.
type funcProber func(ctx context.Context, r *probe.Recorder) error

func (funcProber) Validate() error { return nil }

func (f funcProber) Probe(ctx context.Context, _ probe.Target, r *probe.Recorder) error {
	return f(ctx, r)
}

func runFunc(t *testing.T, f funcProber) probe.Result {
	t.Helper()
	return runProbe(t, t.Context(), &probe.Module{Name: "m", Kind: "func", Prober: f}, "target", long)
}

// wantValues compares single metrics; the key is the name, a value of -1 stands for absent.
func wantValues(t testing.TB, res probe.Result, want map[string]float64) {
	t.Helper()
	for name, value := range want {
		got, ok := probetest.Value(res.Samples, name)
		if !ok {
			got = -1
		}
		if got != value {
			t.Errorf("%s is %v, want %v", name, got, value)
		}
	}
}
