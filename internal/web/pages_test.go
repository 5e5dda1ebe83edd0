// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/html"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

var allPages = []string{"/", "/checks/Webmail", "/checks/" + url.PathEscape(hostile), "/outages", "/outages?days=365", "/?refresh=30"}

// parse reads a page as a browser does and gives its elements.
func parse(t *testing.T, page string) (elements []*html.Node) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			elements = append(elements, n)
		}
	}
	return elements
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// TestPagesNeedNothing: no scripts, no styles in attributes (the policy forbids them), nothing from elsewhere, whatever names say.
func TestPagesNeedNothing(t *testing.T) {
	h := NewHandler(someOptions(t))
	for _, path := range allPages {
		w := request(h, "GET", path)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: status %d: %s", path, w.Code, w.Body)
		}
		for _, n := range parse(t, w.Body.String()) {
			switch n.Data {
			case "script", "iframe", "form", "img", "object":
				t.Errorf("%s has an element %s", path, n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
					t.Errorf("%s: %s has an attribute %s", path, n.Data, a.Key)
				}
				if (a.Key == "href" || a.Key == "src") && !strings.HasPrefix(a.Val, ".") && !strings.HasPrefix(a.Val, "?") && !strings.HasPrefix(a.Val, "#") && n.Data != "link" {
					t.Errorf("%s: %s points to %q, want a relative link", path, n.Data, a.Val)
				}
			}
		}
	}
}

func TestHeaders(t *testing.T) {
	h := NewHandler(someOptions(t))
	for _, path := range allPages {
		header := request(h, "GET", path).Header()
		for name, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "deny", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
	}
	w := httptest.NewRecorder()
	w.Header().Set("X-Frame-Options", "sameorigin")
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Header()["X-Frame-Options"]; len(got) != 1 || got[0] != "sameorigin" {
		t.Errorf("X-Frame-Options %v, want what the operator configured", got)
	}
}

// TestLinksWork follows every link of every page, under a prefix as a reverse proxy adds it.
func TestLinksWork(t *testing.T) {
	server := httptest.NewServer(http.StripPrefix("/watch", NewHandler(someOptions(t))))
	defer server.Close()
	followed := make(map[string]bool)
	for _, path := range allPages {
		at, _ := url.Parse(server.URL + "/watch" + path)
		for _, n := range parse(t, fetch(t, at.String(), http.StatusOK)) {
			link := attribute(n, "href")
			if n.Data != "a" || followed[at.Path+link] {
				continue
			}
			followed[at.Path+link] = true
			to, err := at.Parse(link)
			if err != nil || !strings.HasPrefix(to.Path, "/watch/") {
				t.Errorf("%s: link %q leads to %v, %v", path, link, to, err)
				continue
			}
			want := http.StatusOK
			if strings.Contains(link, "/traces/") && !strings.HasSuffix(link, "/7") {
				want = http.StatusNotFound // the fixture has one trace
			}
			fetch(t, to.String(), want)
		}
	}
	if len(followed) < 20 {
		t.Errorf("%d links followed, want many", len(followed))
	}
}

func fetch(t *testing.T, url string, want int) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != want {
		t.Errorf("%s: status %d, %v, want %d", url, answer.StatusCode, err, want)
	}
	return string(body)
}

// words gives what a page says, one space between words.
func words(t *testing.T, page string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" {
			text.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

func wantInOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("%q is missing or out of order in\n%s", part, text)
		}
		rest = after
	}
}

func TestLandingPage(t *testing.T) {
	o := someOptions(t)
	o.HistoryErr = func() error { return errors.New("disk full") }
	o.Pending = func() []record.Message {
		return []record.Message{
			{Notifier: "ops", State: record.Sealed, Subject: "DOWN Webmail", SealedAt: ago(5 * time.Minute), Tried: 3, Error: "connection refused", Unstored: true},
			{Notifier: "gone", State: record.Parked, Subject: "UP Webmail"},
			{Notifier: "ops", Subject: "not yet due"},
		}
	}
	wantInOrder(t, words(t, request(NewHandler(o), "GET", "/").Body.String()),
		"1 down: Checks - skywatch", "takes no writes", "disk full", "could not be delivered so far: 2 messages",
		"1 down", "1 degraded", "1 unknown", "2 up",
		"All checks", "For Prometheus: what they measured last", hostile, "1 h 30 min ago 2026-03-29 12:30:00 CEST", "tls "+hostile, "degraded Slow Web 3 h ago", "unknown New never", "up Webmail Mail 21 min ago", "up a/b?c#d 2 d 2 h ago 2026-03-27 11:00:00 CET",
		"Messages still to be sent", "ops sealed, not stored DOWN Webmail 5 min ago", "3 connection refused", "gone parked", "ops open not yet due",
		"Latest results", "5 s ago", "up request tcp_connect "+hostile, "1.2 ms", "down "+hostile, "4.00 s", "trace 7",
		"Probe by hand", "skywatch 1.2.3")
}

func TestUserinfoIsNotShown(t *testing.T) {
	h := NewHandler(someOptions(t))
	for _, path := range allPages {
		if strings.Contains(request(h, "GET", path).Body.String(), "s3cr3tword") {
			t.Errorf("%s shows the password of a target", path)
		}
	}
}

func TestCheckPage(t *testing.T) {
	wantInOrder(t, words(t, request(NewHandler(someOptions(t)), "GET", "/checks/Webmail").Body.String()),
		"Webmail - skywatch", "Webmail up", "up since 2026-03-29 13:39:00 CEST (21 min ago), last success 2026-03-29 13:59:00 CEST (1 min ago)",
		"target https://mail.example.org/", "module http_2xx (http)", "runs every 1m0s, 5 attempts of 4s", "group Mail", "label team ops", "last success: address 192.0.2.7",
		"60 results, 55 up, 5 down; full height is 165.0 ms or a failure", "When", "80.0 ms 1", "5 response fetching", "trace 21",
		"Changes of state", "down up", "up down response status 502, want 200 the target was changed address: 192.0.2.7 → 192.0.2.8 "+hostile+": a → nothing")
}

func TestOutagesPage(t *testing.T) {
	h := NewHandler(someOptions(t))
	month := words(t, request(h, "GET", "/outages").Body.String())
	wantInOrder(t, month, "Of the last 30 days", "Webmail 26 min ago", "21 min ago", "5 min response status 502, want 200 trace 7", hostile, "lasts 1 h 30 min tls")
	if strings.Contains(month, "Gone") {
		t.Error("an outage of 40 days ago is among those of a month")
	}
	wantInOrder(t, words(t, request(h, "GET", "/outages?days=365").Body.String()), "Of the last 365 days", "Gone 40 d ago", "1 d")
	wantInOrder(t, words(t, request(h, "GET", "/outages?days=99999999999999999999").Body.String()), "Of the last 30 days")
}

func TestHistoryErrorIsShown(t *testing.T) {
	o := someOptions(t)
	o.History = past{err: errors.New("file is locked")}
	h := NewHandler(o)
	for _, path := range []string{"/", "/checks/Webmail", "/outages"} {
		w := request(h, "GET", path)
		if w.Code != http.StatusOK || !strings.Contains(words(t, w.Body.String()), "The history cannot be read at the moment: file is locked") {
			t.Errorf("%s: %d\n%s", path, w.Code, w.Body)
		}
	}
}

func TestStuckHistoryHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := someOptions(t)
		o.History = stuck{}
		started := time.Now()
		w := request(NewHandler(o), "GET", "/")
		if took := time.Since(started); took != maxWait {
			t.Errorf("the page took %v, want %v", took, maxWait)
		}
		wantInOrder(t, words(t, w.Body.String()), "All checks", "Slow", "cannot be read at the moment: context deadline exceeded")
	})
}

func TestRowsAreBounded(t *testing.T) {
	o := someOptions(t)
	o.Checks = func() (all []probe.Check) {
		for i := range maxChecks + 5 {
			all = append(all, probe.Check{Name: fmt.Sprint("check ", i)})
		}
		return all
	}
	o.Pending = func() []record.Message { return make([]record.Message, maxMessages+7) }
	page := request(NewHandler(o), "GET", "/").Body.String()
	if got := strings.Count(page, "/checks/check"); got != maxChecks {
		t.Errorf("%d checks, want %d", got, maxChecks)
	}
	wantInOrder(t, words(t, page), "1005 unknown", "5 more are not shown", "7 more are not shown")
}

func TestRefresh(t *testing.T) {
	h := NewHandler(someOptions(t))
	for query, want := range map[string]bool{"?refresh=30": true, "?refresh=4": false, "?refresh=x": false, "": false, "?refresh=100000": false} {
		if got := strings.Contains(request(h, "GET", "/"+query).Body.String(), `http-equiv="refresh" content="30"`); got != want {
			t.Errorf("%q: refresh %v, want %v", query, got, want)
		}
	}
}
