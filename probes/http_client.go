// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp || !nowebsocket

package probes

import (
	"fmt"
	"net/http"
	"net/url"

	promconfig "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
)

// HTTPClient is the part of a module that says how to speak HTTP: who we are, what we trust, and by which way we go.
type HTTPClient struct {
	BasicAuth       *promconfig.BasicAuth     `yaml:"basic_auth,omitempty"`
	Authorization   *promconfig.Authorization `yaml:"authorization,omitempty"`
	OAuth2          *OAuth2                   `yaml:"oauth2,omitempty"`
	BearerToken     probe.Secret              `yaml:"bearer_token,omitempty"`      // deprecated; becomes authorization
	BearerTokenFile string                    `yaml:"bearer_token_file,omitempty"` // deprecated; becomes authorization
	TLS             TLSConfig                 `yaml:"tls_config,omitempty"`
	FollowRedirects bool                      `yaml:"follow_redirects"`
	EnableHTTP2     bool                      `yaml:"enable_http2"`
	Proxy           promconfig.ProxyConfig    `yaml:",inline"`
	HTTPHeaders     map[string]HeaderValues   `yaml:"http_headers,omitempty"`

	proxy      func(*http.Request) (*url.URL, error) // nil = none
	tokenTLS   TLSConfig
	tokenProxy func(*http.Request) (*url.URL, error)
}

// OAuth2 is the client library's section; a password in the URL of the token server does not show.
type OAuth2 struct {
	promconfig.OAuth2 `yaml:",inline"`
}

// MarshalYAML gives the section with the URL as targets are shown: without user name and password.
func (o OAuth2) MarshalYAML() (any, error) {
	shown := o.OAuth2
	shown.TokenURL = probe.NewTarget(o.TokenURL).String()
	return &shown, nil
}

var defaultHTTPClient = HTTPClient{FollowRedirects: true, EnableHTTP2: true}

// HeaderValues are the values of one request header, all of which are sent. A plain text or a list of texts stands for values.
type HeaderValues struct {
	Values  []string       `yaml:"values,omitempty"`
	Secrets []probe.Secret `yaml:"secrets,omitempty"`
	Files   []string       `yaml:"files,omitempty"`
}

// UnmarshalYAML reads the short forms too.
func (v *HeaderValues) UnmarshalYAML(unmarshal func(any) error) error {
	var node place
	if err := unmarshal(&node); err != nil {
		return err
	}
	switch node.Kind {
	case yaml.ScalarNode:
		v.Values = make([]string, 1)
		return unmarshal(&v.Values[0])
	case yaml.SequenceNode:
		return unmarshal(&v.Values)
	}
	type plain HeaderValues
	return unmarshal((*plain)(v))
}

// private tells whether the header proves who we are.
func (v HeaderValues) private() bool { return len(v.Secrets) > 0 || len(v.Files) > 0 }

// validate applies the rules of the keys and turns the deprecated ones into the others.
func (c *HTTPClient) validate(o Options) error {
	rules := promconfig.HTTPClientConfig{
		BasicAuth: c.BasicAuth, Authorization: c.Authorization,
		BearerToken: promconfig.Secret(c.BearerToken), BearerTokenFile: c.BearerTokenFile, ProxyConfig: c.Proxy,
	}
	if c.OAuth2 != nil {
		rules.OAuth2 = &c.OAuth2.OAuth2
	}
	if err := rules.Validate(); err != nil {
		return err
	}
	c.Authorization, c.BearerToken, c.BearerTokenFile = rules.Authorization, "", ""
	for name := range c.HTTPHeaders {
		if _, reserved := promconfig.ReservedHeaders[http.CanonicalHeaderKey(name)]; reserved {
			return fmt.Errorf("http_headers: setting header %q is not allowed", http.CanonicalHeaderKey(name))
		}
	}
	if err := c.refuseRefs(); err != nil {
		return err
	}
	c.proxy = c.Proxy.Proxy()
	if err := c.TLS.validate(); err != nil || c.OAuth2 == nil {
		return err
	}
	c.tokenProxy = c.OAuth2.Proxy()
	c.tokenTLS = tlsConfigOf(c.OAuth2.TLSConfig)
	if err := c.tokenTLS.validate(); err != nil {
		return fmt.Errorf("oauth2: %w", err)
	}
	return nil
}

// refuseRefs refuses the keys that name an entry of a secret manager.
func (c *HTTPClient) refuseRefs() error {
	var refs [][2]string
	if a := c.BasicAuth; a != nil {
		refs = append(refs, [2]string{"basic_auth: username", a.UsernameRef}, [2]string{"basic_auth: password", a.PasswordRef})
	}
	if a := c.Authorization; a != nil {
		refs = append(refs, [2]string{"authorization: credentials", a.CredentialsRef})
	}
	if a := c.OAuth2; a != nil {
		refs = append(refs, [2]string{"oauth2: client_secret", a.ClientSecretRef},
			[2]string{"oauth2: client_certificate_key", a.ClientCertificateKeyRef})
	}
	for _, ref := range refs {
		if ref[1] != "" {
			return fmt.Errorf("%s_ref needs a secret manager, which skywatch does not have, want the key without _ref or with _file", ref[0])
		}
	}
	return nil
}

// tlsConfigOf gives our form of the client library's section, for the token server of oauth2.
func tlsConfigOf(c promconfig.TLSConfig) TLSConfig {
	return TLSConfig{
		CA: c.CA, CAFile: c.CAFile, CARef: c.CARef, Cert: c.Cert, CertFile: c.CertFile, CertRef: c.CertRef,
		Key: probe.Secret(c.Key), KeyFile: c.KeyFile, KeyRef: c.KeyRef,
		ServerName: c.ServerName, InsecureSkipVerify: c.InsecureSkipVerify,
		MinVersion: c.MinVersion.String(), MaxVersion: c.MaxVersion.String(),
	}
}
