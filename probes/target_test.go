// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"strings"
	"testing"

	"skywatch/internal/probe"
)

func TestSplitTarget(t *testing.T) {
	for _, test := range []struct {
		target, host string
		port         uint16
		err          string
	}{
		{"host:80", "host", 80, ""},
		{"[::1]:443", "::1", 443, ""},
		{"host:smtp", "host", 25, ""},
		{"host", "", 0, `reading target "host": missing port in address, want host:port`},
		{"::1", "", 0, `reading target "::1": too many colons in address, want host:port`},
		{"tcp://host:80", "", 0, `reading target "tcp://host:80": too many colons in address, want host:port`},
		{":80", "", 0, `reading target ":80": no host name or address, want host:port`},
		{"host:nosuchport", "host", 0, `reading target "host:nosuchport": unknown port "nosuchport", want host:port`},
		{"host:99999", "host", 0, `reading target "host:99999": unknown port "99999", want host:port`},
		{"user:hunter22@host:80", "", 0, `reading target "host:80": too many colons in address, want host:port`},
	} {
		host, port, err := splitTarget(t.Context(), probe.NewTarget(test.target))
		if host != test.host || port != test.port || err != nil && err.Error() != test.err || err == nil && test.err != "" {
			t.Errorf("%q: %q, %d, %v, want %q, %d, %s", test.target, host, port, err, test.host, test.port, test.err)
		}
		if err != nil && (probe.ReasonOf(err) != probe.ReasonConfig || strings.Contains(err.Error(), "hunter")) {
			t.Errorf("%q: reason %s: %v, want config", test.target, probe.ReasonOf(err), err)
		}
	}
}
