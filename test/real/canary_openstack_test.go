// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// parrotKeystone is a Keystone that refuses, gives a token, or gives one in an answer that makes no sense. All of
// version 3 have a token, even a refusal; each token has the secret in it.
func parrotKeystone(t *testing.T, secret string, version int) string {
	t.Helper()
	says := strings.Join(canaryForms(secret), " ")
	var calls atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n := calls.Add(1)
		token := fmt.Sprintf("gAAAA%d_%s_cana+ry", n, strings.ReplaceAll(secret, "/", "."))
		w.Header().Set("X-Echo", says)
		if version == 3 {
			w.Header().Set("X-Subject-Token", token)
		}
		w.Header().Set("Content-Type", "application/json")
		end := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		switch n % 3 {
		case 0:
			w.WriteHeader(http.StatusUnauthorized)
			said, _ := json.Marshal(says + " " + string(body) + w.Header().Get("X-Subject-Token"))
			fmt.Fprintf(w, `{"error": {"code": 401, "message": %s}}`, said)
			return
		case 1:
			end = token
		}
		w.WriteHeader(map[int]int{2: http.StatusOK, 3: http.StatusCreated}[version])
		if version == 2 {
			fmt.Fprintf(w, `{"access": {"token": {"id": %q, "expires": %q}, "user": {"name": %q}}}`, token, end, says)
			return
		}
		fmt.Fprintf(w, `{"token": {"expires_at": %q, "issued_at": %q, "user": {"name": %q}}}`, end, time.Now().UTC().Format(time.RFC3339), says)
	}))
	t.Cleanup(s.Close)
	return s.URL + map[int]string{2: "/v2.0", 3: "/v3"}[version]
}

// canaryService refuses every token, and says it.
func canaryService(t *testing.T, _ string, says []string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("X-Auth-Token")
		for i, text := range append(canaryForms(token), says...) {
			w.Header().Set(fmt.Sprintf("X-Echo-%d", i), text)
		}
		w.Header().Set("Server", token)
		w.Header().Set("WWW-Authenticate", "Keystone uri="+token)
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintln(w, strings.Join(says, "\n"), r.Header)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
