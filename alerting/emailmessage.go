// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"net"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// compose makes the mail. The same message always gives the same mail.
func (e *email) compose(m record.Message) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.From(e.config.From); err != nil {
		return nil, err
	}
	if err := msg.To(e.config.To...); err != nil {
		return nil, err
	}
	msg.Subject(m.Subject)
	msg.SetDateWithValue(m.SealedAt)
	msg.SetMessageIDWithValue(m.MessageID)
	if m.InReplyTo != "" {
		msg.SetGenHeader(gomail.HeaderInReplyTo, "<"+m.InReplyTo+">")
	}
	if len(m.References) > 0 {
		msg.SetGenHeaderPreformatted(gomail.HeaderReferences, references(m.References))
	}
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no vacation replies
	msg.SetUserAgent("skywatch/" + e.version)
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	return msg, nil
}

// references folds the header: RFC 5322 section 2.2.3.
func references(ids []string) string {
	text := ""
	for i, id := range ids {
		if i > 0 {
			text += "\r\n "
		}
		text += "<" + id + ">"
	}
	return text
}

// mailConn bounds a connection: one deadline that nobody moves, and a budget of received bytes.
type mailConn struct {
	net.Conn
	mu     sync.Mutex
	left   int64
	broken bool // a write failed
	closed bool
}

// adopt takes the dialed connection.
func (c *mailConn) adopt(ctx context.Context, conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Conn, c.left = conn, mailBytes
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	if c.closed {
		conn.Close()
	}
}

// SetDeadline does nothing: the deadline was set for the whole attempt.
func (c *mailConn) SetDeadline(time.Time) error { return nil }

func (c *mailConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	left := c.left
	c.mu.Unlock()
	if left <= 0 {
		return 0, probe.Failf(probe.ReasonProtocol, "more than %d bytes received: %w", mailBytes, probe.ErrBudget)
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), left)])
	c.mu.Lock()
	c.left -= int64(n)
	c.mu.Unlock()
	return n, err
}

func (c *mailConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.mu.Lock()
		c.broken = true
		c.mu.Unlock()
	}
	return n, err
}

func (c *mailConn) Close() error {
	c.close()
	return nil
}

// failed tells whether a write failed, so that not all of it can have reached the peer.
func (c *mailConn) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

func (c *mailConn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Conn != nil && !c.closed {
		c.Conn.Close()
	}
	c.closed = true
}
