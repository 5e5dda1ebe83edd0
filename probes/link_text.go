// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"

	"skywatch/internal/probe"
)

// maxReplyLine is the longest line of a reply that a service may send: ten times what SMTP (RFC 5321, 4.5.3.1.5) and POP3 allow.
const maxReplyLine = 5 << 10

// textLink is a link on which both sides speak in lines.
type textLink struct {
	*link
	talk    *session
	longest int // bytes of a line
}

// text begins to speak in lines on an open link.
func (l *link) text() *textLink {
	t := &textLink{link: l, longest: maxReplyLine}
	t.talk = newSession(l.conn, l.server, l.r, t.handshake)
	return t
}

func (t *textLink) handshake(ctx context.Context, _ net.Conn) (*tls.Conn, error) {
	if err := t.secure(ctx); err != nil {
		return nil, err
	}
	return t.conn.(*tls.Conn), nil
}

// startTLS goes over to TLS after the server agreed to. What it sent ahead of the handshake is a failure, never taken as protected.
func (t *textLink) startTLS(ctx context.Context) error { return t.talk.startTLS(ctx) }

// readLine reads one whole line, without its end. want says what it should be, for the error.
func (t *textLink) readLine(want string) (string, error) {
	s := t.talk
	if err := s.readLine(); err != nil {
		if errors.Is(err, io.EOF) {
			return "", probe.Failf(probe.ReasonProtocol, "reading from %q: connection closed, want %s", t.server, want)
		}
		return "", t.silence(s.readError(want, err))
	}
	if s.cut || len(s.line) > t.longest || bytes.IndexByte(s.line, 0) >= 0 {
		return "", probe.Failf(probe.ReasonProtocol, "reading from %q: got %s, want %s in a line of text of at most %d bytes",
			t.server, t.r.Evidence(string(s.line)), want, t.longest)
	}
	return string(s.line), nil
}

// silence adds to the error of a server that has not said a word yet what may be the cause: it waits for the handshake.
func (t *textLink) silence(err error) error {
	if t.talk.lines > 0 || t.config.TLS == tlsImplicit || probe.ReasonOf(err) != probe.ReasonTimeout {
		return err
	}
	return probe.Failf(probe.ReasonTimeout, "%w: the server may wait for TLS, is tls: %s right for this port?", err, t.config.TLS)
}

// allowLines lets the server send lines of up to n bytes.
func (t *textLink) allowLines(n int) { t.longest, t.talk.longest = n, max(n, maxLine) }

// readBytes reads exactly n bytes of text, whatever line ends they have. want says what they should be, for the error.
func (t *textLink) readBytes(n int, want string) (string, error) {
	data := make([]byte, n)
	got, err := io.ReadFull(t.talk.in, data)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "", probe.Failf(probe.ReasonProtocol, "reading from %q: connection closed after %d of %d bytes, want %s", t.server, got, n, want)
	}
	if err != nil {
		t.talk.last, t.talk.line = t.talk.line, data[:got]
		return "", t.talk.readError(want, err)
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return "", probe.Failf(probe.ReasonProtocol, "reading from %q: got %s, want %s without NUL bytes", t.server, t.r.Evidence(string(data)), want)
	}
	return string(data), nil
}

// hush leaves what the server says from now on out of the trace, or no longer: letters of others are not for those who read traces.
func (t *textLink) hush(quiet bool) { t.talk.quiet = quiet }

// say sends a line. A line end within it would be a second command, and is refused.
func (t *textLink) say(line string) error {
	if strings.ContainsAny(line, "\r\n\x00") {
		return probe.Failf(probe.ReasonConfig, "sending to %q: the command %s has a line end in it, want none", t.server, t.r.Evidence(line))
	}
	return t.talk.write(line + "\r\n")
}

// maxBanner is the longest text that is kept of what a server says of itself, in bytes.
const maxBanner = 256

// shortBanner makes a text fit for a label.
func (l *link) shortBanner(text string) string {
	text = l.r.Mask(text)
	return strings.ToValidUTF8(text[:min(len(text), maxBanner)], "")
}

// quotedServer names the server in an error that is put together.
func (l *link) quotedServer() string { return strconv.Quote(l.server) }

// close ends the connection, and the transcript with it.
func (t *textLink) close() { t.talk.close() }
