// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probetest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// Send writes the text as it is.
func Send(text string) Step {
	return func(_ testing.TB, c *Conn) error {
		if _, err := io.WriteString(c, text); err != nil {
			return fmt.Errorf("sending %q: %w", text, err)
		}
		return nil
	}
}

// Line reads one line, up to and with its newline, which must be the wanted one.
func Line(want string) Step {
	return func(_ testing.TB, c *Conn) error {
		got, err := c.In.ReadString('\n')
		if got != want {
			return fmt.Errorf("found the line %q (%v), want %q", got, err, want)
		}
		return nil
	}
}

// TLS goes over to TLS as the server. With a certificate pool in the configuration it may ask for client certificates.
func TLS(conf *tls.Config) Step {
	return func(_ testing.TB, c *Conn) error {
		noting := conf.Clone()
		noting.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			c.server.mu.Lock()
			defer c.server.mu.Unlock()
			c.server.names = append(c.server.names, hello.ServerName)
			return nil, nil
		}
		secured := tls.Server(&buffered{c.Conn, c.In}, noting)
		if err := secured.Handshake(); err != nil {
			drain(c)
			return errHangUp
		}
		c.Conn = secured
		c.In = bufio.NewReader(secured)
		return nil
	}
}

// Silence says nothing and waits until the peer closes.
func Silence() Step {
	return func(_ testing.TB, c *Conn) error {
		drain(c)
		return errHangUp
	}
}

// Endless writes the text again and again until the peer closes.
func Endless(text string) Step {
	text = strings.Repeat(text, max(1, 32<<10/len(text)))
	return func(_ testing.TB, c *Conn) error {
		for {
			if _, err := io.WriteString(c, text); err != nil {
				return errHangUp
			}
		}
	}
}

// Garbage writes bytes that no protocol has.
func Garbage() Step {
	return Send("\x00\xff\xfe\x01{\x80]\r\r\n\x00\x00\x7f\n\xc3(%n%s\r\n")
}

// Meanwhile runs f, for what a script has to do between two steps.
func Meanwhile(f func()) Step {
	return func(testing.TB, *Conn) error { f(); return nil }
}

func drain(c *Conn) { io.Copy(io.Discard, c.In) }

// buffered reads through the reader that may already hold what comes next.
type buffered struct {
	net.Conn
	in io.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.in.Read(p) }
