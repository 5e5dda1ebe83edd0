// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noftp

package probes

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"skywatch/internal/probetest"
)

// ftpFake is a small file server. The zero value accepts everything and has no files.
type ftpFake struct {
	replies map[string]string // by command with or without its argument, what is said in place of the usual
	data    func(net.Conn)    // what is done on a data connection in place of the usual
	listing string
	secure  *tls.Config // for AUTH TLS, and for data once PROT P was said
	spoil   bool        // whether files come back changed

	mu    sync.Mutex
	files map[string]string
	said  []string // all commands
}

// serve greets and answers until the client leaves.
func (s *ftpFake) serve(t testing.TB, c *probetest.Conn) error {
	io.WriteString(c, "220-hello\r\n  there\r\n220 ready\r\n")
	return (&ftpFakeSession{ftpFake: s, t: t, c: c}).run()
}

// commands gives what was said, so far.
func (s *ftpFake) commands() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.said, "\n")
}

// ftpFakeSession is one client of a fake.
type ftpFakeSession struct {
	*ftpFake
	t         testing.TB
	c         *probetest.Conn
	protected bool
	listener  net.Listener
}

func (s *ftpFakeSession) run() error {
	defer func() {
		if s.listener != nil {
			s.listener.Close()
		}
	}()
	for {
		line, err := s.c.In.ReadString('\n')
		if err != nil {
			return nil // the client may leave when it likes
		}
		line = strings.TrimSuffix(line, "\r\n")
		s.mu.Lock()
		s.said = append(s.said, line)
		s.mu.Unlock()
		verb, argument, _ := strings.Cut(line, " ")
		reply, ok := s.replies[line]
		if !ok {
			reply, ok = s.replies[verb]
		}
		if !ok {
			reply = s.answer(verb, argument)
		}
		if reply == "" {
			return nil // gone without a word
		}
		if _, err := io.WriteString(s.c, reply+"\r\n"); err != nil || verb == "QUIT" {
			return nil
		}
		if verb == "AUTH" && strings.HasPrefix(reply, "234") && s.secure != nil {
			if err := probetest.TLS(s.secure)(s.t, s.c); err != nil {
				return err
			}
		}
	}
}

// answer does what a command wants.
func (s *ftpFakeSession) answer(verb, argument string) string {
	switch verb {
	case "USER":
		return "331 password?"
	case "PASS":
		return "230 welcome"
	case "AUTH":
		return "234 go on"
	case "PROT":
		s.protected = true
		return "200 private"
	case "PBSZ", "TYPE":
		return "200 fine"
	case "FEAT":
		return "211-Features:\r\n EPSV\r\n211 End"
	case "CWD", "DELE":
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.files, argument)
		return "250 done"
	case "EPSV":
		return fmt.Sprintf("229 Entering Extended Passive Mode (|||%d|)", s.listen())
	case "PASV":
		port := s.listen() // of an address that is not ours, on purpose
		return fmt.Sprintf("227 Entering Passive Mode 203,0,113,7,%d,%d.", port>>8, port&255)
	case "LIST", "STOR", "RETR":
		return s.transfer(verb, argument)
	}
	return "221 bye"
}

func (s *ftpFakeSession) listen() int {
	if s.listener != nil {
		s.listener.Close()
	}
	var err error
	if s.listener, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
		s.t.Error(err)
		return 0
	}
	return s.listener.Addr().(*net.TCPAddr).Port
}

// transfer moves data, and gives the reply after the one in front of it.
func (s *ftpFakeSession) transfer(verb, path string) string {
	io.WriteString(s.c, "150 here it comes\r\n")
	conn, err := s.listener.Accept()
	if err != nil {
		return "425 no connection"
	}
	defer conn.Close()
	if s.data != nil {
		s.data(conn)
		return "226 done"
	}
	if s.protected {
		conn = tls.Server(conn, s.secure)
		defer conn.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch verb {
	case "LIST":
		io.WriteString(conn, s.listing)
	case "STOR":
		data, err := io.ReadAll(conn)
		if err != nil {
			return "426 " + err.Error()
		}
		if s.files == nil {
			s.files = map[string]string{}
		}
		s.files[path] = string(data)
	case "RETR":
		data := s.files[path]
		if s.spoil {
			data = data[:100] + "\r" + data[100:]
		}
		io.WriteString(conn, data)
	}
	return "226 done"
}
