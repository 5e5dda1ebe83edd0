// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"skywatch/internal/probe"
)

// httpVerdict gathers what is wrong with a response. The first finding decides, the others go to the trace.
type httpVerdict struct {
	p     *httpProbe
	resp  *http.Response
	first error
}

func (v *httpVerdict) ok() bool { return v.first == nil }

func (v *httpVerdict) fail(err error) {
	switch {
	case err == nil:
	case v.first == nil:
		v.first = err
	default:
		v.p.r.Log.Warn("also wrong with the response", "err", err)
	}
}

// judge applies the module's rules to the final response, in blackbox_exporter's order, and reads its body to the end.
func (p *httpProbe) judge(resp *http.Response) error {
	p.responded(resp)
	v := &httpVerdict{p: p, resp: resp}
	wanted := p.wantsStatus(resp.StatusCode)
	if wanted {
		v.headers()
	}
	body, err := newHTTPBody(resp.Body, p.Compression, int64(p.BodySizeLimit))
	v.fail(err)
	v.body(body, wanted && v.ok())
	p.trace.finish()
	p.r.Set(httpBodyLength, float64(body.size))
	p.r.Log.Debug("read body", "bytes", body.size)
	if !wanted {
		also := v.first
		v.first = v.status(body)
		v.fail(also)
	}
	v.protocol(wanted)
	if v.first == nil {
		return nil
	}
	return probe.Failf(probe.ReasonOf(v.first), "fetching %s: %w", p.subject(resp), v.first)
}

// subject names what was fetched, and where redirects led.
func (p *httpProbe) subject(resp *http.Response) string {
	asked, final := p.url.String(), withoutUser(resp.Request.URL).String()
	if asked == final {
		return strconv.Quote(asked)
	}
	return fmt.Sprintf("%q, redirected to %q", asked, final)
}

func (h *HTTP) wantsStatus(code int) bool {
	if len(h.ValidStatusCodes) > 0 {
		return slices.Contains(h.ValidStatusCodes, code)
	}
	return code >= 200 && code <= 299
}

func (v *httpVerdict) status(body *httpBody) error {
	reason := probe.ReasonResponse
	if v.p.refusal(v.resp) {
		reason = probe.ReasonAuth
	}
	want := "200 to 299"
	if codes := v.p.ValidStatusCodes; len(codes) > 0 {
		want = strings.Trim(strings.ReplaceAll(fmt.Sprint(codes), " ", ", "), "[]")
	}
	after := ""
	if v.p.redirects > maxRedirects {
		after = fmt.Sprintf(" after %d redirects", maxRedirects)
	}
	return probe.Failf(reason, "status %d%s%s, want %s%s", v.resp.StatusCode, v.p.serviceSaid(v.resp), after, want, body.evidence(v.p.r))
}

// headers applies the header rules.
func (v *httpVerdict) headers() {
	for _, m := range v.p.FailIfHeaderMatches {
		values := v.resp.Header[http.CanonicalHeaderKey(m.Header)]
		if len(values) == 0 && !m.AllowMissing {
			v.mismatch("header %q is missing, want one that does not match %q", m.Header, m.Regexp)
		}
		if i := slices.IndexFunc(values, m.Regexp.MatchString); i >= 0 {
			v.mismatch("header %q is %s, want none that matches %q", m.Header, v.p.r.Evidence(values[i]), m.Regexp)
		}
	}
	for _, m := range v.p.FailIfHeaderNotMatches {
		values := v.resp.Header[http.CanonicalHeaderKey(m.Header)]
		switch {
		case len(values) == 0 && !m.AllowMissing:
			v.mismatch("header %q is missing, want one that matches %q", m.Header, m.Regexp)
		case len(values) > 0 && !slices.ContainsFunc(values, m.Regexp.MatchString):
			v.mismatch("header %q is %s, want one that matches %q", m.Header, v.p.r.Evidence(strings.Join(values, ", ")), m.Regexp)
		}
	}
}

func (v *httpVerdict) mismatch(format string, a ...any) {
	v.p.r.Set(httpRegexFailed, 1)
	v.fail(probe.Failf(probe.ReasonResponse, format, a...))
}

// body reads the body to its end, keeps it if anything looks at it, and matches it if that is still of interest.
func (v *httpVerdict) body(body *httpBody, match bool) {
	regexps := len(v.p.FailIfBodyMatches)+len(v.p.FailIfBodyNotMatches) > 0
	match = match && (regexps || len(v.p.cel) > 0)
	var kept []byte
	if match || v.p.extractsBody() {
		text, err := body.all()
		if match {
			v.matchAll(text, err, body, regexps)
		} else {
			v.fail(body.err) // that it is too long to be kept matters to nobody
		}
		if err == nil {
			kept = text
		}
	}
	v.extract(kept)
	if body.err == nil {
		v.fail(body.drain())
	}
}

// matchAll looks at a body, unless that could not be had, with the regular expressions, and then with CEL if they are content.
func (v *httpVerdict) matchAll(text []byte, err error, body *httpBody, regexps bool) {
	switch {
	case err == nil:
		v.matchBody(text, body)
		if v.ok() && len(v.p.cel) > 0 {
			v.matchJSON(text, body)
		}
		return
	case regexps:
		v.p.r.Set(httpRegexFailed, 1)
	default:
		v.p.r.Set(httpCELFailed, 1)
	}
	v.fail(err)
}

func (v *httpVerdict) matchBody(text []byte, body *httpBody) {
	for _, re := range v.p.FailIfBodyMatches {
		if found := re.Find(text); found != nil {
			v.mismatch("the body has %s, want nothing that matches %q", v.p.r.Evidence(string(found)), re)
		}
	}
	for _, re := range v.p.FailIfBodyNotMatches {
		if !re.Match(text) {
			v.mismatch("the body has no match for %q, want one%s", re, body.evidence(v.p.r))
		}
	}
}

// protocol applies the rules about HTTP's version and TLS.
func (v *httpVerdict) protocol(wanted bool) {
	if versions := v.p.ValidHTTPVersions; len(versions) > 0 && !slices.Contains(versions, v.resp.Proto) {
		v.fail(probe.Failf(probe.ReasonResponse, "the version is %s, want %s", v.resp.Proto, strings.Join(versions, ", ")))
	}
	if v.resp.TLS != nil && v.p.FailIfSSL {
		v.fail(probe.Failf(probe.ReasonResponse, "the response came over TLS, want none as fail_if_ssl says"))
	}
	if v.resp.TLS == nil && v.p.FailIfNotSSL && wanted && v.ok() {
		v.fail(probe.Failf(probe.ReasonResponse, "the response came without TLS, want it as fail_if_not_ssl says"))
	}
}

// broken is the failure of a probe that got no response to judge.
func (p *httpProbe) broken(ctx context.Context, err error) error {
	if !p.conns.toProxy(p.trace.last()) {
		p.Client.TLS.refused(p.r, err)
	}
	return p.noResponse(ctx, "fetching "+strconv.Quote(p.url.String()), err)
}

// noResponse is the failure of a request that got no response. doing is how the error begins.
func (p *httpProbe) noResponse(ctx context.Context, doing string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the rest repeats the URL
	}
	trip, reason := p.trace.last(), probe.ReasonOf(err)
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		reason = probe.ReasonTimeout // half a header that ends there is no error of the peer's
	}
	handshake := !trip.tlsStart.IsZero() && trip.tlsDone.IsZero()
	var op *net.OpError
	switch {
	case reason == probe.ReasonTimeout:
		return probe.Failf(reason, "%s: %s in time, want a response", doing, trip.missing())
	case reason != probe.ReasonInternal && reason != probe.ReasonConnect:
		return probe.Failf(reason, "%s: %w", doing, err)
	case handshake, errors.As(err, &op) && op.Op == "remote error":
		return probe.Failf(probe.ReasonTLS, "%s: TLS handshake: %s, want a verified connection", doing, strings.TrimPrefix(err.Error(), "tls: "))
	case reason == probe.ReasonConnect, trip.gotConn.IsZero() && trip.tlsDone.IsZero(): // also what a proxy refuses
		return probe.Failf(probe.ReasonConnect, "%s: %w", doing, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return probe.Failf(probe.ReasonProtocol, "%s: the connection was closed, want a response", doing)
	case errors.Is(err, context.Canceled):
		return probe.Failf(reason, "%s: %w", doing, err)
	}
	return probe.Failf(probe.ReasonProtocol, "%s: %s, want a response", doing, p.cut(strings.TrimPrefix(err.Error(), "net/http: HTTP/1.x transport connection broken: ")))
}

// cut shortens a long text that quotes a peer.
func (p *httpProbe) cut(text string) string {
	if len(text) <= 300 {
		return text
	}
	return p.r.Evidence(text)
}
