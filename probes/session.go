// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"skywatch/internal/probe"
)

// maxLine is the longest line a session reads, without its end.
const maxLine = 64<<10 - 1

// errLongLine is a line that goes on beyond what the session reads; the number is that of bytes.
type errLongLine int

func (e errLongLine) Error() string { return fmt.Sprintf("line longer than %d bytes", int(e)) }

// session is a text connection on which a dialogue runs. All reading goes through one buffer, so nothing is lost between the steps.
type session struct {
	wire   net.Conn // what TLS starts on
	plain  net.Conn // what is read and written, TLS or not
	conn   net.Conn // the same with transcript
	quiet  bool     // leaves the transcript out of what is read from now on
	in     *bufio.Reader
	r      *probe.Recorder
	server string // for errors
	secure func(ctx context.Context, wire net.Conn) (*tls.Conn, error)

	longest int // bytes of a line without its end; newSession sets maxLine

	line  []byte // the last line; what there is of it when reading failed
	last  []byte // the one before
	lines int
	cut   bool // the last line ended with the stream, not with a line end
	sent  bool
}

// converse makes the handshake on a fresh connection if tlsFirst, and holds the dialogue. It closes the connection.
func converse(ctx context.Context, conn net.Conn, d dialogue, tlsFirst bool, target probe.Target, r *probe.Recorder,
	secure func(context.Context, net.Conn) (*tls.Conn, error)) error {
	if tlsFirst {
		secured, err := secure(ctx, conn)
		if err != nil {
			conn.Close()
			return err
		}
		conn = secured
	}
	r.Set(descFailedRegex, 0)
	r.Set(descFailedBytes, 0)
	if len(d.steps) == 0 {
		conn.Close()
		return nil
	}
	s := newSession(conn, target.String(), r, secure)
	defer s.close()
	return s.run(ctx, d)
}

// newSession starts on a connection; secure makes it a TLS one when a step asks for it.
func newSession(conn net.Conn, server string, r *probe.Recorder, secure func(context.Context, net.Conn) (*tls.Conn, error)) *session {
	s := &session{wire: conn, server: server, r: r, secure: secure, longest: maxLine}
	s.talk(conn)
	return s
}

func (s *session) talk(conn net.Conn) {
	s.plain, s.conn = conn, s.r.Conn(conn)
	s.in = bufio.NewReader(sessionReader{s})
}

// sessionReader is what a session's buffer is filled from.
type sessionReader struct{ s *session }

func (r sessionReader) Read(p []byte) (int, error) {
	if r.s.quiet {
		return r.s.plain.Read(p)
	}
	return r.s.conn.Read(p)
}

// run goes through a dialogue.
func (s *session) run(ctx context.Context, d dialogue) error {
	info := expectInfo{desc: d.info}
	defer func() { info.record(s.r) }()
	for i := range d.steps {
		if err := s.step(ctx, &d.steps[i], &info); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

func (s *session) step(ctx context.Context, q *QueryResponse, info *expectInfo) error {
	var f found
	if q.Expect != nil {
		match, err := s.expect(q.Expect)
		if err != nil {
			return err
		}
		f = found{q.Expect, s.line, match}
		info.add(q.Labels, f)
	}
	if q.ExpectBytes != "" {
		if err := s.expectBytes(q.ExpectBytes); err != nil {
			return err
		}
	}
	if err := s.send(f.expand(q.Send)); err != nil {
		return err
	}
	if q.StartTLS {
		return s.startTLS(ctx)
	}
	return nil
}

// expect reads lines up to one that matches. Only a peer that closes without one fails the regular expression.
func (s *session) expect(re *Regexp) ([]int, error) {
	for {
		if err := s.readLine(); err != nil {
			if errors.Is(err, io.EOF) {
				s.r.Set(descFailedRegex, 1)
			}
			return nil, s.readError(fmt.Sprintf("a line that matches %q", re.String()), err)
		}
		if match := re.FindSubmatchIndex(s.line); match != nil {
			s.r.Log.Debug("line matches", "regexp", re.String())
			return match, nil
		}
	}
}

// readLine reads the next line into s.line. The end of the stream ends a line too.
func (s *session) readLine() error {
	s.last, s.line = s.line, s.last[:0]
	for {
		part, err := s.in.ReadSlice('\n')
		s.line = append(s.line, part...)
		if len(bytes.TrimSuffix(s.line, []byte("\n"))) > s.longest {
			return errLongLine(s.longest)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(s.line) == 0) {
			return err
		}
		s.cut = err != nil
		s.line = bytes.TrimSuffix(bytes.TrimSuffix(s.line, []byte("\n")), []byte("\r"))
		s.noteLine()
		return nil
	}
}

func (s *session) noteLine() {
	s.lines++
	if s.lines == 1 && !s.sent {
		s.r.Fact("banner", string(bytes.ToValidUTF8(s.line, nil)))
	}
}

func (s *session) expectBytes(want string) error {
	got := make([]byte, len(want))
	n, err := io.ReadFull(s.in, got)
	if err != nil {
		s.last, s.line = s.line, got[:n]
		return s.readError("the bytes "+probe.Evidence(want), err)
	}
	if string(got) != want {
		s.r.Set(descFailedBytes, 1)
		return probe.Failf(probe.ReasonResponse, "reading from %q: found %s, want the bytes %s", s.server, s.r.Evidence(string(got)), probe.Evidence(want))
	}
	return nil
}

// readError says what came instead of what was wanted.
func (s *session) readError(want string, err error) error {
	got := "nothing"
	switch {
	case len(s.line) > 0:
		got = s.r.Evidence(string(s.line))
	case s.lines > 0:
		got = "last " + s.r.Evidence(string(s.last))
	}
	reason, what := probe.ReasonProtocol, err.Error()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		reason, what = probe.ReasonTimeout, "no more in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		what = "connection closed"
		if got != "nothing" {
			reason = probe.ReasonResponse
		}
	}
	return probe.Failf(reason, "reading from %q: %s, got %s, want %s", s.server, what, got, want)
}

// send writes a text and a newline; an empty text is not sent.
func (s *session) send(text string) error {
	if text == "" {
		return nil
	}
	s.sent = true
	return s.write(text + "\n")
}

// write sends a text as it is.
func (s *session) write(text string) error {
	_, err := io.WriteString(s.conn, text)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return probe.Failf(probe.ReasonTimeout, "sending to %q: not taken in time: %w", s.server, err)
	}
	return probe.Failf(probe.ReasonProtocol, "sending to %q: %w, want it taken", s.server, err)
}

// startTLS goes over to TLS. What a peer sends ahead of the handshake would be read as if it had come protected, so there must be nothing.
func (s *session) startTLS(ctx context.Context) error {
	if n := s.in.Buffered(); n > 0 {
		early, _ := s.in.Peek(n)
		return probe.Failf(probe.ReasonProtocol, "starting TLS with %q: got %s before the handshake, want nothing", s.server, s.r.Evidence(string(early)))
	}
	secured, err := s.secure(ctx, s.wire)
	if err != nil {
		return err
	}
	s.talk(secured)
	return nil
}

// close ends the connection, whatever it has become.
func (s *session) close() { s.conn.Close() }
