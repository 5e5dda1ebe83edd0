// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"skywatch/internal/probetest"
)

// serveDatagrams runs a script for each peer over UDP. Ending our side of a connection is an empty datagram.
func serveDatagrams(t testing.TB, script ...probetest.Step) *probetest.Server {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &datagramListener{PacketConn: conn, accepted: make(chan *datagramConn, 100), peers: map[string]*datagramConn{}}
	l.ended.Go(l.receive)
	return probetest.ServeOn(t, l, script...)
}

// refusedDatagrams gives an address from which the kernel says that nothing listens: its socket belongs to another peer.
func refusedDatagrams(t testing.TB) string {
	t.Helper()
	conn, err := net.Dial("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.LocalAddr().String()
}

// datagramListener sorts datagrams by their sender.
type datagramListener struct {
	net.PacketConn
	accepted chan *datagramConn
	peers    map[string]*datagramConn
	ended    sync.WaitGroup
}

func (l *datagramListener) receive() {
	buffer := make([]byte, 64<<10)
	for {
		n, from, err := l.ReadFrom(buffer)
		if err != nil {
			break
		}
		peer := l.peers[from.String()]
		if peer == nil {
			peer = &datagramConn{listener: l, peer: from, in: make(chan []byte, 100)}
			l.peers[from.String()] = peer
			l.accepted <- peer
		}
		peer.in <- append([]byte(nil), buffer[:n]...)
	}
	close(l.accepted)
	for _, peer := range l.peers {
		close(peer.in)
	}
}

// Accept gives the next new sender.
func (l *datagramListener) Accept() (net.Conn, error) {
	if conn, ok := <-l.accepted; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

// Addr is where datagrams go.
func (l *datagramListener) Addr() net.Addr { return l.LocalAddr() }

// Close ends all connections.
func (l *datagramListener) Close() error {
	err := l.PacketConn.Close()
	l.ended.Wait()
	return err
}

// datagramConn is what one sender sends and gets, as if it were a connection.
type datagramConn struct {
	listener *datagramListener
	peer     net.Addr
	in       chan []byte
	rest     []byte
}

func (c *datagramConn) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		datagram, ok := <-c.in
		if !ok {
			return 0, io.EOF
		}
		c.rest = datagram
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *datagramConn) Write(p []byte) (int, error)      { return c.listener.WriteTo(p, c.peer) }
func (c *datagramConn) CloseWrite() error                { _, err := c.Write(nil); return err }
func (c *datagramConn) Close() error                     { return nil }
func (c *datagramConn) LocalAddr() net.Addr              { return c.listener.Addr() }
func (c *datagramConn) RemoteAddr() net.Addr             { return c.peer }
func (c *datagramConn) SetDeadline(time.Time) error      { return nil }
func (c *datagramConn) SetReadDeadline(time.Time) error  { return nil }
func (c *datagramConn) SetWriteDeadline(time.Time) error { return nil }
