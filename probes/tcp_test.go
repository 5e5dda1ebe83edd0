// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"testing"

	"skywatch/internal/probetest"
)

const tcpDialMetrics = "probe_dns_lookup_time_seconds probe_ip_protocol probe_ip_addr_hash"

var _ = enroll("tcp", subject{
	section: `{query_response: [{expect: "^220 (.*)", labels: [{name: greeting, value: "$1"}]}, {send: "QUIT\r"}, {expect: "^221"}]}`,
	healthy: func(t testing.TB) string {
		return probetest.Serve(t, probetest.Send("220 ready\r\n"), probetest.Line("QUIT\r\n"), probetest.Send("221 bye\r\n")).Addr
	},
	presence: map[situation]string{
		healthy:  tcpDialMetrics + " probe_failed_due_to_regex probe_failed_due_to_bytes probe_expect_info",
		refused:  tcpDialMetrics,
		unsolved: tcpDialMetrics,
		silent:   tcpDialMetrics + " probe_failed_due_to_regex probe_failed_due_to_bytes",
		early:    tcpDialMetrics + " probe_failed_due_to_regex probe_failed_due_to_bytes",
	},
	echo: func(text string) []probetest.Step { return []probetest.Step{probetest.Send("220 " + text + "\r\n")} },
})
