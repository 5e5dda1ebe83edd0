// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"net/http"
	"net/http/pprof"
	"strings"
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
	if o.Pprof {
		profiles(mux)
	}
	h.routes(mux, o.Prefix)
	if o.Prefix != "/" {
		h.outside(mux)
	}
	return http.NewCrossOriginProtection().Handler(mux)
}

// routes are those below the prefix.
func (h *handler) routes(mux *http.ServeMux, prefix string) {
	mux.Handle(prefix+"probe", h.Probe)
	mux.Handle(prefix+"metrics", h.Metrics)
	if h.Measured != nil {
		mux.Handle(prefix+"metrics/checks", h.Measured)
	}
	if h.Logs != nil {
		mux.Handle(prefix+"logs", h.Logs)
	}
	mux.HandleFunc(prefix+"config", h.config)
	mux.HandleFunc(prefix+"-/healthy", healthy)
	mux.HandleFunc(prefix+"-/reload", h.reload)
	if !h.Exact {
		mux.HandleFunc(prefix+"-/ready", h.ready)
	}
	mux.HandleFunc(prefix+"checks/{name}", h.check)
	mux.HandleFunc(prefix+"outages", h.outages)
	mux.HandleFunc(prefix+"traces/{id}", h.trace)
	mux.HandleFunc(prefix, h.landing)
}

// outside leads to the prefix those who do not know it.
func (h *handler) outside(mux *http.ServeMux) {
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, h.External, http.StatusFound)
	})
	mux.HandleFunc(strings.TrimSuffix(h.Prefix, "/"), func(w http.ResponseWriter, r *http.Request) {
		to := *r.URL
		to.Path, to.RawPath = h.Prefix, ""
		http.Redirect(w, r, to.RequestURI(), http.StatusTemporaryRedirect)
	})
}

// profiles shows what the process is busy with, always at the root.
func profiles(mux *http.ServeMux) {
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
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
