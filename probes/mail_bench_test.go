// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap && !nopop3

package probes

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// BenchmarkProbeIMAP makes whole runs of an imap module against a server on loopback, in clear text and with TLS.
func BenchmarkProbeIMAP(b *testing.B) {
	const greeting = "* OK [CAPABILITY IMAP4rev1] ready\r\n"
	b.Run("none", func(b *testing.B) { benchmarkMail(b, "imap", "none", greeting, answerIMAP) })
	b.Run("tls", func(b *testing.B) { benchmarkMail(b, "imap", "tls", greeting, answerIMAP) })
}

// BenchmarkProbePOP3 is the same for POP3.
func BenchmarkProbePOP3(b *testing.B) {
	b.Run("none", func(b *testing.B) { benchmarkMail(b, "pop3", "none", "+OK ready\r\n", answerPOP3) })
	b.Run("tls", func(b *testing.B) { benchmarkMail(b, "pop3", "tls", "+OK ready\r\n", answerPOP3) })
}

func answerIMAP(line string) string {
	tag, command, _ := strings.Cut(line, " ")
	switch verb, _, _ := strings.Cut(command, " "); verb {
	case "LOGIN":
		return tag + " OK [CAPABILITY IMAP4rev1] in\r\n"
	case "EXAMINE":
		return "* 1 EXISTS\r\n" + tag + " OK opened\r\n"
	case "LOGOUT":
		return "* BYE\r\n" + tag + " OK bye\r\n"
	}
	return tag + " OK done\r\n"
}

func answerPOP3(line string) string {
	switch verb, _, _ := strings.Cut(line, " "); verb {
	case "CAPA":
		return "+OK\r\nUSER\r\n.\r\n"
	case "STAT":
		return "+OK 1 9\r\n"
	}
	return "+OK\r\n"
}

func benchmarkMail(b *testing.B, prober, form, greeting string, answer func(line string) string) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ca := probetest.NewCA(b)
	if form == "tls" {
		listener = tls.NewListener(listener, probetest.Config(ca.Good()))
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.Write([]byte(greeting))
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					conn.Write([]byte(answer(lines.Text())))
				}
			}()
		}
	}()
	section := fmt.Sprintf("{tls: %s, tls_config: {ca: %q}, username: u, password: Secret-1}", form, ca.PEM)
	c := probe.Check{Module: testModule(b, Options{}, prober, section), Target: probe.NewTarget(listener.Addr().String()), Timeout: long}
	b.ReportAllocs()
	for b.Loop() {
		if res := probe.Run(b.Context(), c, probe.Env{}); !res.Success() {
			b.Fatal(res.Err)
		}
	}
}
