// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probetest

import (
	"bufio"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen; it passes only when the test is about to fail.
const patience = time.Minute

// Server is a server on loopback that follows a script on each connection. When the script is over it ends its side of the
// connection, and waits for the peer to close: a connection that the peer leaves open fails the test.
type Server struct {
	Addr     string        // of the listener: host:port with an IPv4 literal, or the path of a socket
	Accepted chan struct{} // gets a value for each connection, up to 100 unread ones

	t        testing.TB
	listener net.Listener
	script   []Step
	handlers sync.WaitGroup
	once     sync.Once

	mu    sync.Mutex
	conns []net.Conn
	names []string
}

// Step is a part of a script.
type Step func(t testing.TB, c *Conn) error

// Conn is the server's side of a connection.
type Conn struct {
	net.Conn
	In     *bufio.Reader // what the peer sent
	server *Server
}

// errHangUp ends a script whose peer has gone in an allowed place.
var errHangUp = errors.New("peer has gone")

// Serve starts a server on a free TCP port. It ends with the test.
func Serve(t testing.TB, script ...Step) *Server {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening on loopback: %v", err)
	}
	return ServeOn(t, listener, script...)
}

// ServeUnix starts a server on a unix socket in a fresh directory.
func ServeUnix(t testing.TB, script ...Step) *Server {
	t.Helper()
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatalf("listening on a unix socket: %v", err)
	}
	return ServeOn(t, listener, script...)
}

// ServeOn starts a server on any listener, such as that of a unix socket, which it closes with the test.
func ServeOn(t testing.TB, listener net.Listener, script ...Step) *Server {
	t.Helper()
	s := &Server{Addr: listener.Addr().String(), Accepted: make(chan struct{}, 100), t: t, listener: listener, script: script}
	s.handlers.Go(s.accept)
	t.Cleanup(s.Close)
	return s
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		select {
		case s.Accepted <- struct{}{}:
		default:
		}
		s.handlers.Go(func() { s.handle(conn) })
	}
}

func (s *Server) handle(conn net.Conn) {
	defer conn.Close()
	c := &Conn{Conn: conn, In: bufio.NewReader(conn), server: s}
	for i, step := range s.script {
		err := step(s.t, c)
		if errors.Is(err, errHangUp) {
			return
		}
		if err != nil {
			s.t.Errorf("step %d of the script: %v", i+1, err)
			return
		}
	}
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	drain(c)
}

// Close stops listening and waits for the peers to close their connections.
func (s *Server) Close() {
	s.once.Do(func() {
		s.listener.Close()
		left := time.AfterFunc(patience, func() {
			s.t.Errorf("a connection to %s is still open, want the prober to close it", s.Addr)
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, conn := range s.conns {
				conn.Close()
			}
		})
		s.handlers.Wait()
		left.Stop()
	})
}

// ServerNames gives the names that TLS clients asked for, in order; "" for a client that sent none.
func (s *Server) ServerNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.names)
}

// RefusedAddr gives an address of loopback on which nothing listens, and on which nothing else will while the test runs.
func RefusedAddr(t testing.TB) string {
	t.Helper()
	s := Serve(t)
	conn, err := net.Dial("tcp4", s.Addr)
	if err != nil {
		t.Fatalf("connecting to %s: %v", s.Addr, err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.LocalAddr().String()
}
