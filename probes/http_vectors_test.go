// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// The numbers are those of the conformance vectors kept from runs of blackbox_exporter.

func TestHTTPPlain(t *testing.T) { // 1
	s := web(t, map[string]http.HandlerFunc{"/": okBody})
	res := fetch(t, httpModule(t, "{}", Options{}), s.URL)
	wantOutcome(t, res, probe.ReasonNone, "", "")
	wantSeries(t, res, map[string]string{
		"http_status_code": "200", "http_content_length": "8", "http_uncompressed_body_length": "8", "http_version": "1.1",
		"http_redirects": "0", "http_ssl": "0", "failed_due_to_regex": "0", "ip_protocol": "4", "ip_addr_hash": "3.668918509e+09",
		"http_duration_seconds{resolve}": "T", "http_duration_seconds{connect}": "T", "http_duration_seconds{tls}": "0",
		"http_duration_seconds{processing}": "T", "http_duration_seconds{transfer}": "T",
		"ssl_earliest_cert_expiry": "absent", "tls_version_info{TLS 1.3}": "absent",
	})
	lookup, _ := probetest.Value(res.Samples, "probe_dns_lookup_time_seconds")
	if phase, _ := probetest.Value(res.Samples, "probe_http_duration_seconds", "resolve"); phase != lookup {
		t.Errorf("phase resolve is %v, want the look-up time %v", phase, lookup)
	}
}

func TestHTTPSecure(t *testing.T) { // 2, 3, 4
	ca := probetest.NewCA(t)
	s := secureWeb(t, ca, map[string]http.HandlerFunc{"/": okBody})
	target := named(t, s.URL, "localhost")
	trusted := fmt.Sprintf("tls_config: {ca_file: %q}", ca.File())

	res := fetch(t, httpModule(t, trusted, Options{}), target)
	wantOutcome(t, res, probe.ReasonNone, "", "")
	wantSeries(t, res, map[string]string{
		"http_version": "2", "http_ssl": "1", "http_duration_seconds{tls}": "T", "http_duration_seconds{connect}": "T",
		"tls_version_info{TLS 1.3}": "1", "tls_cipher_info{TLS_AES_128_GCM_SHA256}": "1", "ssl_earliest_cert_expiry": "4.1024448e+09",
		"ssl_last_chain_expiry_timestamp_seconds": "4.1024448e+09",
	})
	for _, sample := range res.Samples {
		if sample.Desc == descChainInfo && sample.Labels[4] != "0bffbc" {
			t.Errorf("serial number %q, want 0bffbc", sample.Labels[4])
		}
	}
	wantSeries(t, fetch(t, httpModule(t, trusted+"\nenable_http2: false", Options{}), target), map[string]string{"http_version": "1.1"})

	res = fetch(t, httpModule(t, "{}", Options{}), target)
	wantOutcome(t, res, probe.ReasonTLS, `fetching "%s": TLS handshake: failed to verify certificate: x509: certificate signed by unknown authority, `+
		`want a verified connection`, target)
	wantSeries(t, res, map[string]string{
		"http_status_code": "0", "http_duration_seconds{connect}": "0", "http_duration_seconds{tls}": "0", "ip_protocol": "4",
		"ssl_earliest_cert_expiry": "absent",
	})

	skip := "tls_config: {insecure_skip_verify: true}"
	wantSeries(t, fetch(t, httpModule(t, skip, Options{}), target), map[string]string{
		"http_status_code": "200", "ssl_last_chain_expiry_timestamp_seconds": "absent"})
	wantSeries(t, fetch(t, httpModule(t, skip, Options{Compat: Exact}), target), map[string]string{
		"http_status_code": "200", "ssl_last_chain_expiry_timestamp_seconds": "-6.21355968e+10"})
}

func TestHTTPUnresolved(t *testing.T) { // 5
	res := fetch(t, httpModule(t, "{}", Options{}), "nosuch.invalid")
	wantOutcome(t, res, probe.ReasonResolve, `fetching "http://nosuch.invalid": resolving "nosuch.invalid": no such host, want an address`, "")
	wantSeries(t, res, map[string]string{
		"http_duration_seconds{resolve}": "T", "http_duration_seconds{connect}": "absent", "http_status_code": "0",
		"ip_protocol": "0", "ip_addr_hash": "0",
	})
}

func TestHTTPBadURL(t *testing.T) { // 6
	res := fetch(t, httpModule(t, "{}", Options{}), "http://[::1")
	wantOutcome(t, res, probe.ReasonConfig, `fetching "http://[::1": missing ']' in host, want a URL`, "")
	if got := series(res); len(got) != len(httpAlways) || got["http_status_code"] != "0" {
		t.Errorf("found the series %v, want the %d constant ones", got, len(httpAlways))
	}
}

func TestHTTPBodySizeLimit(t *testing.T) { // 11, 12
	long := strings.Repeat("x", 5000)
	s := web(t, map[string]http.HandlerFunc{"/": chunked(long), "/short": chunked("twelve bytes"), "/exact": chunked(long[:1024])})
	res := fetch(t, httpModule(t, "body_size_limit: 1KB", Options{}), s.URL)
	wantOutcome(t, res, probe.ReasonResponse, `fetching "%s": reading the body: it is longer than 1KiB, want at most body_size_limit`, s.URL)
	wantSeries(t, res, map[string]string{"http_content_length": "-1", "http_uncompressed_body_length": "1024", "failed_due_to_regex": "0"})

	res = fetch(t, httpModule(t, "body_size_limit: 1KB\nfail_if_body_matches_regexp: [y]", Options{}), s.URL)
	wantSeries(t, res, map[string]string{"http_uncompressed_body_length": "1024", "failed_due_to_regex": "1"})

	res = fetch(t, httpModule(t, "body_size_limit: 1KB", Options{}), s.URL+"/exact")
	wantOutcome(t, res, probe.ReasonNone, "", "")
	res = fetch(t, httpModule(t, "{}", Options{}), s.URL+"/short")
	wantSeries(t, res, map[string]string{"http_content_length": "-1", "http_uncompressed_body_length": "12"})
}

func chunked(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		http.NewResponseController(w).Flush()
		io.WriteString(w, body)
	}
}

func TestHTTPLastModified(t *testing.T) { // 13
	s := web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
	}, "/bad": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Last-Modified", "yesterday") }})
	m := httpModule(t, "{}", Options{})
	wantSeries(t, fetch(t, m, s.URL), map[string]string{"http_last_modified_timestamp_seconds": "1.136214245e+09"})
	wantSeries(t, fetch(t, m, s.URL+"/bad"), map[string]string{"http_last_modified_timestamp_seconds": "absent"})
}

func TestHTTPTimeouts(t *testing.T) { // 14, 15
	s := probetest.Serve(t, probetest.Line("GET / HTTP/1.1\r\n"), probetest.Silence())
	target := "http://" + s.Addr
	res := wantLate(t, httpModule(t, "{}", Options{}), target, fmt.Sprintf("fetching %q: no response in time, want a response", target))
	wantSeries(t, res, map[string]string{
		"http_duration_seconds{connect}": "T", "http_duration_seconds{processing}": "0", "http_status_code": "0"})

	s = probetest.Serve(t, probetest.Line("GET / HTTP/1.1\r\n"),
		probetest.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfour"), probetest.Silence())
	target = "http://" + s.Addr
	res = wantLate(t, httpModule(t, "{}", Options{}), target, fmt.Sprintf("fetching %q: reading the body: no end of it in time after 4 bytes, want all of it", target))
	wantSeries(t, res, map[string]string{
		"http_duration_seconds{transfer}": "T", "http_status_code": "200", "http_uncompressed_body_length": "4"})
}

func TestHTTPVersionAndSSLRules(t *testing.T) { // 17, 18
	s := secureWeb(t, probetest.NewCA(t), map[string]http.HandlerFunc{"/": okBody})
	skip := "tls_config: {insecure_skip_verify: true}\n"
	res := fetch(t, httpModule(t, skip+"valid_http_versions: [HTTP/2]", Options{}), s.URL)
	wantOutcome(t, res, probe.ReasonResponse, `fetching "%s": the version is HTTP/2.0, want HTTP/2`, s.URL)
	wantSeries(t, res, map[string]string{"http_version": "2"})
	res = fetch(t, httpModule(t, skip+"valid_http_versions: [HTTP/1.1, HTTP/2.0]", Options{}), s.URL)
	wantOutcome(t, res, probe.ReasonNone, "", "")

	res = fetch(t, httpModule(t, skip+"fail_if_ssl: true", Options{}), s.URL)
	wantOutcome(t, res, probe.ReasonResponse, `fetching "%s": the response came over TLS, want none as fail_if_ssl says`, s.URL)
	wantSeries(t, res, map[string]string{"http_ssl": "1", "tls_version_info{TLS 1.3}": "1"})

	open := web(t, map[string]http.HandlerFunc{"/": okBody})
	res = fetch(t, httpModule(t, "fail_if_not_ssl: true", Options{}), open.URL)
	wantOutcome(t, res, probe.ReasonResponse, `fetching "%s": the response came without TLS, want it as fail_if_not_ssl says`, open.URL)
}
