// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"skywatch/internal/probetest"
)

// mailServer speaks enough SMTP to take mails; it can go away and come back at the same address.
type mailServer struct {
	port int

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
	mails    []string
	running  sync.WaitGroup
}

func newMailServer() *mailServer {
	s := &mailServer{port: probetest.HoldPort(), open: make(map[net.Conn]bool)}
	if err := s.come(); err != nil {
		panic(err)
	}
	return s
}

func (s *mailServer) come() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := probetest.ListenHeld(s.port)
	if err != nil {
		return err
	}
	s.listener = l
	s.running.Go(func() { s.accept(l) })
	return nil
}

// leave ends the server and its connections.
func (s *mailServer) leave() {
	s.mu.Lock()
	s.listener.Close()
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

func (s *mailServer) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

func (s *mailServer) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.open[c] = true
		s.mu.Unlock()
		s.running.Go(func() {
			s.talk(c)
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.open, c)
		})
	}
}

// talk takes mails from one client.
func (s *mailServer) talk(c net.Conn) {
	defer c.Close()
	lines := bufio.NewScanner(c)
	say := func(text string) { fmt.Fprintf(c, "%s\r\n", text) }
	say("220 mail.test ESMTP")
	for lines.Scan() {
		verb, _, _ := strings.Cut(strings.ToUpper(lines.Text()), " ")
		switch verb {
		case "DATA":
			say("354 go on")
			s.keep(takeData(lines))
			say("250 2.0.0 taken")
		case "QUIT":
			say("221 bye")
			return
		case "EHLO":
			say("250-mail.test\r\n250 8BITMIME")
		default:
			say("250 2.0.0 fine")
		}
	}
}

func takeData(lines *bufio.Scanner) string {
	var mail strings.Builder
	for lines.Scan() && lines.Text() != "." {
		mail.WriteString(strings.TrimPrefix(lines.Text(), ".") + "\n")
	}
	return mail.String()
}

func (s *mailServer) keep(mail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, mail)
}
