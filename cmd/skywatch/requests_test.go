// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

const requestModules = `
modules:
  http_2xx: {prober: http, timeout: 1m}
  hosted: {prober: http, timeout: 1m, http: {headers: {host: v}}}
  tcp: {prober: tcp, timeout: 1m}
checks: [{name: Idle, module: tcp, target: "127.0.0.1:1"}]
notifiers: [{name: console, log: {}}]
`

// site answers with what it was asked for.
func site(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X") != "" {
			w.WriteHeader(http.StatusTeapot) // somebody smuggled it in
		}
		io.WriteString(w, r.Host+" "+r.RequestURI)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const (
	scrapeHeader = "X-Prometheus-Scrape-Timeout-Seconds"
	success      = "\nprobe_success 1\n"
	failure      = "\nprobe_success 0\n"
)

// TestOddRequests has vectors 19 and 42 among them.
func TestOddRequests(t *testing.T) {
	d, web := newTestDaemon(t, requestModules), site(t)
	escaped := url.QueryEscape(web)
	for _, test := range []struct {
		name, method, query, body string
		header                    string // the scrape timeout
		status                    int
		want                      string
	}{
		{"plain", "GET", "target=" + web, "", "", 200, success},
		{"head", "HEAD", "target=" + web, "", "", 200, success},
		{"put", "PUT", "target=" + web, "", "", 200, success},
		{"form", "POST", "", "target=" + escaped, "", 400, "Target parameter is missing\n"},
		{"form beside a query", "POST", "target=" + web, "module=nope&target=x", "", 200, success},
		{"no target", "GET", "", "", "", 400, "Target parameter is missing\n"},
		{"unknown module", "GET", "module=x%22y&target=" + web, "", "", 400, "Unknown module \"x\\\"y\"\n"},
		{"unknown module first", "GET", "module=nope", "", "NaN", 400, "Unknown module \"nope\"\n"},
		{"bad header", "GET", "target=" + web, "", "12 s", 500, "Failed to parse timeout from Prometheus header: strconv.ParseFloat: parsing \"12 s\": invalid syntax\n"},
		{"no number", "GET", "target=" + web, "", "NaN", 500, "Failed to parse timeout from Prometheus header: "},
		{"large header", "GET", "target=" + web, "", "1e400", 500, "Failed to parse timeout from Prometheus header: strconv.ParseFloat: parsing \"1e400\": value out of range\n"},
		{"endless header", "GET", "target=" + web, "", "Inf", 200, "\nprobe_timeout_seconds 60\n"},
		{"negative header", "GET", "target=" + web, "", "-5", 200, "\nprobe_timeout_seconds 60\n"},
		{"hexadecimal header", "GET", "target=" + web, "", "0x1p1", 200, "\nprobe_timeout_seconds 1.5\n"},
		{"other hostname", "GET", "module=hosted&hostname=other&target=" + web, "", "", 400,
			"host header defined both in module configuration (v) and with URL-parameter 'hostname' (other)\n"},
		{"same hostname", "GET", "module=hosted&hostname=v&target=" + web, "", "", 200, success},
		{"hostname", "GET", "hostname=other&target=" + web, "", "", 200, success},
		{"hostname with another header in it", "GET", "hostname=a%0d%0aX:%20c&target=" + web, "", "", 200, success}, // sent as no name at all
		{"first target", "GET", "target=" + web + "&target=nope", "", "", 200, success},
		{"first module", "GET", "module=http_2xx&module=nope&target=" + web, "", "", 200, success},
		{"once encoded", "GET", "target=" + escaped, "", "", 200, success},
		{"twice encoded", "GET", "target=" + url.QueryEscape(escaped), "", "", 200, success},
		{"semicolon", "GET", "a;b&target=" + web, "", "", 200, success},
		{"other parameters", "GET", "x=y&target=" + web + "&timeout=1", "", "", 200, success},
		{"debug is true only", "GET", "debug=1&target=" + web, "", "", 200, success},
		{"NUL", "GET", "target=http://127.0.0.1%00/", "", "", 200, failure},
		{"NUL for tcp", "GET", "module=tcp&target=127.0.0.1%00:80", "", "", 200, failure},
		{"line feed", "GET", "target=http://127.0.0.1/%0a", "", "", 200, failure},
		{"no UTF-8", "GET", "target=http://127.0.0.1:1/%ff%fe", "", "", 200, failure},
		{"very long", "GET", "target=" + web + "/" + strings.Repeat("x", 50_000), "", "", 200, success},
		{"very long nonsense", "GET", "module=tcp&target=" + strings.Repeat("x", 50_000) + ":1", "", "", 200, failure},
		{"no host", "GET", "target=http://", "", "", 200, failure},
		{"no port", "GET", "module=tcp&target=localhost", "", "", 200, failure},
		{"no such port", "GET", "module=tcp&target=127.0.0.1:99999", "", "", 200, failure},
		{"other scheme", "GET", "target=ftp://127.0.0.1:1/", "", "", 200, failure},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := []string{"Content-Type", "application/x-www-form-urlencoded", scrapeHeader, test.header}
			w := d.ask(test.method, "/probe?"+test.query, strings.NewReader(test.body), headers...)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("got %d %.500s, want %d %s", w.Code, w.Body, test.status, test.want)
			}
		})
	}
	if got := d.stderr.String(); got != "" {
		t.Errorf("the log has %.1000s, want nothing: it was none of our faults", got)
	}
	for _, p := range d.memory() {
		if len(p.Target) > 2010 {
			t.Errorf("%d bytes of a target are kept", len(p.Target))
		}
	}
}

// memory is what was observed, in the ring of recent probes.
func (d testDaemon) memory() (all []probe.Result) {
	for _, r := range d.recent.All() {
		all = append(all, r)
	}
	return all
}

// landing is the landing page with what it shows of the history.
func (d testDaemon) landing() (string, error) {
	page := d.get("/").Body.String()
	if _, why, unread := strings.Cut(page, "The history cannot be read at the moment: "); unread {
		return "", errors.New(why)
	}
	return page, nil
}

// TestRequestsEnterTheHistoryAndAlertNobody.
func TestRequestsEnterTheHistoryAndAlertNobody(t *testing.T) {
	d, web := newTestDaemon(t, requestModules), site(t)
	d.remembering(t)
	d.get("/probe?module=tcp&target=127.0.0.1:1")
	d.get("/probe?target=" + web)
	recent := steady(t, func() ([]record.Stored, error) { return d.store.Recent(t.Context(), 10) })
	if len(recent) != 2 {
		t.Fatalf("history has %+v, want both probes", recent)
	}
	for i, want := range []probe.Verdict{probe.Up, probe.Down} { // newest first
		if r := recent[i]; r.Verdict != want || r.Origin != probe.OriginRequest || r.Check != "" || r.Trace != 0 {
			t.Errorf("result %d: %+v, want a request without a trace that was %s", i, r, want)
		}
	}
	for _, s := range d.alerter.States() {
		if s.State != 0 {
			t.Errorf("state %+v, want no request to change any", s)
		}
	}
	if pending := d.alerter.Pending(); len(pending) > 0 {
		t.Errorf("messages %+v, want none", pending)
	}
	transitions := steady(t, func() ([]record.Transition, error) { return d.store.Transitions(t.Context(), "", 10) })
	if len(transitions) > 0 {
		t.Errorf("transitions %+v, want none", transitions)
	}
	if page := steady(t, d.landing); !strings.Contains(page, "<strong>Failure</strong>") || !strings.Contains(page, `request</span> tcp`) {
		t.Errorf("the landing page lacks the probes:\n%s", page)
	}
}
