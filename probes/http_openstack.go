// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"skywatch/internal/probe"
)

// OpenStack is `openstack`: the requests carry a token, which Keystone gives to a user with a password or to an application credential.
type OpenStack struct {
	AuthURL     string `yaml:"auth_url"`                       // of Keystone; the version is appended unless it ends with one
	Version     int    `yaml:"identity_api_version,omitempty"` // 2 or 3; 0 = that of auth_url, else 3
	LoginConfig `yaml:",inline"`

	UserID            string `yaml:"user_id,omitempty"` // instead of username
	UserDomainName    string `yaml:"user_domain_name,omitempty"`
	UserDomainID      string `yaml:"user_domain_id,omitempty"`
	ProjectName       string `yaml:"project_name,omitempty"` // neither name nor ID = a token without a project
	ProjectID         string `yaml:"project_id,omitempty"`
	ProjectDomainName string `yaml:"project_domain_name,omitempty"`
	ProjectDomainID   string `yaml:"project_domain_id,omitempty"`
	TenantName        string `yaml:"tenant_name,omitempty"` // what version 2 calls a project
	TenantID          string `yaml:"tenant_id,omitempty"`

	ApplicationID         string       `yaml:"application_credential_id,omitempty"`
	ApplicationName       string       `yaml:"application_credential_name,omitempty"` // of the user's, instead of the ID
	ApplicationSecret     probe.Secret `yaml:"application_credential_secret,omitempty"`
	ApplicationSecretFile string       `yaml:"application_credential_secret_file,omitempty"` // read at each use, without its trailing line end

	TLS *TLSConfig `yaml:"tls_config,omitempty"` // for Keystone; nil = that of the module, without its server_name

	endpoint string     // of the API, with a slash at its end
	address  string     // host:port of Keystone
	tls      *TLSConfig // as it is used
}

var (
	httpOpenStackFailure = &probe.Desc{Name: "probe_http_openstack_failure_info", Labels: []string{"part"},
		Help: "Which part failed of a probe with openstack: keystone or service."}

	_ Service = (*HTTP)(nil)
)

// The parts of a probe with openstack that may fail.
const (
	partKeystone = "keystone"
	partService  = "service"
)

const authTokenHeader = "X-Auth-Token"

// validateOpenStack checks the section and what must not be beside it.
func (h *HTTP) validateOpenStack() error {
	c := h.OpenStack
	if c == nil {
		return nil
	}
	for key, given := range map[string]bool{
		"basic_auth": h.Client.BasicAuth != nil, "authorization": h.Client.Authorization != nil, "oauth2": h.Client.OAuth2 != nil,
	} {
		if given {
			return fmt.Errorf("both %s and openstack given, want at most one", key)
		}
	}
	for name := range h.Headers {
		if http.CanonicalHeaderKey(name) == authTokenHeader {
			return fmt.Errorf("headers: %s given, which openstack sets, want one of them", authTokenHeader)
		}
	}
	for name := range h.Client.HTTPHeaders {
		if http.CanonicalHeaderKey(name) == authTokenHeader {
			return fmt.Errorf("http_headers: %s given, which openstack sets, want one of them", authTokenHeader)
		}
	}
	if err := c.validate(h.options); err != nil {
		return fmt.Errorf("openstack: %w", err)
	}
	if c.TLS == nil {
		own := h.Client.TLS
		own.ServerName, own.CertMetrics = "", nil
		c.tls = &own
	}
	return nil
}

func (c *OpenStack) validate(o Options) error {
	if err := missingOpenStack(); err != nil {
		return err
	}
	if err := c.validateURL(); err != nil {
		return err
	}
	if err := c.validateUser(o); err != nil {
		return err
	}
	if c.tls = c.TLS; c.TLS == nil {
		return nil
	}
	if len(c.TLS.CertMetrics) > 0 {
		return errors.New("tls_config: cert_metrics: given for Keystone, want it in the tls_config of the module, which is that of the target")
	}
	return c.TLS.validate()
}

// validateURL finds out where Keystone's API is.
func (c *OpenStack) validateURL() error {
	if c.AuthURL == "" {
		return errors.New("auth_url: missing, want the URL of Keystone")
	}
	u, err := url.Parse(c.AuthURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("auth_url: found %q, want an http or https URL without user, query and fragment", probe.NewTarget(c.AuthURL))
	}
	u.Path = strings.TrimRight(u.Path, "/")
	last := u.Path[strings.LastIndexByte(u.Path, '/')+1:]
	written := map[string]int{"v3": 3, "v2.0": 2}[last]
	switch {
	case c.Version != 0 && c.Version != 2 && c.Version != 3:
		return fmt.Errorf("identity_api_version: found %d, want 2 or 3", c.Version)
	case c.Version != 0 && written != 0 && c.Version != written:
		return fmt.Errorf("identity_api_version: found %d with an auth_url that ends with %s, want the same version", c.Version, last)
	}
	c.Version = cmp.Or(c.Version, written, 3)
	if written == 0 {
		u.Path += map[int]string{2: "/v2.0", 3: "/v3"}[c.Version]
	}
	c.endpoint, c.address = u.String()+"/", hostPortOf(u)
	return nil
}

// hostPortOf gives host:port of a URL of HTTP.
func hostPortOf(u *url.URL) string { return joinHostPort(u.Hostname(), portOf(u)) }

// portOf gives the port of a URL of HTTP; 0 for one that is no number.
func portOf(u *url.URL) uint16 {
	if text := u.Port(); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return 0
		}
		return uint16(port)
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}
