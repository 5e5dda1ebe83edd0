// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"skywatch/internal/probe"
)

// httpConns opens the connections of one probe, each to the one address that the module's rules choose, and closes all at its end.
type httpConns struct {
	dialer dialer
	r      *probe.Recorder
	trace  *httpTrace

	mu     sync.Mutex
	known  map[string]netip.Addr
	proxy  string // host and port of the last proxy used; "" = none
	sealed bool   // whether that one is spoken to over TLS itself
	open   []*politeConn
	closed bool

	budget int64 // bytes received on one connection
}

// resolveTarget looks the target up and records that.
func (c *httpConns) resolveTarget(ctx context.Context, host string) (time.Duration, error) {
	addr, took, err := c.dialer.resolveTimed(ctx, host, c.r)
	if err != nil {
		return took, err
	}
	c.remember(host, addr)
	return took, nil
}

func (c *httpConns) remember(host string, addr netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[string]netip.Addr)
	}
	c.known[host] = addr
}

// dial connects to the host that a URL names.
func (c *httpConns) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := c.connect(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c.trace.note(func(trip *httpTrip, now time.Time) { trip.connected = now })
	return c.keep(conn), nil
}

// connect makes a socket for the host that a URL names.
func (c *httpConns) connect(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := splitAuthority(address)
	if err != nil {
		return nil, err
	}
	addr, err := c.lookup(ctx, host, address)
	if err != nil {
		return nil, err
	}
	c.trace.note(func(trip *httpTrip, now time.Time) { trip.dialing = now })
	return c.dialer.dial(ctx, network, netip.AddrPortFrom(addr, port), c.r, c.budget)
}

// splitAuthority understands what a URL names, with the port added if it names none.
func splitAuthority(address string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, probe.Failf(probe.ReasonConfig, "connecting to %q: %w, want a host and a port", address, err)
	}
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, probe.Failf(probe.ReasonConfig, "connecting to %q: port %q, want a number from 1 to 65535", address, text)
	}
	return host, uint16(number), nil
}

// lookup finds the address of a host once. The way to a proxy is not bound to the family that the target must have.
func (c *httpConns) lookup(ctx context.Context, host, address string) (netip.Addr, error) {
	c.mu.Lock()
	addr, ok := c.known[host]
	d := c.dialer
	d.fallback = d.fallback || c.proxy == address
	c.mu.Unlock()
	if ok {
		return addr, nil
	}
	start := time.Now()
	addr, err := d.lookup(ctx, host)
	c.trace.note(func(trip *httpTrip, now time.Time) { trip.lookup += now.Sub(start) })
	if err != nil {
		return netip.Addr{}, err
	}
	c.remember(host, addr)
	return addr, nil
}

// keep closes a connection that came too late at once.
func (c *httpConns) keep(conn net.Conn) net.Conn {
	polite := &politeConn{Conn: conn, spoke: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = append(c.open, polite)
	if c.closed {
		polite.Close()
	}
	return polite
}

// secured notes the end of a TLS handshake on the last connection: from here it is our turn again.
func (c *httpConns) secured() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.open); n > 0 {
		c.open[n-1].wait()
	}
}

// close ends all connections, and with them what the transport runs for them.
func (c *httpConns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, conn := range c.open {
		conn.Close()
	}
}

// politeConn hears nothing before it has spoken. net/http writes what comes earlier to the standard logger, whoever sent it.
type politeConn struct {
	net.Conn
	mu     sync.Mutex
	spoke  chan struct{} // closed once reading may begin
	closed bool
}

func (c *politeConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	spoke := c.spoke
	c.mu.Unlock()
	<-spoke
	return c.Conn.Read(p)
}

func (c *politeConn) Write(p []byte) (int, error) {
	defer c.speak()
	return c.Conn.Write(p)
}

// Close ends a reader that waits, too.
func (c *politeConn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.speak()
	return c.Conn.Close()
}

func (c *politeConn) speak() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.spoke:
	default:
		close(c.spoke)
	}
}

// wait makes reading wait for the next writing.
func (c *politeConn) wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.spoke:
		if !c.closed {
			c.spoke = make(chan struct{})
		}
	default:
	}
}
