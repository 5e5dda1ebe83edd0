// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap || !nopop3

package probes

import (
	"strings"

	"skywatch/internal/probe"
)

// maxCapabilities is how much is shown of what a server can do, in bytes.
const maxCapabilities = 1 << 10

// capabilityDesc declares probe_<name>_capability_info: one series, since a server has dozens of them.
func capabilityDesc(name string) *probe.Desc {
	return &probe.Desc{Name: "probe_" + name + "_capability_info", Labels: []string{"capabilities"}, Help: "What the server says it can do, as far as it fits into 1 KiB."}
}

// recordCapabilities shows what a server can do.
func recordCapabilities(r *probe.Recorder, desc *probe.Desc, caps []string) {
	all := strings.ToValidUTF8(r.Mask(strings.Join(caps, " ")), "")
	if len(all) > maxCapabilities {
		all = all[:strings.LastIndexByte(all[:maxCapabilities], ' ')+1]
	}
	if all != "" {
		r.Set(desc, 1, strings.TrimRight(all, " "))
	}
}
