// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"

	"golang.org/x/net/publicsuffix"

	"skywatch/internal/probe"
)

// httpProbe is one attempt: what its round trips share.
type httpProbe struct {
	*HTTP
	r         *probe.Recorder
	target    probe.Target
	login     *url.Userinfo // of the target
	url       *url.URL      // as asked, without userinfo
	trace     httpTrace
	conns     httpConns
	private   map[string]bool // canonical names of the headers that prove who we are
	withheld  bool            // a redirect left the hosts that may see them
	redirects int
	keystone  keystone // of modules with openstack
}

// Probe fetches the target, follows redirects, and judges the final response.
func (h *HTTP) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	var refused error // by Keystone
	return h.dialer.each(ctx, r, func(ctx context.Context, r *probe.Recorder) error {
		p := &httpProbe{HTTP: h, r: r, target: t, keystone: keystone{part: partService, refused: &refused}}
		err := p.attempt(ctx)
		if err != nil && h.OpenStack != nil {
			r.Set(httpOpenStackFailure, 1, p.keystone.part)
		}
		return err
	})
}

// attempt probes one address.
func (p *httpProbe) attempt(ctx context.Context) error {
	for _, d := range httpAlways {
		p.r.Set(d, 0)
	}
	if len(p.cel) > 0 {
		p.r.Set(httpCELFailed, 0)
	}
	p.conns = httpConns{dialer: p.dialer, r: p.r, trace: &p.trace, budget: httpWireBytes}
	defer p.conns.close()
	if err := p.parse(); err != nil {
		return err
	}
	if err := p.resolve(ctx); err != nil {
		return p.failed(err)
	}
	req, err := p.request(ctx)
	if err != nil {
		return p.failed(err)
	}
	trips, err := p.roundTrips(ctx, req)
	if err != nil {
		return p.failed(err)
	}
	defer trips.close()
	return p.fetch(ctx, trips, req)
}

// fetch sends the request, follows, and judges.
func (p *httpProbe) fetch(ctx context.Context, trips *httpRoundTrips, req *http.Request) error {
	p.beginPhases()
	defer p.trace.record(p.r)
	if err := p.identify(ctx, req); err != nil {
		return p.failed(err)
	}
	jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	if err != nil {
		return p.failed(err)
	}
	client := http.Client{Transport: trips, CheckRedirect: p.checkRedirect, Jar: jar}
	p.r.Log.Debug("sending request", "method", req.Method, "url", p.url.String())
	resp, err := client.Do(req)
	if err == nil && p.refusesToken(resp) && !p.keystone.fresh {
		resp.Body.Close()
		if req, err = p.again(ctx, req); err != nil {
			return p.failed(err)
		}
		resp, err = client.Do(req)
	}
	p.r.Set(httpRedirects, float64(p.redirects))
	if err != nil {
		return p.broken(ctx, err)
	}
	defer resp.Body.Close()
	if p.refusesToken(resp) {
		p.r.Cache().Delete(p.keystone.key)
	}
	return p.judge(resp)
}

// beginPhases shows the phases that sending a request has, also when the request proves unfit to be sent.
func (p *httpProbe) beginPhases() {
	for _, phase := range []string{"connect", "tls", "processing", "transfer"} {
		p.r.Phase(httpDuration, phase, 0)
	}
	if p.OpenStack != nil {
		p.r.Phase(httpDuration, "auth", 0)
	}
}

// failed names what was to be fetched.
func (p *httpProbe) failed(err error) error {
	return probe.Failf(probe.ReasonOf(err), "fetching %q: %w", p.url, err)
}

// resolve finds the target's address, unless a proxy is to do that.
func (p *httpProbe) resolve(ctx context.Context) error {
	if p.Client.proxy != nil && p.SkipResolvePhaseWithProxy {
		return nil
	}
	host, err := asciiHost(p.url.Hostname())
	if err != nil {
		return err
	}
	took, err := p.conns.resolveTarget(ctx, host)
	p.r.Phase(httpDuration, "resolve", took)
	return err
}

// responded records what a response shows by itself.
func (p *httpProbe) responded(resp *http.Response) {
	final := withoutUser(resp.Request.URL)
	p.r.Log.Debug("received response", "status", resp.StatusCode, "proto", resp.Proto, "content_length", resp.ContentLength)
	p.r.Set(httpStatusCode, float64(resp.StatusCode))
	p.r.Set(httpContentLength, float64(resp.ContentLength))
	p.r.Set(httpVersion, protoNumber(resp.Proto))
	p.r.Fact("status", strconv.Itoa(resp.StatusCode))
	p.r.Fact("url", final.String())
	if server := resp.Header.Get("Server"); server != "" {
		p.r.Fact("server", server)
	}
	if text := resp.Header.Get("Last-Modified"); text != "" {
		if modified, err := http.ParseTime(text); err == nil {
			p.r.Set(httpLastModified, float64(modified.Unix()))
		}
	}
	if resp.TLS != nil {
		p.r.Set(httpSSL, 1)
		recordTLS(p.r, resp.TLS, true, p.options.Compat)
		p.Client.TLS.accepted(p.r, resp.TLS)
	}
}

// protoNumber gives 1.1 for "HTTP/1.1".
func protoNumber(proto string) float64 {
	var major, minor int
	if _, err := fmt.Sscanf(proto, "HTTP/%d.%d", &major, &minor); err != nil {
		return 0
	}
	return float64(major) + float64(minor)/10
}
