// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// modules is the configuration that both exporters read.
const modules = `modules:
  tcp_connect: {prober: tcp, timeout: 5s}
  http_2xx: {prober: http, timeout: 5s}
`

// kind is a kind of probe.
type kind struct {
	name, module, prefix string
	answer               func(net.Conn)
}

var kinds = []kind{
	{"tcp", "tcp_connect", "", func(net.Conn) {}},
	{"http", "http_2xx", "http://", answerHTTP},
}

// target is a server that costs next to nothing, so that the figures are those of the exporters.
type target struct {
	address string
	served  atomic.Int64 // connections
	due     int64        // connections that there should have been
	close   func()
}

// expect tells whether as many more connections were made as there should be: a probe that made none would be cheap.
func (t *target) expect(connections int) error {
	t.due += int64(connections)
	for deadline := time.Now().Add(patience); t.served.Load() < t.due && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond) // a connection counts when it is accepted, which may be after the probe
	}
	if served := t.served.Load(); served != t.due {
		return fmt.Errorf("%d connections to the target, want %d", served, t.due)
	}
	return nil
}

func (k kind) serve() (*target, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &target{address: k.prefix + listener.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.served.Add(1)
			running.Go(func() {
				defer conn.Close()
				k.answer(conn)
				io.Copy(io.Discard, conn) // until the prober closes
			})
		}
	})
	t.close = func() { listener.Close(); running.Wait() }
	return t, nil
}

var readers = sync.Pool{New: func() any { return bufio.NewReader(nil) }}

// answerHTTP reads the header of a request and sends a small page.
func answerHTTP(conn net.Conn) {
	in := readers.Get().(*bufio.Reader)
	defer readers.Put(in)
	in.Reset(conn)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) <= 2 {
			break
		}
	}
	io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\nConnection: close\r\n\r\nOK body\n")
	conn.(*net.TCPConn).CloseWrite()
}
