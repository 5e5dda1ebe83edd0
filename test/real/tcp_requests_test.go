// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"fmt"
	"strings"

	"skywatch/internal/probetest"
)

// tcpRequests are for tcp probes that succeed.
func (s *scene) tcpRequests() []probeRequest {
	secure := probetest.Config(s.ca.Good())
	return []probeRequest{
		{name: "tcp", module: "tcp", target: address(s.http)},
		{name: "tcp by name", module: "tcp", target: fmt.Sprintf("four.skywatch.test:%d", s.http)},
		{name: "tcp silent", module: "tcp", target: s.script(probetest.Silence())},
		{name: "tcp from an address", module: "tcp_source", target: address(s.http)},
		{name: "tcp banner", module: "tcp_banner", target: s.script(probetest.Send("welcome\r\nSSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), line)},
		{name: "tcp dialogue", module: "tcp_expand", target: s.script(probetest.Send("hello bob 42\n"), probetest.Line("you are bob 42\n"), probetest.Send("yes\n"))},
		{name: "tcp last line without an end", module: "tcp_expand", target: s.script(probetest.Send("hello bob 42\n"), probetest.Line("you are bob 42\n"), probetest.Send("yes"))},
		{name: "tcp starttls", module: "tcp_starttls", target: s.script(probetest.Send("220 ready\r\n"), line, probetest.Send("220 go\r\n"), probetest.TLS(secure), probetest.Send("250 ok\r\n"))},
		{name: "tcp tls", module: "tcp_tls", target: fmt.Sprintf("localhost:%d", s.https)},
		{name: "tcp tls to an address", module: "tcp_tls", target: address(s.https)},
		{name: "tcp tls with a dialogue", module: "tcp_tls_http", target: fmt.Sprintf("localhost:%d", s.https)},
		{name: "tcp tls not verified", module: "tcp_tls_any", target: address(s.https)},
		{name: "tcp tls by hostname", module: "tcp_tls", target: address(s.https), hostname: "a.skywatch.test"},
	}
}

// tcpFailures are tcp probes that fail.
func (s *scene) tcpFailures() []probeRequest {
	return []probeRequest{
		{name: "tcp refused", module: "tcp", target: probetest.RefusedAddr(s.t)},
		{name: "tcp refused over IPv6", module: "tcp", target: fmt.Sprintf("[::1]:%d", s.http)},
		{name: "tcp without port", module: "tcp", target: "127.0.0.1"},
		{name: "tcp bad port", module: "tcp", target: "127.0.0.1:99999"},
		{name: "tcp unknown service", module: "tcp", target: "127.0.0.1:nosuchservice"},
		{name: "tcp with a URL", module: "tcp", target: s.url("/")},
		{name: "tcp unknown name", module: "tcp", target: "nosuch.skywatch.test:80"},
		{name: "tcp name without an answer", module: "tcp_impatient", target: "silent.skywatch.test:80"},
		{name: "tcp address without the family", module: "tcp_ip6_only", target: address(s.http)},
		{name: "tcp from a foreign address", module: "tcp_foreign_source", target: address(s.http)},
		{name: "tcp banner does not come", module: "tcp_banner", target: s.script(probetest.Silence())},
		{name: "tcp other banner", module: "tcp_banner", target: s.script(probetest.Send("220 ftp\r\n"), hangUp)},
		{name: "tcp other banner that stays", module: "tcp_banner", target: s.script(probetest.Send("220 ftp\r\n"), probetest.Silence())},
		{name: "tcp half a banner that stays", module: "tcp_banner", target: s.script(probetest.Send("SSH-2.0-OpenSSH"), probetest.Silence())},
		{name: "tcp closed at once", module: "tcp_banner", target: s.script(hangUp)},
		{name: "tcp reset", module: "tcp_banner", target: s.script(line, reset)},
		{name: "tcp endless line", module: "tcp_banner", target: s.script(probetest.Send(strings.Repeat("x", 70000)), probetest.Silence())},
		{name: "tcp garbage", module: "tcp_banner", target: s.script(probetest.Garbage(), hangUp)},
		{name: "tcp wrong answer", module: "tcp_expand", target: s.script(probetest.Send("hello bob 42\n"), line, probetest.Send("no\n"), hangUp)},
		{name: "tcp starttls refused", module: "tcp_starttls", target: s.script(probetest.Send("220 ready\r\n"), line, probetest.Send("454 no\r\n"), hangUp)},
		{name: "tcp starttls with another name", module: "tcp_starttls", target: s.script(probetest.Send("220 ready\r\n"), line, probetest.Send("220 go\r\n"),
			probetest.TLS(probetest.Config(s.ca.For("other.example.org"))))},
		{name: "tcp tls to a plain port", module: "tcp_tls", target: address(s.http)},
		{name: "tcp tls silent", module: "tcp_tls_impatient", target: s.script(probetest.Silence())},
		{name: "tcp tls of a stranger", module: "tcp_tls_stranger", target: address(s.https)},
		{name: "tcp tls expired", module: "tcp_tls_expired", target: address(s.https)},
		{name: "tcp tls with another name", module: "tcp_tls_other", target: address(s.https)},
		{name: "tcp tls without the CA file", module: "tcp_tls_no_ca", target: address(s.https)},
	}
}
