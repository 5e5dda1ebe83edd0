// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"skywatch/internal/probe"
)

func TestHTTPStatus(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{
		"/503":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); io.WriteString(w, "down for repair") },
		"/binary": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); w.Write([]byte("\xff\xfe\x00")) },
		"/utf8": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(503)
			io.WriteString(w, strings.Repeat("ü", 200))
		},
		"/204":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"/299":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(299) },
		"/300":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(300) },
		"/early": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(200) },
	})
	for _, test := range []struct{ keys, path, want string }{
		{"{}", "/503", `fetching "%s/503": status 503, want 200 to 299; the body begins "down for repair"`},
		{"{}", "/binary", `fetching "%s/binary": status 503, want 200 to 299`},
		{"{}", "/utf8", `fetching "%s/utf8": status 503, want 200 to 299; the body begins "` + strings.Repeat("ü", 150) + `"...`},
		{"{}", "/204", ""},
		{"{}", "/299", ""},
		{"{}", "/300", `fetching "%s/300": status 300, want 200 to 299`},
		{"{}", "/early", ""},
		{"valid_status_codes: [503]", "/503", ""},
		{"valid_status_codes: []", "/204", ""},
		{"valid_status_codes: [200, 301]", "/204", `fetching "%s/204": status 204, want 200, 301`},
		{"method: HEAD\nvalid_status_codes: [503]", "/503", ""},
	} {
		res := fetch(t, httpModule(t, test.keys, Options{}), s.URL+test.path)
		reason := probe.ReasonNone
		if test.want != "" {
			reason = probe.ReasonResponse
		}
		wantOutcome(t, res, reason, test.want, s.URL)
		wantSeries(t, res, map[string]string{"failed_due_to_regex": "0"})
	}
}

func TestHTTPHeaderRules(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X-Level"] = []string{"gold", "silver"}
	}})
	matches := func(list, rule string) string { return fmt.Sprintf("fail_if_header_%s: [{%s}]", list, rule) }
	for _, test := range []struct{ keys, want string }{
		{matches("matches", "header: X-Level, regexp: bronze"), ""},
		{matches("matches", "header: x-level, regexp: silver"), `fetching "%s": header "x-level" is "silver", want none that matches "silver"`},
		{matches("matches", "header: X-None, regexp: a"), `fetching "%s": header "X-None" is missing, want one that does not match "a"`},
		{matches("matches", "header: X-None, regexp: a, allow_missing: true"), ""},
		{matches("not_matches", "header: X-Level, regexp: ^silver$"), ""},
		{matches("not_matches", "header: X-Level, regexp: bronze"), `fetching "%s": header "X-Level" is "gold, silver", want one that matches "bronze"`},
		{matches("not_matches", "header: X-None, regexp: a"), `fetching "%s": header "X-None" is missing, want one that matches "a"`},
		{matches("not_matches", "header: X-None, regexp: a, allow_missing: true"), ""},
	} {
		res := fetch(t, httpModule(t, test.keys, Options{}), s.URL)
		wantRegexOutcome(t, res, test.want, s.URL)
	}
}

func TestHTTPBodyRules(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{"/": okBody, "/404": http.NotFound})
	for _, test := range []struct{ keys, want string }{
		{"fail_if_body_matches_regexp: [nothing, none]", ""},
		{"fail_if_body_matches_regexp: [nothing, 'b.dy']", `fetching "%s": the body has "body", want nothing that matches "b.dy"`},
		{"fail_if_body_not_matches_regexp: [OK, 'b.dy\\s']", ""},
		{"fail_if_body_not_matches_regexp: [OK, fine]", `fetching "%s": the body has no match for "fine", want one; the body begins "OK body\n"`},
	} {
		res := fetch(t, httpModule(t, test.keys, Options{}), s.URL)
		wantRegexOutcome(t, res, test.want, s.URL)
		wantSeries(t, res, map[string]string{"http_uncompressed_body_length": "8"})
	}
	res := fetch(t, httpModule(t, "fail_if_body_matches_regexp: [page]\nvalid_http_versions: [HTTP/2.0]", Options{}), s.URL+"/404")
	wantOutcome(t, res, probe.ReasonResponse, `fetching "%s/404": status 404, want 200 to 299; the body begins "404 page not found\n"`, s.URL)
	wantSeries(t, res, map[string]string{"failed_due_to_regex": "0"})
	if trace := res.Trace.String(); !strings.Contains(trace, `also wrong with the response err="the version is HTTP/1.1, want HTTP/2.0"`) {
		t.Errorf("the second finding is not in the trace:\n%s", trace)
	}
}

func wantRegexOutcome(t *testing.T, res probe.Result, text, server string) {
	t.Helper()
	reason, flag := probe.ReasonNone, "0"
	if text != "" {
		reason, flag = probe.ReasonResponse, "1"
	}
	wantOutcome(t, res, reason, text, server)
	wantSeries(t, res, map[string]string{"failed_due_to_regex": flag})
}

func TestHTTPCompression(t *testing.T) { // 16
	bodies := map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
		"deflate": func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, 1); return f },
	}
	s := web(t, map[string]http.HandlerFunc{"/": okBody, "/gzip": packed(bodies["gzip"]), "/br": packed(bodies["br"]), "/deflate": packed(bodies["deflate"])})
	for _, name := range []string{"gzip", "br", "deflate", "GZIP"} {
		res := fetch(t, httpModule(t, "fail_if_body_not_matches_regexp: [^OK]\ncompression: "+name, Options{}), s.URL+"/"+strings.ToLower(name))
		wantOutcome(t, res, probe.ReasonNone, "", "")
		wantSeries(t, res, map[string]string{"http_uncompressed_body_length": "8"})
	}
	res := fetch(t, httpModule(t, "compression: gzip", Options{}), s.URL)
	wantOutcome(t, res, probe.ReasonProtocol, `fetching "%s": reading the body: unexpected EOF, want gzip as compression says`, s.URL)
	wantSeries(t, res, map[string]string{"http_uncompressed_body_length": "0", "http_content_length": "8"})
	res = fetch(t, httpModule(t, "compression: zstd", Options{}), s.URL)
	wantOutcome(t, res, probe.ReasonConfig, `fetching "%s": reading the body: compression "zstd" is not known, want gzip, br, deflate or identity`, s.URL)
	wantSeries(t, res, map[string]string{"http_uncompressed_body_length": "8"})
	res = fetch(t, httpModule(t, "compression: deflate", Options{}), s.URL)
	wantOutcome(t, res, probe.ReasonProtocol, `fetching "%s": reading the body: flate: corrupt input before offset 1 after 0 bytes, want all of it`, s.URL)
	res = fetch(t, httpModule(t, "compression: identity", Options{}), s.URL)
	wantOutcome(t, res, probe.ReasonNone, "", "")
}

func packed(compress func(io.Writer) io.WriteCloser) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var b bytes.Buffer
		c := compress(&b)
		io.WriteString(c, "OK body\n")
		c.Close()
		w.Write(b.Bytes())
	}
}

func TestHTTPFacts(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{"/": redirectTo("/to"), "/to": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Server", "lab/1") }})
	res := fetch(t, httpModule(t, "{}", Options{}), strings.Replace(s.URL, "://", "://me:pa55word@", 1))
	got := map[string]string{}
	for _, f := range res.Facts {
		got[f.Key] = f.Value
	}
	for key, want := range map[string]string{"address": "127.0.0.1", "status": "200", "url": s.URL + "/to", "server": "lab/1"} {
		if got[key] != want {
			t.Errorf("fact %s is %q, want %q", key, got[key], want)
		}
	}
	if text := fmt.Sprint(res.Trace, res.Facts, res.Err); strings.Contains(text, "pa55word") {
		t.Errorf("the password got out:\n%s", text)
	}
}

func TestAcceptsEncoding(t *testing.T) {
	for _, test := range []struct {
		list, encoding string
		want           bool
	}{
		{"gzip", "gzip", true},
		{"gzip", "GZIP", false},
		{"*", "br", true},
		{"br;q=1.0, gzip;q=0.8, *;q=0.1", "deflate", true},
		{"gzip;q=0", "gzip", false},
		{"*;q=0, gzip", "gzip", true},
		{"gzip;q=0.5, *;q=0.9", "gzip", true},
		{"gzip;q=0.0004", "gzip", false},
		{"gzip;q=much", "gzip", false},
		{"gzip;0.5", "gzip", true},
		{"gzip;q=NaN", "gzip", false},
		{"gzip;level=1;q=0.5", "gzip", false},
		{"gzip", "br", false},
	} {
		if got := acceptsEncoding(test.list, test.encoding); got != test.want {
			t.Errorf("%q accepts %s: %v, want %v", test.list, test.encoding, got, test.want)
		}
	}
}
