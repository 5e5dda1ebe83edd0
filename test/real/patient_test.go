// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// patient is a web server that is ill when told to be.
type patient struct {
	*httptest.Server
	ill atomic.Bool
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	p := new(patient)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if p.ill.Load() {
			http.Error(w, "ill", http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// config watches the patient with n checks, Check0 and so on, every second, and mails to the sink.
func (p *patient) config(n int, s *sink, history string) string {
	var b strings.Builder
	b.WriteString("modules:\n  site: {prober: http, timeout: 60s, http: {preferred_ip_protocol: ip4}}\nchecks:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {name: Check%d, module: site, target: \"%s/%d\", every: 1s, attempts: 1}\n", i, p.URL, i)
	}
	fmt.Fprintf(&b, "notifiers:\n  - {name: ops, email: {smarthost: \"%s\", tls: none, from: watch@skywatch.test, to: [ops@skywatch.test]}}\n", s.address())
	b.WriteString("alerting: {group_wait: 100ms, retry_min: 200ms, retry_max: 1s}\n")
	b.WriteString("history: " + history + "\n")
	return b.String()
}
