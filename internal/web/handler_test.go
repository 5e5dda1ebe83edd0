// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"skywatch/internal/probe"
)

func TestPlainRoutes(t *testing.T) {
	const plain = "text/plain; charset=utf-8"
	broken := func(o *Options) {
		o.Ready = func() error { return errors.New("the history is not open yet") }
		o.Reload = func() error { return errors.New(`reading "skywatch.yml": line 3`) }
		o.Config = func() ([]byte, error) { return nil, errors.New("odd") }
	}
	for _, test := range []struct {
		name, method, path string
		change             func(*Options)
		status             int
		contentType, body  string
	}{
		{"healthy", "GET", "/-/healthy", nil, 200, plain, "Healthy"},
		{"ready", "GET", "/-/ready", nil, 200, plain, "Ready"},
		{"not ready", "GET", "/-/ready", broken, 503, plain, "Not ready: the history is not open yet\n"},
		{"still healthy", "GET", "/-/healthy", broken, 200, plain, "Healthy"},
		{"reload", "POST", "/-/reload", nil, 200, "", ""},
		{"reload by get", "GET", "/-/reload", broken, 405, plain, "This endpoint requires a POST request.\n"},
		{"reload by put", "PUT", "/-/reload", broken, 405, plain, "This endpoint requires a POST request.\n"},
		{"reload fails", "POST", "/-/reload", broken, 500, plain, "failed to reload config: reading \"skywatch.yml\": line 3\n"},
		{"config", "GET", "/config", nil, 200, "text/plain", "modules: {}\n"},
		{"config fails", "GET", "/config", broken, 500, plain, "showing the configuration: odd\n"},
		{"probe", "GET", "/probe?target=x", nil, 200, "", "probe"},
		{"probe by post", "POST", "/probe?target=x", nil, 200, "", "probe"},
		{"metrics", "GET", "/metrics", nil, 200, "", "metrics"},
		{"metrics of checks", "GET", "/metrics/checks", nil, 200, "", "measured"},
		{"trace", "GET", "/traces/7", nil, 200, plain, "   0.001s connected <b>\n"},
		{"no trace", "GET", "/traces/3", nil, 404, plain, "no trace 3 is kept; old ones make room for new ones\n"},
		{"trace gone", "GET", "/traces/9", nil, 404, plain, "no trace 9 is kept; old ones make room for new ones\n"},
		{"odd trace", "GET", "/traces/x%0a", nil, 404, plain, "no trace \"x\\n\", want a number\n"},
		{"trace cannot be read", "GET", "/traces/8", nil, 503, plain, "reading trace 8: disk on fire\n"},
		{"unknown path", "GET", "/nonexistent", nil, 404, plain, "404 page not found\n"},
		{"slash too many", "GET", "/metrics/", nil, 404, plain, "404 page not found\n"},
		{"unknown check", "GET", "/checks/Nope", nil, 404, plain, "no check \"Nope\" is configured\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := someOptions(t)
			if test.change != nil {
				test.change(&o)
			}
			w := request(NewHandler(o), test.method, test.path)
			if w.Code != test.status || w.Body.String() != test.body {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, test.status, test.body)
			}
			if got := w.Header().Get("Content-Type"); got != test.contentType && test.contentType != "" {
				t.Errorf("content type %q, want %q", got, test.contentType)
			}
		})
	}
}

func TestExactShowsLandingPageForUnknownPaths(t *testing.T) {
	o := someOptions(t)
	o.Exact = true
	h := NewHandler(o)
	for path, root := range map[string]string{"/nonexistent": "./", "/-/ready": "../", "/metrics/": "../", "/a/b/c": "../../"} {
		w := request(h, "GET", path)
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: got %d %s, want the landing page", path, w.Code, w.Header().Get("Content-Type"))
		}
		if want := `href="` + root + `metrics"`; !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %s is missing", path, want)
		}
	}
}

func TestOtherSitesCannotReload(t *testing.T) {
	o := someOptions(t)
	o.Reload = func() error { t.Error("reloaded"); return nil }
	r := httptest.NewRequest(http.MethodPost, "/-/reload", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	NewHandler(o).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("status %d, want 403", w.Code)
	}
}

func TestLeastOptions(t *testing.T) {
	h := NewHandler(Options{Probe: says("probe"), Metrics: says("metrics")})
	for _, path := range []string{"/", "/outages", "/config", "/-/ready", "/-/healthy"} {
		if w := request(h, "GET", path); w.Code != http.StatusOK {
			t.Errorf("%s: status %d: %s", path, w.Code, w.Body)
		}
	}
	if w := request(h, "GET", "/traces/1"); w.Code != http.StatusNotFound {
		t.Errorf("trace: status %d, want 404", w.Code)
	}
	o := someOptions(t)
	o.History, o.States = nil, nil
	if w := request(NewHandler(o), "GET", "/checks/Webmail"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "No result so far") {
		t.Errorf("check without history: %d\n%s", w.Code, w.Body)
	}
	if _, err := (nothing{}).Recent(t.Context(), 1); err != nil || len(o.Checks()) == 0 || o.Checks()[0].Origin == probe.OriginRequest {
		t.Error("the fixture is wrong")
	}
}
