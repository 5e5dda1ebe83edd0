// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probetest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func dial(t *testing.T, s *Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestServeFollowsScript(t *testing.T) {
	s := Serve(t, Send("220 hi\r\n"), Line("QUIT\n"), Send("221 bye\r\n"))
	conn := dial(t, s)
	<-s.Accepted
	io.WriteString(conn, "QUIT\n")
	got, err := io.ReadAll(conn)
	if string(got) != "220 hi\r\n221 bye\r\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestServeTLS(t *testing.T) {
	ca := NewCA(t)
	s := Serve(t, Send("plain\n"), Line("STARTTLS\n"), TLS(Config(ca.Good())), Send("secret\n"))
	conn := dial(t, s)
	line, _ := bufio.NewReader(conn).ReadString('\n')
	io.WriteString(conn, "STARTTLS\n")
	secured := tls.Client(conn, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"})
	rest, err := io.ReadAll(secured)
	if line+string(rest) != "plain\nsecret\n" || err != nil {
		t.Errorf("got %q, %v", line+string(rest), err)
	}
	if names := s.ServerNames(); len(names) != 1 || names[0] != "localhost" {
		t.Errorf("server names %q, want localhost", names)
	}
}

func TestServeEndlessAndSilence(t *testing.T) {
	endless := dial(t, Serve(t, Endless("x")))
	if n, err := io.CopyN(io.Discard, endless, 1<<20); n != 1<<20 {
		t.Errorf("read %d bytes, %v", n, err)
	}
	silent := dial(t, Serve(t, Silence()))
	io.WriteString(silent, "anyone?")
	silent.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(silent); len(got) != 0 || err != nil {
		t.Errorf("a silent server said %q, %v", got, err)
	}
}

func TestServeOnUnixSocket(t *testing.T) {
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := ServeOn(t, listener, Send("hi\n"))
	conn, err := net.Dial("unix", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); string(got) != "hi\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRefusedAddrRefuses(t *testing.T) {
	if _, err := net.Dial("tcp", RefusedAddr(t)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want a refused connection", err)
	}
}
