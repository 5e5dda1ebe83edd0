// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"skywatch/internal/probetest"
)

// scene is the set of servers that both exporters probe.
type scene struct {
	t                *testing.T
	peers            *peers
	http, https, h2c int // nginx
	dns, dot         int // unbound
	grpc             string
	ca               *probetest.CA
}

func newScene(t *testing.T) *scene {
	t.Helper()
	p := newPeers(t)
	s := &scene{t: t, peers: p, http: probetest.HoldPort(), https: probetest.HoldPort(), h2c: probetest.HoldPort(), dns: probetest.HoldPort(), dot: probetest.HoldPort(), ca: probetest.NewCA(t)}
	p.server("nginx", answers200("http://"+address(s.http)+"/"), s.http, s.https, s.h2c).start()
	p.server("unbound", s.answersQuery, s.dns, s.dot).start()
	s.grpc = serveGRPC(t)
	return s
}

// caFile is the certificate authority of nginx and unbound.
func (s *scene) caFile() string { return filepath.Join(s.peers.pki(), "ca.pem") }

func (s *scene) url(path string) string { return "http://" + address(s.http) + path }

func (s *scene) secureURL(path string) string {
	return fmt.Sprintf("https://localhost:%d%s", s.https, path)
}

// script is a server that follows steps with every connection.
func (s *scene) script(steps ...probetest.Step) string {
	s.t.Helper()
	return probetest.Serve(s.t, steps...).Addr
}

// raw is a web server that sends a fixed text after the header of a request.
func (s *scene) raw(text string, more ...probetest.Step) string {
	return "http://" + s.script(append([]probetest.Step{requestHeader, probetest.Send(text)}, more...)...)
}

// requestHeader reads up to the empty line.
func requestHeader(_ testing.TB, c *probetest.Conn) error {
	for {
		line, err := c.In.ReadString('\n')
		if err != nil || strings.TrimSpace(line) == "" {
			return nil // a peer that has gone shows in what it reports
		}
	}
}

// reset ends a connection with RST.
func reset(_ testing.TB, c *probetest.Conn) error {
	c.Conn.(*net.TCPConn).SetLinger(0)
	return c.Close()
}

// hangUp ends a connection in the regular way, without waiting for the peer to do so.
func hangUp(_ testing.TB, c *probetest.Conn) error { return c.Close() }

// line reads one, whatever it says.
func line(_ testing.TB, c *probetest.Conn) error {
	bufio.NewReader(c.In).ReadString('\n')
	return nil
}
