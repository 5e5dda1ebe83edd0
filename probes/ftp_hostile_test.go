// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noftp

package probes

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// TestFTPHostile meets servers that break the rules: each is told so, and nothing is left over.
func TestFTPHostile(t *testing.T) {
	ca := probetest.NewCA(t)
	good := probetest.Config(ca.Good())
	say := func(text string) []probetest.Step { return []probetest.Step{probetest.Send(text)} }
	fake := func(command, reply string) []probetest.Step {
		return []probetest.Step{(&ftpFake{replies: map[string]string{command: reply}}).serve}
	}
	trust := fmt.Sprintf("tls: starttls, tls_config: {ca_file: %q}", ca.File())
	garbage := func(conn net.Conn) { io.WriteString(conn, "\x00\xff hello, this is no TLS at all\r\n") }
	for name, test := range map[string]struct {
		section string
		script  []probetest.Step
		text    string
	}{
		"no code":            {"tls: none", say("hello\r\n"), `got "hello", want a greeting that begins with a code`},
		"code of 999":        {"tls: none", say("999 hello\r\n"), "want a greeting that begins with a code"},
		"code, then text":    {"tls: none", say("2200 hello\r\n"), "want a greeting that begins with a code"},
		"NUL":                {"tls: none", say("220 hel\x00lo\r\n"), "in a line of text"},
		"long line":          {"tls: none", say("220 " + strings.Repeat("a", maxReplyLine) + "\r\n"), "in a line of text"},
		"endless line":       {"tls: none", []probetest.Step{probetest.Send("220 "), probetest.Endless("a")}, "line longer than"},
		"endless reply":      {"tls: none", []probetest.Step{probetest.Send("220-hello\r\n"), probetest.Endless("more\r\n")}, "got 1000 lines and no end, want a greeting"},
		"reply cut off":      {"tls: none", say("220-hello\r\nmore\r\n"), "connection closed, want the end of a greeting"},
		"wrong greeting":     {"tls: none", say("331 password?\r\n"), `got "331 password?", want 220`},
		"wrong turn":         {"tls: none", fake("USER", "150 here it comes"), `got "150 here it comes", want 230 or 232 or 331 or 332`},
		"331 for ever":       {"tls: none", fake("PASS", "331 password?"), `got "331 password?", want 230 or 202 or 332`},
		"two replies":        {"tls: none", fake("USER", "331 password?\r\n331 password?"), `got "331 password?", want 230 or 202 or 332`},
		"early text":         {trust, fake("AUTH", "234 go on\r\n230 you are in"), `got "230 you are in\r\n" before the handshake, want nothing`},
		"garbage for TLS":    {trust, []probetest.Step{probetest.Send("220 hello\r\n"), probetest.Line("AUTH TLS\r\n"), probetest.Send("234 go on\r\n"), hearsHello, probetest.Garbage()}, "the server does not speak TLS here"},
		"garbage for data":   {trust, []probetest.Step{(&ftpFake{secure: good, data: garbage}).serve}, "first record does not look like a TLS handshake"},
		"EPSV without port":  {"tls: none", fake("EPSV", "229 fine"), `got "229 fine", want a port`},
		"EPSV of port 0":     {"tls: none", fake("EPSV", "229 fine (|||0|)"), "want a port"},
		"EPSV of big port":   {"tls: none", fake("EPSV", "229 fine (|||70000|)"), "want a port"},
		"EPSV cut short":     {"tls: none", fake("EPSV", "229 fine (|||7"), "want a port"},
		"EPSV of an address": {"tls: none", fake("EPSV", "229 fine (|1|203.0.113.7|80|)"), "want a port"},
		"PASV of five":       {"tls: none, passive: pasv", fake("PASV", "227 (127,0,0,1,4)"), "want a port"},
		"PASV of 300":        {"tls: none, passive: pasv", fake("PASV", "227 (127,0,0,1,300,4)"), "want a port"},
		"endless list":       {"tls: none", []probetest.Step{(&ftpFake{data: endlessData}).serve}, "byte budget spent"},
		"endless file":       {"tls: none, directory: '', upload: up", []probetest.Step{(&ftpFake{data: eatThenFeed()}).serve}, "byte budget spent"},
	} {
		leakFree(t, situation(name), func(t *testing.T) {
			res := probeFTP(t, test.section, test.script...)
			if res.Reason != probe.ReasonProtocol || !strings.Contains(res.Err, test.text) {
				t.Errorf("%s: %s, want protocol: ...%s...", res.Reason, res.Err, test.text)
			}
		})
	}
}

// endlessData sends until nobody takes it any more.
func endlessData(conn net.Conn) {
	line := bytes.Repeat([]byte("spam spam spam\r\n"), 1000)
	for {
		if _, err := conn.Write(line); err != nil {
			return
		}
	}
}

// eatThenFeed reads a file, and then sends one without end.
func eatThenFeed() func(net.Conn) {
	var fed atomic.Bool
	return func(conn net.Conn) {
		if fed.Swap(true) {
			endlessData(conn)
			return
		}
		io.Copy(io.Discard, conn)
	}
}

// FuzzFTP has a server say arbitrary bytes up to the end of a probe without a login, and reads ports and listings from them.
func FuzzFTP(f *testing.F) {
	for _, text := range []string{"220 a\r\n211 b\r\n221 c\r\n", "220-a\r\n220 b\r\n500 c\r\n", "229 (|||1|)", "227 1,2,3,4,5,6", "total 1\r\nx\r\n"} {
		f.Add([]byte(text))
	}
	p := &FTP{ServiceConfig: newServiceConfig(Options{}, 21, 990)}
	p.TLS = tlsNone
	f.Fuzz(func(t *testing.T, said []byte) {
		res := runFunc(t, func(ctx context.Context, r *probe.Recorder) error {
			l := &link{config: &p.ServiceConfig, server: "peer:21", conn: canned{in: bytes.NewReader(said)}, r: r, desc: descFTPPhase}
			return p.work(ctx, &ftpTalk{textLink: l.text()})
		})
		switch res.Reason {
		case probe.ReasonNone, probe.ReasonProtocol, probe.ReasonResponse:
		default:
			t.Errorf("%s: %s", res.Reason, res.Err)
		}
		for _, read := range []func(string) (uint16, bool){ftpExtendedPort, ftpPassivePort} {
			if port, ok := read(string(said)); ok && port == 0 {
				t.Error("port 0 taken for a port")
			}
		}
		if entries, size, err := countEntries(bytes.NewReader(said)); err != nil || size != len(said) || entries > bytes.Count(said, []byte("\n"))+1 {
			t.Errorf("%d entries in %d bytes (%v)", entries, size, err)
		}
	})
}

// BenchmarkFTP makes whole runs against a small server on loopback.
func BenchmarkFTP(b *testing.B) {
	for name, section := range map[string]string{"login": "directory: ''", "list": "directory: ."} {
		b.Run(name, func(b *testing.B) {
			server := probetest.Serve(b, (&ftpFake{listing: ftpListing}).serve, func(_ testing.TB, c *probetest.Conn) error {
				return c.Conn.(*net.TCPConn).SetLinger(0)
			})
			m := testModule(b, Options{}, "ftp", "{tls: none, username: watch, password: secret-pw, "+section+"}")
			c := probe.Check{Module: m, Target: probe.NewTarget(server.Addr), Timeout: long}
			b.ReportAllocs()
			for b.Loop() {
				if res := probe.Run(b.Context(), c, probe.Env{}); !res.Success() {
					b.Fatal(res.Err)
				}
			}
		})
	}
}
