// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"fmt"
	"testing"

	"skywatch/internal/probe"
)

func TestSplitOptionalPort(t *testing.T) {
	const noHost = "reading target %q: no host name or address, want host or host:port"
	for text, want := range map[string]string{
		"dns.example":      "dns.example 53",
		"dns.example:5353": "dns.example 5353",
		"dns.example:http": "dns.example 80",
		"127.0.0.1":        "127.0.0.1 53",
		"::1":              "::1 53",
		"[::1]":            "::1 53",
		"[::1]:5353":       "::1 5353",
		"fe80::1%lo":       "fe80::1%lo 53",
		"":                 fmt.Sprintf(noHost, ""),
		":53":              fmt.Sprintf(noHost, ":53"),
		"udp://h":          `reading target "udp://h": unknown port "//h", want host:port`,
		"nora@h":           `reading target "h": a user before the host, want host or host:port`,
		"nora@h:53":        `reading target "h:53": a user before the host, want host or host:port`,
		"nora:canary@h":    `reading target "h": a user before the host, want host or host:port`,
		"a:b:c":            fmt.Sprintf(noHost, "a:b:c"),
		"h:nosuchport":     `reading target "h:nosuchport": unknown port "nosuchport", want host:port`,
	} {
		host, port, err := splitOptionalPort(t.Context(), probe.NewTarget(text), text, 53)
		got := fmt.Sprintf("%s %d", host, port)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
		if err != nil && probe.ReasonOf(err) != probe.ReasonConfig {
			t.Errorf("%q: reason %s, want config", text, probe.ReasonOf(err))
		}
	}
}
