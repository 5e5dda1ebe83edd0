// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"net/http"
)

type handler struct {
	Options
	pages *pages
}

// NewHandler makes the handler of all routes.
func NewHandler(o Options) http.Handler {
	o.complete()
	h := &handler{Options: o, pages: parsePages()}
	mux := http.NewServeMux()
	mux.Handle("/probe", o.Probe)
	mux.Handle("/metrics", o.Metrics)
	mux.HandleFunc("/config", h.config)
	mux.HandleFunc("/-/healthy", healthy)
	mux.HandleFunc("/-/reload", h.reload)
	if !o.Exact {
		mux.HandleFunc("/-/ready", h.ready)
	}
	mux.HandleFunc("/checks/{name}", h.check)
	mux.HandleFunc("/outages", h.outages)
	mux.HandleFunc("/traces/{id}", h.trace)
	mux.HandleFunc("/", h.landing)
	return http.NewCrossOriginProtection().Handler(mux)
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	text(w, http.StatusOK, "Healthy")
}

func (h *handler) ready(w http.ResponseWriter, _ *http.Request) {
	if err := h.Ready(); err != nil {
		text(w, http.StatusServiceUnavailable, "Not ready: "+err.Error()+"\n")
		return
	}
	text(w, http.StatusOK, "Ready")
}

func (h *handler) reload(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "This endpoint requires a POST request.", http.StatusMethodNotAllowed)
		return
	}
	if err := h.Reload(); err != nil {
		http.Error(w, "failed to reload config: "+err.Error(), http.StatusInternalServerError)
	}
}

func (h *handler) config(w http.ResponseWriter, _ *http.Request) {
	yaml, err := h.Config()
	if err != nil {
		http.Error(w, "showing the configuration: "+err.Error(), http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/plain")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	w.Write(yaml)
}

func text(w http.ResponseWriter, status int, body string) {
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(body))
}
