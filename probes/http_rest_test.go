// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// TestHTTPMethods sends any method with a body, and takes any of the listed status codes for good.
func TestHTTPMethods(t *testing.T) {
	var got string
	status := http.StatusOK
	s := web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		got = fmt.Sprint(r.Method, " ", r.ContentLength, " ", r.Header.Get("Content-Type"), " ", string(body), err)
		w.WriteHeader(status)
	}})
	file := probetest.WriteFile(t, "body", []byte(`{"a":1}`))
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS", "REPORT", "M-SEARCH", "purge"} {
		for _, body := range []string{"body: '{\"a\":1}'", "body_file: " + file} {
			m := httpModule(t, "method: "+method+"\nheaders: {Content-Type: application/json}\nvalid_status_codes: [200, 202, 204, 409]\n"+body, Options{})
			for _, status = range []int{200, 202, 204, 409} {
				wantOutcome(t, fetch(t, m, s.URL), probe.ReasonNone, "", "")
				if want := method + ` 7 application/json {"a":1}<nil>`; got != want {
					t.Errorf("%s with %s: the service got %q, want %q", method, body, got, want)
				}
			}
			status = 201
			wantOutcome(t, fetch(t, m, s.URL), probe.ReasonResponse, `fetching "%s": status 201, want 200, 202, 204, 409`, s.URL)
		}
	}
	status = 200
	for _, method := range []string{"HEAD", "DELETE", "PUT"} {
		wantOutcome(t, fetch(t, httpModule(t, "method: "+method, Options{}), s.URL), probe.ReasonNone, "", "")
		if want := method + " 0  <nil>"; got != want {
			t.Errorf("the service got %q, want %q", got, want)
		}
	}
}
