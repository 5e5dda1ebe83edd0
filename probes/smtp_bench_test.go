// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"skywatch/internal/probe"
)

// BenchmarkProbeSMTP makes whole runs of an smtp module with a login and a recipient against a scripted server on loopback.
func BenchmarkProbeSMTP(b *testing.B) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			benchmarkMailServer(conn)
		}
	}()
	m := testModule(b, Options{}, "smtp", `{tls: none, ehlo: probe.test, username: tim, password: secret-pw, from: a@probe.test, to: [b@mail.test]}`)
	c := probe.Check{Module: m, Target: probe.NewTarget(listener.Addr().String()), Timeout: long}
	b.ReportAllocs()
	for b.Loop() {
		if res := probe.Run(b.Context(), c, probe.Env{}); !res.Success() {
			b.Fatal(res.Err)
		}
	}
}

// benchmarkMailServer agrees to everything.
func benchmarkMailServer(conn net.Conn) {
	conn.(*net.TCPConn).SetLinger(0)
	defer conn.Close()
	conn.Write([]byte("220 ready\r\n"))
	for in := bufio.NewScanner(conn); in.Scan(); {
		switch verb, _, _ := strings.Cut(in.Text(), " "); verb {
		case "EHLO":
			conn.Write([]byte("250-mail.test\r\n250-SIZE 1000\r\n250 AUTH PLAIN\r\n"))
		case "AUTH":
			conn.Write([]byte("235 ok\r\n"))
		case "QUIT":
			conn.Write([]byte("221 bye\r\n"))
		default:
			conn.Write([]byte("250 ok\r\n"))
		}
	}
}
