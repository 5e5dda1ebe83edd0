// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/idna"

	"skywatch/internal/probe"
)

// parse understands the target as a URL; one without a scheme is an http one, or an https one for HTTP/3, which is always encrypted.
func (p *httpProbe) parse() error {
	text := p.target.Raw()
	if lower := strings.ToLower(text); !strings.HasPrefix(lower, "http://") && !strings.HasPrefix(lower, "https://") {
		text = p.scheme() + "://" + text
	}
	u, err := url.Parse(text)
	var parse *url.Error
	if errors.As(err, &parse) {
		err = parse.Err // url.Error repeats the text, password included
	}
	if err != nil {
		return probe.Failf(probe.ReasonConfig, "fetching %q: %s, want a URL", p.target, strings.TrimPrefix(err.Error(), "net/url: "))
	}
	if u.Hostname() == "" {
		return probe.Failf(probe.ReasonConfig, "fetching %q: no host, want a URL with one", p.target)
	}
	if p.EnableHTTP3 && u.Scheme != "https" {
		return probe.Failf(probe.ReasonConfig, "fetching %q: HTTP/3 is always encrypted, want an https URL", p.target)
	}
	if err := p.CheckHostname(p.target.Hostname); err != nil {
		return probe.Failf(probe.ReasonConfig, "fetching %q: %w, want one of them", p.target, err)
	}
	u.Fragment, u.RawFragment = "", ""
	p.login, p.url = u.User, withoutUser(u)
	return nil
}

// scheme is that of a target which has none.
func (p *httpProbe) scheme() string {
	if p.EnableHTTP3 {
		return "https"
	}
	return "http"
}

// request makes the first request, without what proves who we are.
func (p *httpProbe) request(ctx context.Context) (*http.Request, error) {
	body, err := p.requestBody()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, p.Method, p.url.String(), body)
	if err != nil {
		return nil, probe.Failf(probe.ReasonConfig, "making the request: %w, want a valid method and URL", err)
	}
	req.Header.Set("User-Agent", p.options.userAgent())
	for name, value := range p.Headers {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			p.beginPhases()
			return nil, probe.Failf(probe.ReasonConfig, "making the request: header %q has a name or value that HTTP does not allow", name)
		}
		if strings.EqualFold(name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
		p.hideHeader(name, value)
	}
	if p.target.Hostname != "" {
		req.Host = p.target.Hostname
	}
	return req, nil
}

// hideHeader masks what a module's plain headers say about who we are.
func (p *httpProbe) hideHeader(name, value string) {
	switch http.CanonicalHeaderKey(name) {
	case "Authorization", "Cookie", "Proxy-Authorization":
		_, credentials, _ := strings.Cut(value, " ")
		p.r.Hide(probe.Secret(value), probe.Secret(credentials))
	}
}

// requestBody gives a body of known length that a redirect may have repeated; nil without one.
func (p *httpProbe) requestBody() (io.Reader, error) {
	if p.BodyFile == "" {
		if p.Body == "" {
			return nil, nil
		}
		return strings.NewReader(p.Body), nil
	}
	data, err := p.readFile(p.BodyFile)
	if err != nil {
		return nil, probe.Failf(probe.ReasonConfig, "making the request: body_file: %w, want a readable file", err)
	}
	return bytes.NewReader(data), nil
}

func (p *httpProbe) readFile(path string) ([]byte, error) {
	found, _, err := p.options.locate(path)
	if err != nil {
		return nil, err
	}
	p.r.Log.Debug("using file", "path", found)
	return os.ReadFile(found)
}

func withoutUser(u *url.URL) *url.URL {
	if u.User == nil {
		return u
	}
	bare := *u
	bare.User = nil
	return &bare
}

// asciiHost gives the form of a host name that is looked up, as net/http does it.
func asciiHost(host string) (string, error) {
	for i := range len(host) {
		if host[i] >= 0x80 {
			ascii, err := idna.Lookup.ToASCII(host)
			if err != nil {
				return "", probe.Failf(probe.ReasonConfig, "resolving %q: %w, want a host name", host, err)
			}
			return ascii, nil
		}
	}
	return host, nil
}

// CheckTarget tells why no check can aim at t; nil when one can.
func (h *HTTP) CheckTarget(t probe.Target) error {
	p := &httpProbe{HTTP: h, target: t}
	if err := p.parse(); err != nil {
		return err
	}
	if strings.HasSuffix(p.url.Host, ":") { // what stood before another ://
		return probe.Failf(probe.ReasonConfig, "fetching %q: scheme is neither http nor https, want one of them or none", t)
	}
	return nil
}
