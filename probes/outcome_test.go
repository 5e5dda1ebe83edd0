// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"testing"

	"skywatch/internal/probe"
)

// outcome is reason and text of a failure; "" is success.
func outcome(res probe.Result) string {
	if res.Success() {
		return ""
	}
	return res.Reason.String() + ": " + res.Err
}

// wantLoadError builds a module with the section and compares the error; "" wants none.
func wantLoadError(t *testing.T, o Options, prober, section, want string) {
	t.Helper()
	_, err := buildModules(t, o, "modules: {m: {prober: "+prober+", "+prober+": "+section+"}}")
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("%s: %q, want %q", section, got, want)
	}
}
