// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"errors"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// sink is an SMTP server that takes every mail and keeps it.
type sink struct {
	listener net.Listener
	mu       sync.Mutex
	wg       sync.WaitGroup
	letters  []letter
	err      error
}

func newSink(t *testing.T) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{listener: l}
	s.wg.Go(s.accept)
	t.Cleanup(func() { l.Close(); s.wg.Wait() })
	return s
}

func (s *sink) address() string { return s.listener.Addr().String() }

// received gives what has arrived, and what was wrong with it.
func (s *sink) received() ([]letter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]letter(nil), s.letters...), s.err
}

func (s *sink) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() {
			defer conn.Close()
			s.serve(textproto.NewConn(conn))
		})
	}
}

// serve speaks SMTP (RFC 5321) until the client leaves or dies.
func (s *sink) serve(c *textproto.Conn) {
	c.PrintfLine("220 sink.skywatch.test ESMTP")
	for {
		line, err := c.ReadLine()
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.ToUpper(line), " "); verb {
		case "EHLO", "HELO":
			c.PrintfLine("250-sink.skywatch.test")
			err = c.PrintfLine("250 8BITMIME")
		case "DATA":
			err = s.data(c)
		case "QUIT":
			c.PrintfLine("221 2.0.0 bye")
			return
		default:
			err = c.PrintfLine("250 2.0.0 ok")
		}
		if err != nil {
			return
		}
	}
}

func (s *sink) data(c *textproto.Conn) error {
	if err := c.PrintfLine("354 go ahead"); err != nil {
		return err
	}
	body, err := c.ReadDotBytes()
	if err != nil {
		return err
	}
	l, err := parseLetter(string(body))
	s.mu.Lock()
	s.letters = append(s.letters, l)
	s.err = errors.Join(s.err, err)
	s.mu.Unlock()
	return c.PrintfLine("250 2.0.0 taken")
}
