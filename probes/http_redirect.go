// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"cmp"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"skywatch/internal/probe"
)

// maxRedirects is how many are followed.
const maxRedirects = 10

// checkRedirect counts and logs a redirect, and ends the chase where the module or the limit says so; the redirect itself is judged then.
func (p *httpProbe) checkRedirect(next *http.Request, via []*http.Request) error {
	p.redirects = len(via)
	p.r.Log.Info("received redirect", "status", next.Response.StatusCode, "location", withoutUser(next.URL).String())
	if !p.Client.FollowRedirects || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	if next.URL.Scheme != "http" && next.URL.Scheme != "https" {
		return probe.Failf(probe.ReasonResponse, "redirected to %q, want http or https", withoutUser(next.URL))
	}
	p.guard(next, via[0])
	return nil
}

// guard keeps what proves who we are from hosts that it is not meant for, and gives it to the others of the same owner. Once a
// redirect has left them, whoever sent us on chose the URL, so it is not sent again.
func (p *httpProbe) guard(next, first *http.Request) {
	p.withheld = p.withheld || !sameOwner(first.URL, next.URL) || p.OpenStack != nil && !p.tokenMayGo(first.URL, next.URL)
	for name := range p.private {
		if p.withheld {
			next.Header.Del(name)
		} else {
			next.Header[name] = slices.Clone(first.Header[name])
		}
	}
	if p.withheld {
		next.Header.Del("Cookie") // the module's own; those that hosts have set are kept by host
		p.r.Log.Debug("credentials withheld", "host", next.URL.Host)
	}
}

// sameOwner tells whether what is meant for the first URL may go to the next one: the same host or one of the same registrable domain,
// and never from https to http.
func sameOwner(first, next *url.URL) bool {
	if first.Scheme == "https" && next.Scheme != "https" {
		return false
	}
	a, b := ownerOf(first), ownerOf(next)
	return a != "" && a == b
}

// tokenMayGo tells whether the token of openstack may follow a redirect to a host of the same owner: to the same port, and where the
// credential that stands behind the token is allowed. Without such a list it stays on the host that was asked for: whoever makes a host
// redirect must not find another one of the domain that gets the token.
func (p *httpProbe) tokenMayGo(first, next *url.URL) bool {
	if !samePort(first, next) {
		return false
	}
	credential := p.options.Credentials.Find(cmp.Or(p.target.Credential, p.OpenStack.Credential))
	if credential != nil && len(credential.Allow) > 0 {
		return Allowed(credential.Allow, hostPortOf(next))
	}
	return Allowed([]string{hostPortOf(first)}, joinHostPort(next.Hostname(), portOf(first)))
}

// samePort tells whether two URLs lead to the same port, or from HTTP to HTTPS at their standard ports. A token is for one service, and
// another port has another one.
func samePort(first, next *url.URL) bool {
	a, b := portOf(first), portOf(next)
	return a == b || first.Scheme == "http" && a == 80 && next.Scheme == "https" && b == 443
}

// ownerOf gives the registrable domain of a URL's host; for an address or a name without one it is the host itself.
func ownerOf(u *url.URL) string {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	ascii, err := asciiHost(host)
	if err != nil {
		return ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(ascii)
	if err != nil {
		return ascii
	}
	return domain
}
