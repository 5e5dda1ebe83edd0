// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// BenchmarkProbeMailloop makes whole runs of a mail loop, from the sending to the deletion, against scripted servers on loopback.
func BenchmarkProbeMailloop(b *testing.B) {
	for _, protocol := range []string{mailboxIMAP, mailboxPOP3} {
		b.Run(protocol, func(b *testing.B) {
			var p post
			box := p.imap()
			if protocol == mailboxPOP3 {
				box = p.pop3()
			}
			server := probetest.Serve(b, box)
			m := testModule(b, Options{}, "mailloop", "{tls: none, ehlo: probe.test, from: a@probe.test, to: b@mail.test, poll: 10ms, "+
				"mailbox: {protocol: "+protocol+", server: '"+server.Addr+"', tls: none, username: b, password: box-pw}}")
			c := probe.Check{Module: m, Target: probe.NewTarget(probetest.Serve(b, p.smtp()).Addr), Timeout: long}
			env := probe.Env{Store: new(probe.MemoryStore), Shared: new(probe.MemoryStore)}
			b.ReportAllocs()
			for b.Loop() {
				if res := probe.Run(b.Context(), c, env); !res.Success() {
					b.Fatal(res.Err)
				}
				p.set(func(p *post) { p.inbox = p.inbox[:0] })
			}
		})
	}
}
