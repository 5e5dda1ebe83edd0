// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"errors"
	"fmt"
	"slices"
)

// validateHTTP3 applies the rules about HTTP/3, in blackbox_exporter's order once it is part of the build.
func (h *HTTP) validateHTTP3() error {
	listed := func(version string) bool { return slices.Contains(h.ValidHTTPVersions, version) }
	if !h.EnableHTTP3 {
		if listed("HTTP/3.0") {
			return errors.New("HTTP/3 cannot be used as a valid HTTP version when enable_http3 is false")
		}
		return nil
	}
	if err := missingHTTP3(); err != nil {
		return fmt.Errorf("enable_http3: %w", err)
	}
	if listed("HTTP/2.0") || listed("HTTP/1.1") {
		return errors.New("HTTP/3 and HTTP/2.0/1.1 cannot be used together - only HTTP/3.0 is allowed when enable_http3 is true")
	}
	if h.Client.EnableHTTP2 {
		return errors.New("when enable_http3 is true, enable_http2 must be set to false")
	}
	h.warnings = append(h.warnings, "enable_http3: HTTP/3 is used alone, without a fallback to an older version")
	if h.Client.proxy != nil {
		h.Client.proxy = nil // HTTP/3 knows no way through one
		h.warnings = append(h.warnings, "enable_http3: HTTP/3 does not go through a proxy, the keys for one are not used")
	}
	return nil
}

// validateBasic refuses a login without anything to log in with. An empty name beside a password is allowed by RFC 7617 section 2, and
// more often a mistake.
func (h *HTTP) validateBasic() error {
	a := h.Client.BasicAuth
	if a == nil || a.Username != "" || a.UsernameFile != "" {
		return nil
	}
	if a.Password == "" && a.PasswordFile == "" && h.options.Compat == Fixed {
		return errors.New("basic_auth: username: missing, and password too, want them")
	}
	h.warnings = append(h.warnings, "basic_auth: username: missing, an empty one is sent")
	return nil
}

// Warnings tells what of the configuration is discouraged or has no effect.
func (h *HTTP) Warnings() []string { return h.warnings }
