// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !noopenstack

package probes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	tokens2 "github.com/gophercloud/gophercloud/v2/openstack/identity/v2/tokens"
	tokens3 "github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
	"golang.org/x/net/http/httpguts"

	"skywatch/internal/probe"
)

// The bounds of what Keystone may say: a whole answer, and the token in it.
const (
	keystoneBytes = 1 << 20
	maxTokenBytes = 64 << 10
)

// missingOpenStack says why openstack cannot be used; nil: it can.
func missingOpenStack() error { return nil }

// keystoneCall is one request for a token. It goes over a connection of its own and is sent once: a redirect is never followed, since it
// would take the password with it.
type keystoneCall struct {
	*httpProbe // of Keystone, not of the target: its connections and their times
	config     *OpenStack
	login      *login
	userAgent  string
	transport  *http.Transport
	answered   bool // whether there was a whole response
}

// askKeystone gets a token.
func (p *httpProbe) askKeystone(ctx context.Context, l *login, userAgent string) (issuedToken, error) {
	k := &keystoneCall{httpProbe: &httpProbe{HTTP: p.HTTP, r: p.r}, config: p.OpenStack, login: l, userAgent: userAgent}
	k.conns = httpConns{dialer: p.dialer, r: p.r, trace: &k.trace, budget: keystoneBytes}
	k.conns.dialer.fallback = true // the way to Keystone is not bound to the family that the target must have
	defer k.conns.close()
	conf, err := k.config.tls.client("", p.options, p.r.Log)
	if err != nil {
		return issuedToken{}, probe.Failf(probe.ReasonOf(err), "openstack: %w", err)
	}
	k.transport = k.httpProbe.transport(ctx, conf, false, p.Client.proxy)
	defer k.transport.CloseIdleConnections()
	k.trace.begin(strings.HasPrefix(k.config.endpoint, "https:"))
	p.r.Log.Debug("asking Keystone for a token", "url", k.config.endpoint, "as", k.config.who(l))
	issued, err := k.create(httptrace.WithClientTrace(ctx, k.trace.hooks(k.conns.secured)))
	if err != nil {
		return issuedToken{}, k.failure(ctx, err)
	}
	p.r.Login(l.Login, true)
	return issued, nil
}

// create sends the request in the form of its version.
func (k *keystoneCall) create(ctx context.Context) (issuedToken, error) {
	service := &gophercloud.ServiceClient{Endpoint: k.config.endpoint, ProviderClient: &gophercloud.ProviderClient{HTTPClient: http.Client{
		Transport:     k,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}}
	if k.config.Version == 2 {
		return k.create2(ctx, service)
	}
	c := k.config
	options := &tokens3.AuthOptions{
		Username: k.login.username, UserID: c.UserID, DomainName: c.UserDomainName, DomainID: c.UserDomainID,
		Scope: tokens3.Scope{ProjectName: c.ProjectName, ProjectID: c.ProjectID, DomainName: c.ProjectDomainName, DomainID: c.ProjectDomainID},
	}
	if c.UserID != "" {
		options.DomainName, options.DomainID = "", "" // an ID has no need of it
	}
	if c.application() {
		options.ApplicationCredentialID, options.ApplicationCredentialName = c.ApplicationID, c.ApplicationName
		options.ApplicationCredentialSecret = k.login.Secret.Reveal()
	} else {
		options.Password = k.login.Secret.Reveal()
	}
	result := tokens3.Create(ctx, service, options)
	token, err := result.ExtractToken()
	if err != nil {
		return issuedToken{}, err
	}
	var times struct {
		IssuedAt string `json:"issued_at"`
	}
	if err := result.ExtractInto(&times); err != nil {
		return issuedToken{}, err
	}
	return k.issue(token.ID, times.IssuedAt, token.ExpiresAt)
}

// create2 is create for version 2.0.
func (k *keystoneCall) create2(ctx context.Context, service *gophercloud.ServiceClient) (issuedToken, error) {
	result := tokens2.Create(ctx, service, tokens2.AuthOptions{
		Username: k.login.username, Password: k.login.Secret.Reveal(), TenantName: k.config.TenantName, TenantID: k.config.TenantID,
	})
	token, err := result.ExtractToken()
	if err != nil {
		return issuedToken{}, err
	}
	var times struct {
		Access struct {
			Token struct {
				IssuedAt string `json:"issued_at"`
			} `json:"token"`
		} `json:"access"`
	}
	if err := result.ExtractInto(&times); err != nil {
		return issuedToken{}, err
	}
	return k.issue(token.ID, times.Access.Token.IssuedAt, token.ExpiresAt)
}

// tokenOf2 gives the token of an answer of version 2.0, whatever else is wrong with it; "" when there is none.
func tokenOf2(body []byte) probe.Secret {
	var answer struct {
		Access struct {
			Token struct {
				ID string `json:"id"`
			} `json:"token"`
		} `json:"access"`
	}
	_ = json.Unmarshal(body, &answer) // what can be read is enough
	return probe.Secret(answer.Access.Token.ID)
}

// issue checks a token. Its life is by Keystone's clock alone, which may differ from ours, unless Keystone does not say when it began.
func (k *keystoneCall) issue(text, issuedAt string, end time.Time) (issuedToken, error) {
	if text == "" || len(text) > maxTokenBytes || !httpguts.ValidHeaderFieldValue(text) {
		return issuedToken{}, errors.New("there is none that a header can carry")
	}
	k.hideSecret(probe.Secret(text))
	issued := issuedToken{text: text}
	if end.IsZero() {
		return issued, nil
	}
	begin, err := time.Parse("2006-01-02T15:04:05", strings.TrimSuffix(issuedAt, "Z")) // 2.0 leaves the Z out
	if err != nil {
		begin = time.Now()
	}
	issued.life = end.Sub(begin)
	return issued, nil
}

// RoundTrip sends the request and reads all of the response, so that nobody else need bound it. The catalog of all services is not wanted.
func (k *keystoneCall) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", k.userAgent)
	if k.config.Version == 3 {
		req.URL.RawQuery = "nocatalog"
	}
	resp, err := k.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	k.hideSecret(probe.Secret(resp.Header.Get("X-Subject-Token"))) // also of an answer that turns out to be none
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	k.answered = true
	if k.config.Version == 2 {
		k.hideSecret(tokenOf2(body))
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
