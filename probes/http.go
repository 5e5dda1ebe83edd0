// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"skywatch/internal/probe"
)

func init() { register("http", newHTTP, httpDescs...) }

// HTTP fetches a URL and judges the answer: status, headers, body, protocol version and whether TLS was used.
type HTTP struct {
	ValidStatusCodes          []int             `yaml:"valid_status_codes,omitempty"` // empty = 200 to 299
	ValidHTTPVersions         []string          `yaml:"valid_http_versions,omitempty"`
	IP                        IPConfig          `yaml:",inline"`
	SkipResolvePhaseWithProxy bool              `yaml:"skip_resolve_phase_with_proxy,omitempty"`
	NoFollowRedirects         *bool             `yaml:"no_follow_redirects,omitempty"` // deprecated; Validate turns it into follow_redirects
	FailIfSSL                 bool              `yaml:"fail_if_ssl,omitempty"`
	FailIfNotSSL              bool              `yaml:"fail_if_not_ssl,omitempty"`
	Method                    string            `yaml:"method,omitempty"`
	Headers                   map[string]string `yaml:"headers,omitempty"`
	Body                      string            `yaml:"body,omitempty"`
	BodyFile                  string            `yaml:"body_file,omitempty"`
	Compression               string            `yaml:"compression,omitempty"`
	BodySizeLimit             probe.Bytes       `yaml:"body_size_limit,omitempty"` // 0 = none
	FailIfBodyMatches         []Regexp          `yaml:"fail_if_body_matches_regexp,omitempty"`
	FailIfBodyNotMatches      []Regexp          `yaml:"fail_if_body_not_matches_regexp,omitempty"`
	FailIfBodyJSONMatches     *string           `yaml:"fail_if_body_json_matches_cel,omitempty"`
	FailIfBodyJSONNotMatches  *string           `yaml:"fail_if_body_json_not_matches_cel,omitempty"`
	FailIfHeaderMatches       []HeaderMatch     `yaml:"fail_if_header_matches,omitempty"`
	FailIfHeaderNotMatches    []HeaderMatch     `yaml:"fail_if_header_not_matches,omitempty"`
	EnableHTTP3               bool              `yaml:"enable_http3,omitempty"`
	Extract                   []Extract         `yaml:"extract,omitempty"`
	OpenStack                 *OpenStack        `yaml:"openstack,omitempty"`
	Client                    HTTPClient        `yaml:",inline"`

	options  Options
	dialer   dialer
	warnings []string
	cel      []celRule
}

// newHTTP gives the defaults.
func newHTTP(o Options) probe.Prober {
	return &HTTP{IP: defaultIPConfig, Client: defaultHTTPClient, Method: http.MethodGet, options: o}
}

// HeaderMatch is a rule about one header of the final response.
type HeaderMatch struct {
	Header       string `yaml:"header,omitempty"`
	Regexp       Regexp `yaml:"regexp,omitempty"`
	AllowMissing bool   `yaml:"allow_missing,omitempty"`
}

// Validate checks the keys against each other, in blackbox_exporter's order.
func (h *HTTP) Validate() (err error) {
	if h.dialer, err = h.IP.dialer(h.options); err != nil {
		return err
	}
	if err := h.Client.validate(h.options); err != nil {
		return err
	}
	if err := h.validateBasic(); err != nil {
		return err
	}
	if err := h.validateOpenStack(); err != nil {
		return err
	}
	if h.NoFollowRedirects != nil {
		h.Client.FollowRedirects, h.NoFollowRedirects = !*h.NoFollowRedirects, nil
		h.warnings = append(h.warnings, "no_follow_redirects is deprecated, use follow_redirects")
	}
	if h.Body != "" && h.BodyFile != "" {
		return errors.New("setting body and body_file both are not allowed")
	}
	if h.Method == "" {
		h.Method = http.MethodGet
	}
	if err := acceptable(h.Headers, h.Compression); err != nil {
		return err
	}
	if err := validateMatches("fail_if_header_matches", h.FailIfHeaderMatches); err != nil {
		return err
	}
	if err := validateMatches("fail_if_header_not_matches", h.FailIfHeaderNotMatches); err != nil {
		return err
	}
	if err := h.validateHTTP3(); err != nil {
		return err
	}
	if err := h.validateCEL(); err != nil {
		return err
	}
	return h.validateExtract()
}

func validateMatches(key string, matches []HeaderMatch) error {
	for i, m := range matches {
		if m.Header == "" {
			return fmt.Errorf("%s: entry %d: header name must be set for HTTP header matchers", key, i+1)
		}
		if m.Regexp.Regexp == nil || m.Regexp.String() == "" {
			return fmt.Errorf("%s: entry %d: regexp must be set for HTTP header matchers", key, i+1)
		}
	}
	return nil
}

// CheckHostname tells why the hostname parameter of a request cannot be used with this module; nil when it can.
func (h *HTTP) CheckHostname(hostname string) error {
	if host := h.host(); hostname != "" && host != "" && host != hostname {
		return fmt.Errorf("host header defined both in module configuration (%s) and with URL-parameter 'hostname' (%s)", host, hostname)
	}
	return nil
}

// host is the Host header of the module; "" without one.
func (h *HTTP) host() string {
	for name, value := range h.Headers {
		if strings.EqualFold(name, "Host") {
			return value
		}
	}
	return ""
}
