// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
)

var (
	//go:embed page.html
	pageSource string
	//go:embed page.css
	styleSource string
)

// pages are the parsed templates.
type pages struct {
	template *template.Template
	policy   string // Content-Security-Policy: nothing but our own style
}

func parsePages() *pages {
	digest := sha256.Sum256([]byte(styleSource))
	functions := template.FuncMap{"segment": url.PathEscape, "inside": inside}
	return &pages{
		template: template.Must(template.New("page").Funcs(functions).Parse(pageSource)),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) +
			"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}
}

// frame is what surrounds every page.
type frame struct {
	Title, Version string
	Root           string // relative way to the landing page, so that any prefix works
	Style          template.CSS
	Now            moment
	Refresh        int // seconds; 0 = never
	Problems       []string
	Landing        *landingPage
	Check          *checkPage
	Outages        *outagesPage
}

// The bounds of ?refresh=, in seconds.
const (
	shortestRefresh = 5
	longestRefresh  = 24 * 60 * 60
)

func (h *handler) frame(r *http.Request, root, title string) frame {
	f := frame{Title: title, Version: h.Version, Root: root, Style: template.CSS(styleSource), Now: h.clock().moment(h.Now())}
	if n, err := strconv.Atoi(r.URL.Query().Get("refresh")); err == nil && n >= shortestRefresh && n <= longestRefresh {
		f.Refresh = n
	}
	return f
}

// show renders a page whole before the first byte is sent. Headers that the operator configured stay.
func (h *handler) show(w http.ResponseWriter, f frame) {
	var page bytes.Buffer
	if err := h.pages.template.Execute(&page, f); err != nil {
		h.Log.Error("page cannot be made", "page", f.Title, "err", err)
		http.Error(w, "The page cannot be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	header := w.Header()
	for _, own := range [...][2]string{
		{"Content-Type", "text/html; charset=utf-8"},
		{"Content-Security-Policy", h.pages.policy},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "deny"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cache-Control", "no-store"},
	} {
		if header.Get(own[0]) == "" {
			header.Set(own[0], own[1])
		}
	}
	w.Write(page.Bytes())
}

// inside hands a template its page together with the frame.
func inside(f frame, page any) any {
	return struct {
		Frame frame
		Page  any
	}{f, page}
}
