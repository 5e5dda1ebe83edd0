// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// answering is a daemon's socket with the given handler; it gives the path of the history.
func answering(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ring.db")
	l, err := net.Listen("unix", path+".sock")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
	return path
}

func TestAskTellsWhetherADaemonIsThere(t *testing.T) {
	_, err := ask(t.Context(), filepath.Join(t.TempDir(), "ring.db"), http.MethodGet, "summary")
	if !errors.Is(err, errNoDaemon) {
		t.Errorf("got %v, want that no daemon answers", err)
	}
	path := answering(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no notifiers", http.StatusInternalServerError)
	})
	if _, err := ask(t.Context(), path, http.MethodPost, "summary"); err == nil || errors.Is(err, errNoDaemon) || !strings.HasSuffix(err.Error(), ": no notifiers") {
		t.Errorf("got %v, want the daemon's own words", err)
	}
	path = answering(t, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(r.Method + " " + r.URL.Path)) })
	if answer, err := ask(t.Context(), path, http.MethodPost, "summary"); err != nil || string(answer) != "POST /summary" {
		t.Errorf("got %q and %v, want the answer", answer, err)
	}
	path = answering(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := ask(t.Context(), path, http.MethodGet, "summary"); err == nil || errors.Is(err, errNoDaemon) {
		t.Errorf("got %v, want a failure of a daemon that is there", err)
	}
}
