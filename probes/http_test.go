// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const httpDialMetrics = "probe_dns_lookup_time_seconds probe_ip_protocol probe_ip_addr_hash "

const httpPresence = httpDialMetrics + "probe_http_duration_seconds probe_http_content_length probe_http_uncompressed_body_length " +
	"probe_http_redirects probe_http_ssl probe_http_status_code probe_http_version probe_failed_due_to_regex"

var _ = enroll("http", subject{
	section: `{basic_auth: {username: user, password: pass}}`,
	target:  func(address string) string { return "http://" + address + "/" },
	healthy: func(t testing.TB) string {
		return web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
			okBody(w, r)
		}}).URL
	},
	presence: map[situation]string{
		healthy: httpPresence + " probe_http_last_modified_timestamp_seconds",
		refused: httpPresence, silent: httpPresence, garbage: httpPresence, early: httpPresence, endless: httpPresence,
		unsolved: httpPresence,
	},
	echo: func(text string) []probetest.Step {
		return []probetest.Step{probetest.Line("GET / HTTP/1.1\r\n"), probetest.Send("HTTP/1.1 503 " + text + "\r\nServer: " + text +
			"\r\nLocation: " + text + "\r\nContent-Length: " + strconv.Itoa(len(text)) + "\r\n\r\n" + text)}
	},
})

var loopbackNames = testResolver{
	"localhost": {"127.0.0.1"}, "127.0.0.1": {"127.0.0.1"},
	"a.example": {"127.0.0.1"}, "www.a.example": {"127.0.0.1"}, "b.example": {"127.0.0.1"},
}

// httpModule decodes the keys of an http section as a configuration does.
func httpModule(t testing.TB, keys string, o Options) *probe.Module {
	t.Helper()
	if o.Resolver == nil {
		o.Resolver = loopbackNames
	}
	m, err := buildHTTP(t, keys, o)
	if err != nil {
		t.Fatalf("building %s: %v", keys, err)
	}
	return m
}

func buildHTTP(t testing.TB, keys string, o Options) (*probe.Module, error) {
	t.Helper()
	modules, err := buildModules(t, o, "modules:\n  m:\n    prober: http\n    http:\n      "+
		strings.ReplaceAll(strings.TrimSpace(keys), "\n", "\n      "))
	if err != nil {
		return nil, err
	}
	return modules.All()["m"], nil
}

// fetch makes one attempt.
func fetch(t testing.TB, m *probe.Module, target string) probe.Result {
	t.Helper()
	return fetchWithin(t, m, probe.NewTarget(target), long)
}

func fetchWithin(t testing.TB, m *probe.Module, target probe.Target, timeout time.Duration) probe.Result {
	t.Helper()
	return probe.Run(t.Context(), probe.Check{Module: m, Target: target, Timeout: timeout}, probe.Env{Grace: long})
}

// web serves handlers by path on loopback.
func web(t testing.TB, handlers map[string]http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(mux(handlers))
	t.Cleanup(s.Close)
	return s
}

func mux(handlers map[string]http.HandlerFunc) http.Handler {
	m := http.NewServeMux()
	for path, h := range handlers {
		m.HandleFunc(path, h)
	}
	return m
}

// secureWeb serves over TLS, HTTP/2 included, with a certificate of the CA.
func secureWeb(t testing.TB, ca *probetest.CA, handlers map[string]http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(mux(handlers))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.TLS = probetest.Config(ca.Good())
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func okBody(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "OK body\n") }

func redirectTo(target string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) }
}

// named gives the URL of a server under another host name.
func named(t testing.TB, server, host string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = net.JoinHostPort(host, u.Port())
	return u.String()
}

// series renders what was set as name or name{label} with its value, times as T.
func series(res probe.Result) map[string]string {
	all := make(map[string]string)
	for _, s := range res.Samples {
		key := strings.TrimPrefix(s.Desc.Name, "probe_")
		if len(s.Labels) == 1 {
			key += "{" + s.Labels[0] + "}"
		}
		value := fmt.Sprint(s.Value)
		if strings.HasPrefix(key, "http_duration") || strings.HasPrefix(key, "dns_lookup") {
			value = map[bool]string{true: "T", false: "0"}[s.Value > 0]
		}
		all[key] = value
	}
	return all
}

// wantSeries compares some of the series; the value "absent" means that there must be none.
func wantSeries(t testing.TB, res probe.Result, want map[string]string) {
	t.Helper()
	got := series(res)
	for key, value := range want {
		found, ok := got[key]
		if !ok {
			found = "absent"
		}
		if found != value {
			t.Errorf("%s is %s, want %s", key, found, value)
		}
	}
}

// wantLate makes a probe that its deadline is to end with the text, for which it has to get that far.
func wantLate(t testing.TB, m *probe.Module, target, text string) (res probe.Result) {
	t.Helper()
	patiently(t, func(t testing.TB, timeout time.Duration) {
		res = runProbe(t, t.Context(), m, target, timeout)
		wantOutcome(t, res, probe.ReasonTimeout, text, "")
	})
	return res
}

// wantOutcome compares reason and error text; each %s of the text stands for the server's URL.
func wantOutcome(t testing.TB, res probe.Result, reason probe.Reason, text, server string) {
	t.Helper()
	if want := strings.ReplaceAll(text, "%s", server); res.Reason != reason || res.Err != want {
		t.Errorf("outcome:\n got %s: %s\nwant %s: %s", res.Reason, res.Err, reason, want)
	}
}
