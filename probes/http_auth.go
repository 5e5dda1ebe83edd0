// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"skywatch/internal/probe"
)

// identify adds what proves who we are, and the module's other headers. An Authorization header written in the module wins over the
// target's userinfo, and that over the module's other keys.
func (p *httpProbe) identify(ctx context.Context, req *http.Request) error {
	p.private = map[string]bool{"Authorization": true, "Proxy-Authorization": true}
	if req.Header.Get("Authorization") == "" {
		if err := p.authorize(ctx, req); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Client.HTTPHeaders)) {
		if err := p.addHeader(req, name, p.Client.HTTPHeaders[name]); err != nil {
			return err
		}
	}
	if p.OpenStack != nil {
		if err := p.addToken(ctx, req, false); err != nil {
			return err
		}
	}
	maps.DeleteFunc(p.private, func(name string, _ bool) bool { return req.Header[name] == nil })
	return nil
}

// addHeader adds all values of a header, in the order of their sources.
func (p *httpProbe) addHeader(req *http.Request, name string, v HeaderValues) error {
	values := slices.Clone(v.Values)
	for _, secret := range v.Secrets {
		values = append(values, secret.Reveal())
	}
	for _, file := range v.Files {
		value, err := p.secret("http_headers: "+name, "", file)
		if err != nil {
			return err
		}
		values = append(values, value)
	}
	for _, value := range values {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return probe.Failf(probe.ReasonConfig, "making the request: header %q has a name or value that HTTP does not allow", name)
		}
		req.Header.Add(name, value)
	}
	if v.private() {
		p.private[http.CanonicalHeaderKey(name)] = true
	}
	return nil
}

func (p *httpProbe) authorize(ctx context.Context, req *http.Request) error {
	switch c := p.Client; {
	case p.login != nil:
		password, _ := p.login.Password()
		p.r.Hide(probe.Secret(password)) // the target's text has it percent-encoded
		req.SetBasicAuth(p.login.Username(), password)
	case c.BasicAuth != nil:
		username, err := p.secret("basic_auth: username_file", c.BasicAuth.Username, c.BasicAuth.UsernameFile)
		if err != nil {
			return err
		}
		password, err := p.secret("basic_auth: password_file", string(c.BasicAuth.Password), c.BasicAuth.PasswordFile)
		if err != nil {
			return err
		}
		req.SetBasicAuth(username, password)
	case c.Authorization != nil:
		credentials, err := p.secret("authorization: credentials_file", string(c.Authorization.Credentials), c.Authorization.CredentialsFile)
		if err != nil {
			return err
		}
		return p.setAuthorization(req, c.Authorization.Type+" "+credentials)
	case c.OAuth2 != nil:
		token, err := p.token(ctx, req.UserAgent())
		if err != nil {
			return err
		}
		return p.setAuthorization(req, token)
	}
	return nil
}

func (p *httpProbe) setAuthorization(req *http.Request, value string) error {
	if !httpguts.ValidHeaderFieldValue(value) {
		return probe.Failf(probe.ReasonConfig, "making the request: the credentials have a character that HTTP does not allow in a header")
	}
	req.Header.Set("Authorization", value)
	return nil
}

// secret gives the text written in the module, or else the content of the file, which is masked from then on.
func (p *httpProbe) secret(key, inline, file string) (string, error) {
	if inline != "" || file == "" {
		return inline, nil
	}
	data, err := p.readFile(file)
	if err != nil {
		return "", probe.Failf(probe.ReasonConfig, "reading %s: %w, want a readable file", key, err)
	}
	text := strings.TrimSpace(string(data))
	if !strings.HasSuffix(key, "username_file") {
		p.r.Hide(probe.Secret(text))
	}
	return text, nil
}

// refusal tells whether a status refuses a credential that was sent, rather than asking for one.
func (p *httpProbe) refusal(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return resp.Request.Header.Get("Authorization") != "" || len(p.private) > 0 && !p.withheld
	case http.StatusProxyAuthRequired:
		if p.Client.proxy == nil {
			return false
		}
		proxy, _ := p.Client.proxy(resp.Request)
		return p.knownTo(proxy) || resp.Request.Header.Get("Proxy-Authorization") != ""
	}
	return false
}
