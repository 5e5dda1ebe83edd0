// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !nohttp3

package probes

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

func TestHTTP3Bounds(t *testing.T) {
	long := strings.Repeat("x", 5000)
	server, keys := quicGood(t, map[string]http.HandlerFunc{
		"/": chunked(long), "/packed": chunked("this is not gzip"),
		"/short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "four")
		},
		"/headers": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 300 {
				w.Header().Set(fmt.Sprint("X-", i), long)
			}
		},
		"/reset": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	})
	for _, test := range []struct {
		path, keys string
		reason     probe.Reason
		want       string
		length     string
	}{
		{"/", "body_size_limit: 1KB", probe.ReasonResponse, "reading the body: it is longer than 1KiB, want at most body_size_limit", "1024"},
		{"/", "fail_if_body_matches_regexp: [xx]", probe.ReasonResponse, `the body has "xx", want nothing that matches "xx"`, "5000"},
		{"/short", "", probe.ReasonProtocol, "reading the body: unexpected EOF after 4 bytes, want all of it", "4"},
		{"/packed", "compression: gzip", probe.ReasonProtocol, "reading the body: invalid header, want gzip as compression says", "0"},
		{"/headers", "", probe.ReasonProtocol, "QUIC connection: ", "0"},
		{"/reset", "", probe.ReasonProtocol, "QUIC connection: ", "0"},
		{"/", "valid_status_codes: [404]", probe.ReasonResponse, `status 200, want 404; the body begins "xxx`, "5000"},
	} {
		res := fetch(t, httpModule(t, keys+test.keys, Options{}), server+test.path)
		if res.Reason != test.reason || !strings.HasPrefix(res.Err, fmt.Sprintf("fetching %q: %s", server+test.path, test.want)) {
			t.Errorf("%s: %s: %s, want %s: %s", test.path, res.Reason, res.Err, test.reason, test.want)
		}
		wantSeries(t, res, map[string]string{"http_uncompressed_body_length": test.length})
	}
}

func TestHTTP3Rules(t *testing.T) {
	for keys, want := range map[string]string{
		"enable_http3: true": "when enable_http3 is true, enable_http2 must be set to false",
		http3Keys + "valid_http_versions: [HTTP/3.0, HTTP/1.1]": "HTTP/3 and HTTP/2.0/1.1 cannot be used together - " +
			"only HTTP/3.0 is allowed when enable_http3 is true",
		"enable_http3: true\nvalid_http_versions: [HTTP/2.0]": "HTTP/3 and HTTP/2.0/1.1 cannot be used together - " +
			"only HTTP/3.0 is allowed when enable_http3 is true",
	} {
		if _, err := buildHTTP(t, keys, Options{}); err == nil || err.Error() != `module "m": line 4: http: `+want {
			t.Errorf("%s: %v, want %s", keys, err, want)
		}
	}
}

// TestHTTP3Warnings: what a module loses shows at load, and does not hold it up.
func TestHTTP3Warnings(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	server, keys := quicGood(t, map[string]http.HandlerFunc{"/": okBody})
	m := httpModule(t, keys+"proxy_url: http://proxy.invalid:3128\nno_follow_redirects: false", Options{Log: log})
	wantOutcome(t, fetch(t, m, server), probe.ReasonNone, "", "")
	const line = `level=WARN msg="module is questionable" module=m why=`
	want := line + `"no_follow_redirects is deprecated, use follow_redirects"` + "\n" +
		line + `"enable_http3: HTTP/3 is used alone, without a fallback to an older version"` + "\n" +
		line + `"enable_http3: HTTP/3 does not go through a proxy, the keys for one are not used"` + "\n"
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("warnings differ (-want +got):\n%s", diff)
	}
}
