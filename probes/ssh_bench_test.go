// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nossh

package probes

import (
	"testing"

	"skywatch/internal/probe"
)

// BenchmarkProbeSSH makes whole runs against a server on loopback, whose work is counted in: the key exchange, with a login, with a command.
func BenchmarkProbeSSH(b *testing.B) {
	for name, keys := range map[string]string{"key": sshUsesPin, "login": sshLogsIn, "command": sshRunsEcho} {
		b.Run(name, func(b *testing.B) {
			c := probe.Check{Module: sshModule(b, keys), Target: probe.NewTarget(newSSHServer(b, nil).addr), Timeout: long}
			b.ReportAllocs()
			for b.Loop() {
				if res := probe.Run(b.Context(), c, probe.Env{}); !res.Success() {
					b.Fatal(res.Err)
				}
			}
		})
	}
}
