// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// answering is a server that costs next to nothing, so that the figures are those of the prober.
func answering(b *testing.B, conf *tls.Config) string {
	b.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	if conf != nil {
		listener = tls.NewListener(listener, conf)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		in := bufio.NewReader(nil)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			in.Reset(conn)
			for line, err := in.ReadSlice('\n'); err == nil && len(line) > 2; {
				line, err = in.ReadSlice('\n')
			}
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nOK body\n")
			conn.Close()
		}
	}()
	b.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().String()
}

func benchmarkHTTP(b *testing.B, m *probe.Module, target string) {
	check := probe.Check{Module: m, Target: probe.NewTarget(target), Timeout: long}
	b.ReportAllocs()
	for b.Loop() {
		if res := probe.Run(b.Context(), check, probe.Env{}); !res.Success() {
			b.Fatal(res.Err)
		}
	}
}

func BenchmarkHTTP(b *testing.B) {
	benchmarkHTTP(b, httpModule(b, "{}", Options{}), "http://"+answering(b, nil))
}

func BenchmarkHTTPS(b *testing.B) {
	ca := probetest.NewCA(b)
	m := httpModule(b, "tls_config: {ca_file: "+ca.File()+"}", Options{})
	benchmarkHTTP(b, m, "https://"+answering(b, probetest.Config(ca.Good())))
}
