// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap || !nopop3

package probes

import (
	"strings"

	"skywatch/internal/probe"
)

// The bounds of what is shown of capabilities.
const (
	maxCapabilities    = 64 // shown
	maxCapabilityBytes = 64 // of one
)

// capabilityDesc declares probe_<name>_capability_info.
func capabilityDesc(name string) *probe.Desc {
	return &probe.Desc{Name: "probe_" + name + "_capability_info", Labels: []string{"capability"}, Help: "What the server says it can do, once logged in."}
}

// recordCapabilities shows what a server can do.
func recordCapabilities(r *probe.Recorder, desc *probe.Desc, caps []string) {
	for _, name := range caps[:min(len(caps), maxCapabilities)] {
		if len(name) <= maxCapabilityBytes {
			r.Set(desc, 1, strings.ToValidUTF8(name, ""))
		}
	}
}
