// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

// refusedRequests are answered without a probe, or given odd parameters.
func (s *scene) refusedRequests() []probeRequest {
	site := s.url("/")
	return []probeRequest{
		{name: "request without target", module: "http"},
		{name: "request without module and target"},
		{name: "request for an unknown module", module: "nosuch", target: site},
		{name: "request for an unknown module without target", module: "nosuch"},
		{name: "request for a module in other letters", module: "HTTP", target: site},
		{name: "request with a bad timeout", module: "http", target: site, timeout: "soon"},
		{name: "request with an endless timeout", module: "http", target: site, timeout: "1e400"},
		{name: "request with a bad timeout and no target", module: "http", timeout: "soon"},
		{name: "request with a contradicting hostname", module: "http_host", target: site, hostname: "b.skywatch.test"},
		{name: "request with an agreeing hostname", module: "http_host", target: site, hostname: "a.skywatch.test"},
		{name: "request with a short timeout", module: "http", target: site, timeout: "3"},
		{name: "request with a timeout of zero", module: "http", target: site, timeout: "0"},
		{name: "request with a negative timeout", module: "http", target: site, timeout: "-5"},
		{name: "request for the default module", target: site},
	}
}
