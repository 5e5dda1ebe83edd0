// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/golang-jwt/jwt/v5"
	promconfig "github.com/prometheus/common/config"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"skywatch/internal/probe"
)

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer" // RFC 7523

// token fetches a token for this probe, within its deadline, and gives the text of the Authorization header.
func (p *httpProbe) token(ctx context.Context, userAgent string) (string, error) {
	c := p.Client.OAuth2
	source, err := p.tokenConfig()
	if err != nil {
		return "", err
	}
	conf, err := p.Client.tokenTLS.client("", p.options, p.r.Log)
	if err != nil {
		return "", err
	}
	transport := p.transport(ctx, conf, false, p.Client.tokenProxy)
	transport.ProxyConnectHeader = c.GetProxyConnectHeader()
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
		req = req.Clone(ctx) // the library does not ask for every kind of token within its context
		req.Header.Set("User-Agent", userAgent)
		return transport.RoundTrip(req)
	})}
	token, err := source.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, client)).Token()
	if err != nil {
		return "", p.tokenError(probe.NewTarget(c.TokenURL).String(), err)
	}
	p.r.Hide(probe.Secret(token.AccessToken), probe.Secret(token.RefreshToken))
	p.r.Log.Debug("received token", "type", token.Type())
	return token.Type() + " " + token.AccessToken, nil
}

type tokenConfig interface {
	TokenSource(ctx context.Context) oauth2.TokenSource
}

// tokenConfig describes how to ask for a token.
func (p *httpProbe) tokenConfig() (tokenConfig, error) {
	c := p.Client.OAuth2
	params := url.Values{}
	for name, value := range c.EndpointParams {
		params.Set(name, value)
	}
	if c.GrantType == jwtBearer {
		key, err := p.secret("oauth2: client_certificate_key_file", string(c.ClientCertificateKey), c.ClientCertificateKeyFile)
		if err != nil {
			return nil, err
		}
		if _, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(key)); err != nil {
			return nil, probe.Failf(probe.ReasonConfig, "reading oauth2: client_certificate_key: %w, want an RSA key", err)
		}
		return &promconfig.JwtGrantTypeConfig{
			PrivateKey: []byte(key), PrivateKeyID: c.ClientCertificateKeyID, SigningAlgorithm: signing(c.SignatureAlgorithm),
			Iss: cmp.Or(c.Iss, c.ClientID), Subject: c.ClientID, Audience: c.Audience, PrivateClaims: c.Claims,
			Scopes: c.Scopes, TokenURL: c.TokenURL, EndpointParams: params,
		}, nil
	}
	secret, err := p.secret("oauth2: client_secret_file", string(c.ClientSecret), c.ClientSecretFile)
	if err != nil {
		return nil, err
	}
	return &clientcredentials.Config{ClientID: c.ClientID, ClientSecret: secret, Scopes: c.Scopes, TokenURL: c.TokenURL, EndpointParams: params}, nil
}

func signing(algorithm string) *jwt.SigningMethodRSA {
	switch algorithm {
	case "RS384":
		return jwt.SigningMethodRS384
	case "RS512":
		return jwt.SigningMethodRS512
	}
	return jwt.SigningMethodRS256
}

// tokenError tells a refused client from a broken token server.
func (p *httpProbe) tokenError(server string, err error) error {
	server, _, _ = strings.Cut(server, "?") // some servers want the secret there
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil {
		reason := probe.ReasonResponse
		if code := refused.Response.StatusCode; code == http.StatusUnauthorized || code == http.StatusBadRequest || code == http.StatusForbidden {
			reason = probe.ReasonAuth
		}
		return probe.Failf(reason, "asking %q for a token: status %d and body %s, want a token",
			server, refused.Response.StatusCode, p.r.Evidence(string(refused.Body)))
	}
	reason := probe.ReasonOf(err)
	switch reason {
	case probe.ReasonInternal:
		reason = probe.ReasonProtocol
	case probe.ReasonTimeout:
		return probe.Failf(reason, "asking %q for a token: no answer in time, want a token", server)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return probe.Failf(reason, "asking %q for a token: %w, want a token", server, err)
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
