// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"net"
	"testing"

	"skywatch/internal/probe"
)

// BenchmarkTCP makes whole runs of a tcp module against a listener on loopback: connect only, and with a dialogue.
func BenchmarkTCP(b *testing.B) {
	b.Run("connect", func(b *testing.B) { benchmarkTCP(b, `{}`) })
	b.Run("banner", func(b *testing.B) { benchmarkTCP(b, `{query_response: [{expect: "^220 "}]}`) })
}

func benchmarkTCP(b *testing.B, section string) {
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
			conn.Write([]byte("220 ready\r\n"))
			conn.(*net.TCPConn).SetLinger(0)
			conn.Read(make([]byte, 1))
			conn.Close()
		}
	}()
	c := probe.Check{Module: testModule(b, Options{}, "tcp", section), Target: probe.NewTarget(listener.Addr().String()), Timeout: long}
	b.ReportAllocs()
	for b.Loop() {
		if res := probe.Run(b.Context(), c, probe.Env{}); !res.Success() {
			b.Fatal(res.Err)
		}
	}
}
