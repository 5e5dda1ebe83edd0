// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"strings"

	"skywatch/internal/probetest"
)

// httpRequests are for http probes of servers that answer.
func (s *scene) httpRequests() []probeRequest {
	site, redirected := s.url("/"), s.url("/redir/3")
	return []probeRequest{
		{name: "http", module: "http", target: site},
		{name: "http without scheme", module: "http", target: strings.TrimPrefix(site, "http://")},
		{name: "http with the scheme in capitals of a host by name", module: "http", target: strings.Replace(site, "127.0.0.1", "localhost", 1)},
		{name: "http by a name with IPv4 only", module: "http_2xx", target: strings.Replace(site, "127.0.0.1", "four.skywatch.test", 1)},
		{name: "http by a name with both, IPv4 preferred", module: "http", target: strings.Replace(site, "127.0.0.1", "both.skywatch.test", 1)},
		{name: "http by hostname", module: "http", target: site, hostname: "a.skywatch.test"},
		{name: "http by Host header", module: "http_host", target: site},
		{name: "http with headers", module: "http_headers", target: site},
		{name: "http with a fragment", module: "http", target: site + "#top"},
		{name: "http with a query", module: "http", target: site + "?a=b&c=d"},
		{name: "http with a login", module: "http_login", target: s.url("/auth/")},
		{name: "http with a login in the URL", module: "http", target: strings.Replace(s.url("/auth/"), "http://", "http://watch:Watch-pw1@", 1)},
		{name: "http POST", module: "http_post", target: s.url("/redir/0")},
		{name: "http HEAD", module: "http_head", target: site},
		{name: "http wanting 404", module: "http_404", target: s.url("/status/404")},
		{name: "http follows redirects", module: "http", target: redirected},
		{name: "http stays at a redirect it wants", module: "http_stay_302", target: s.url("/redir/1")},
		{name: "http stays by the old key", module: "http_no_follow", target: s.url("/redir/1")},
		{name: "http follows a redirect to https", module: "http_ssl", target: s.url("/tohttps")},
		{name: "http body has", module: "http_has", target: site},
		{name: "http header matches", module: "http_header", target: site},
		{name: "http missing header is allowed", module: "http_header_allowed", target: site},
		{name: "http gzip", module: "http_gzip", target: s.url("/gzip")},
		{name: "http gzip with a pattern", module: "http_gzip_has", target: s.url("/gzip")},
		{name: "http large body", module: "http", target: s.url("/big")},
		{name: "http 1.1 is wanted", module: "http_11", target: site},
		{name: "http 1.0 is wanted", module: "http_10", target: s.raw("HTTP/1.0 200 OK\r\n\r\nold", hangUp)},
		{name: "http 204", module: "http", target: s.raw("HTTP/1.1 204 No Content\r\n\r\n")},
		{name: "http chunked", module: "http", target: s.raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")},
		{name: "http after 103", module: "http", target: s.raw("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")},
		{name: "http with a date", module: "http", target: s.raw("HTTP/1.1 200 OK\r\nLast-Modified: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: 0\r\n\r\n")},
		{name: "http with a bad date", module: "http", target: s.raw("HTTP/1.1 200 OK\r\nLast-Modified: yesterday\r\nContent-Length: 0\r\n\r\n")},
	}
}

// httpFailures are http probes that fail.
func (s *scene) httpFailures() []probeRequest {
	site := s.url("/")
	return []probeRequest{
		{name: "http refused", module: "http", target: "http://" + probetest.RefusedAddr(s.t)},
		{name: "http silent", module: "http_impatient", target: "http://" + s.script(probetest.Silence())},
		{name: "http silent after half a header", module: "http_impatient", target: s.raw("HTTP/1.1 200 OK\r\nServer: sl", probetest.Silence())},
		{name: "http silent within the body", module: "http_impatient", target: s.raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", probetest.Silence())},
		{name: "http slow", module: "http_impatient", target: s.url("/slow")},
		{name: "http reset", module: "http", target: "http://" + s.script(requestHeader, reset)},
		{name: "http hung up on", module: "http", target: s.url("/close")},
		{name: "http truncated", module: "http", target: s.raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", hangUp)},
		{name: "http truncated chunk", module: "http", target: s.raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf", hangUp)},
		{name: "http garbage", module: "http", target: s.raw("\x00\xff{]\r\n\r\n", hangUp)},
		{name: "http bad status line", module: "http", target: s.raw("HTTP/1.1 twohundred OK\r\n\r\n", hangUp)},
		{name: "http bad header", module: "http", target: s.raw("HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", hangUp)},
		{name: "http lying about the length", module: "http", target: s.raw("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", hangUp)},
		{name: "http to a TLS port", module: "http", target: "http://" + address(s.https)},
		{name: "http bad URL", module: "http", target: "http://[::1"},
		{name: "http bad escape", module: "http", target: "http://127.0.0.1/%zz"},
		{name: "http bad port", module: "http", target: "http://127.0.0.1:99999/"},
		{name: "http other scheme", module: "http", target: "ftp://127.0.0.1/"},
		{name: "http unknown name", module: "http", target: "http://nosuch.skywatch.test/"},
		{name: "http name without an answer", module: "http_impatient", target: "http://silent.skywatch.test/"},
		{name: "http name without the family", module: "http_ip4_only", target: "http://six.skywatch.test/"},
		{name: "http address without the family", module: "http_ip6_only", target: site},
		{name: "http without login", module: "http", target: s.url("/auth/")},
		{name: "http with a bad login", module: "http_bad_login", target: s.url("/auth/")},
		{name: "http without the password file", module: "http_no_password_file", target: s.url("/auth/")},
		{name: "http wrong status", module: "http", target: s.url("/status/503")},
		{name: "http wrong status of a list", module: "http_404", target: site},
		{name: "http wrong method", module: "http_post", target: site},
		{name: "http bad method", module: "http_bad_method", target: site},
		{name: "http bad header of ours", module: "http_bad_header", target: site},
		{name: "http endless redirects", module: "http", target: s.url("/loop")},
		{name: "http stays at a redirect", module: "http_stay", target: s.url("/redir/1")},
		{name: "http redirected to a refused port", module: "http", target: s.raw("HTTP/1.1 302 Found\r\nLocation: http://" + probetest.RefusedAddr(s.t) + "/\r\nContent-Length: 0\r\n\r\n")},
		{name: "http redirected to a bad certificate", module: "http", target: s.url("/tohttps")},
		{name: "http body has what it must not", module: "http_has_not", target: site},
		{name: "http body lacks one of two", module: "http_has_both", target: site},
		{name: "http header matches what it must not", module: "http_header_not", target: site},
		{name: "http header missing", module: "http_header_missing", target: site},
		{name: "http header missing where none may match", module: "http_header_missing_too", target: site},
		{name: "http gzip wanted, none sent", module: "http_gzip", target: s.raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain")},
		{name: "http too large", module: "http_small", target: s.url("/big")},
		{name: "http too large with a pattern", module: "http_small_has", target: s.url("/big")},
		{name: "http 1.0 wanted, 1.1 sent", module: "http_10", target: site},
		{name: "http without TLS where it is wanted", module: "http_ssl", target: site},
	}
}

// httpsRequests are http probes over TLS, good and bad.
func (s *scene) httpsRequests() []probeRequest {
	site := s.secureURL("/")
	return []probeRequest{
		{name: "https", module: "https", target: site},
		{name: "https in capitals", module: "https", target: "HTTPS" + strings.TrimPrefix(site, "https")},
		{name: "https with HTTP/1.1", module: "https_1", target: site},
		{name: "https HTTP/2 is wanted", module: "https_2", target: site},
		{name: "https by server_name", module: "https_name", target: site},
		{name: "https by hostname", module: "https", target: site, hostname: "a.skywatch.test"},
		{name: "https not verified", module: "https_any", target: site},
		{name: "https expired, not verified", module: "https_any", target: site, hostname: "expired.skywatch.test"},
		{name: "https redirected", module: "https", target: s.secureURL("/redir/2")},
		{name: "https HTTP/1.1 is wanted", module: "https_1_only", target: site},
		{name: "https where TLS is not wanted", module: "http_not_ssl", target: site},
		{name: "https of a stranger", module: "https_stranger", target: site},
		{name: "https of an unknown authority", module: "http", target: site},
		{name: "https without the CA file", module: "https_no_ca", target: site},
		{name: "https expired", module: "https_expired", target: site},
		{name: "https with another name", module: "https_other", target: site},
		{name: "https self-signed", module: "https_self", target: site},
		{name: "https by an address-less hostname", module: "https", target: site, hostname: "b.example.org"},
		{name: "https wrong status", module: "https", target: s.secureURL("/status/503")},
		{name: "https to a plain port", module: "https", target: strings.Replace(s.url("/"), "http:", "https:", 1)},
		{name: "https refused", module: "https", target: "https://" + probetest.RefusedAddr(s.t)},
		{name: "https silent", module: "http_impatient", target: "https://" + s.script(probetest.Silence())},
		{name: "https reset", module: "https", target: "https://" + s.script(reset)},
	}
}
