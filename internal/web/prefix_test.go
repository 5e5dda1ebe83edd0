// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"skywatch/internal/probe"
)

const external = "https://watch.example.org/x/y"

func prefixed(t *testing.T) Options {
	o := someOptions(t)
	o.Prefix, o.External, o.Logs = "/x/y/", external, says("logs")
	o.Reload = func() error { return nil }
	return o
}

func TestPrefix(t *testing.T) {
	for _, test := range []struct {
		method, path string
		status       int
		location     string // of a redirect, else the beginning of the text
	}{
		{"GET", "/x/y/", 200, "<!DOCTYPE html>"},
		{"GET", "/x/y/probe?target=x", 200, "probe"},
		{"HEAD", "/x/y/probe?target=x", 200, "probe"},
		{"GET", "/x/y/metrics", 200, "metrics"},
		{"GET", "/x/y/metrics/checks", 200, "measured"},
		{"GET", "/x/y/logs", 200, "logs"},
		{"GET", "/x/y/-/healthy", 200, "Healthy"},
		{"POST", "/x/y/-/reload", 200, ""},
		{"GET", "/x/y/traces/7", 200, ""},
		{"GET", "/x/y/checks/Webmail", 200, "<!DOCTYPE html>"},
		{"GET", "/x/y", 307, "/x/y/"},
		{"POST", "/x/y?refresh=30", 307, "/x/y/?refresh=30"},
		{"GET", "/x/y//metrics", 307, "/x/y/metrics"},
		{"GET", "/", 302, external},
		{"GET", "/?a=b", 302, external},
		{"GET", "/probe?target=x", 404, "404 page not found\n"},
		{"GET", "/x/", 404, "404 page not found\n"},
		{"GET", "/x/yprobe", 404, "404 page not found\n"},
		{"GET", "/x/y/nonexistent", 404, "404 page not found\n"},
		{"GET", "/debug/pprof/", 404, "404 page not found\n"},
		{"GET", "/x/y/debug/pprof/", 404, "404 page not found\n"},
	} {
		w := request(NewHandler(prefixed(t)), test.method, test.path)
		got := w.Header().Get("Location")
		if got == "" && strings.HasPrefix(w.Body.String(), test.location) {
			got = test.location
		}
		if w.Code != test.status || got != test.location {
			t.Errorf("%s %s: %d %q, want %d %q\n%.200s", test.method, test.path, w.Code, got, test.status, test.location, w.Body)
		}
	}
}

func TestPrefixInExactMode(t *testing.T) {
	o := prefixed(t)
	o.Exact = true
	h := NewHandler(o)
	for path, root := range map[string]string{"/x/y/nonexistent": "./", "/x/y/-/ready": "../", "/x/y/probe/": "../"} {
		w := request(h, "GET", path)
		if want := `href="` + root + `metrics"`; w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: status %d, want the landing page with %s", path, w.Code, want)
		}
	}
	if w := request(h, "GET", "/elsewhere"); w.Code != http.StatusNotFound {
		t.Errorf("outside of the prefix: status %d, want 404", w.Code)
	}
}

// TestPrefixLinksWork follows the links of the landing page under a prefix of our own.
func TestPrefixLinksWork(t *testing.T) {
	o := prefixed(t)
	o.Requests = func(yield func(int64, probe.Result) bool) { yield(4, probe.Result{Module: "m", Target: "t"}) }
	server := httptest.NewServer(NewHandler(o))
	defer server.Close()
	at, _ := url.Parse(server.URL + "/x/y/")
	followed := 0
	for _, n := range parse(t, fetch(t, at.String(), http.StatusOK)) {
		link := attribute(n, "href")
		if n.Data != "a" || strings.Contains(link, "traces") {
			continue
		}
		to, err := at.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		fetch(t, to.String(), http.StatusOK)
		followed++
	}
	if followed < 10 {
		t.Errorf("%d links followed, want many", followed)
	}
}

func TestProfilesAreOffUnlessAskedFor(t *testing.T) {
	o := someOptions(t)
	if w := request(NewHandler(o), "GET", "/debug/pprof/"); w.Code != http.StatusNotFound {
		t.Errorf("status %d, want 404", w.Code)
	}
	o.Pprof, o.Prefix = true, "/x/"
	h := NewHandler(o)
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=1", "/debug/pprof/symbol"} {
		if w := request(h, "GET", path); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "<h1>Checks") {
			t.Errorf("%s: status %d, want a profile", path, w.Code)
		}
	}
}

func TestRecentProbes(t *testing.T) {
	o := someOptions(t)
	results := []probe.Result{
		{Module: "http_2xx", Target: hostile, Verdict: probe.Down},
		{Module: "tcp_connect", Target: "localhost:22", Verdict: probe.Up},
	}
	o.Requests = func(yield func(int64, probe.Result) bool) {
		for i, r := range results {
			if !yield(int64(7-i), r) {
				return
			}
		}
	}
	page := request(NewHandler(o), "GET", "/").Body.String()
	wantInOrder(t, words(t, page), "Recent probes Module Target Result", "http_2xx "+hostile+" Failure Logs tcp_connect localhost:22 Success Logs", "Probe by hand")
	wantInOrder(t, page, `<strong>Failure</strong>`, `href="./logs?id=7"`, `<td>Success</td>`, `href="./logs?id=6"`)
	results = make([]probe.Result, maxRequests+5)
	if got := strings.Count(request(NewHandler(o), "GET", "/").Body.String(), "logs?id="); got != maxRequests {
		t.Errorf("%d probes shown, want at most %d", got, maxRequests)
	}
}
