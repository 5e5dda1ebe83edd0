// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

// ErrBudget is what a read gives once a connection has delivered more than its byte budget. Its reason is ReasonProtocol.
var ErrBudget = errors.New("byte budget spent")

// Track puts a fresh connection under the attempt's watchdog: Run ends it at the deadline, and a read fails with ErrBudget once the
// peer has sent more than budget bytes (0 = 1 MiB). Every connection a prober opens goes through Track; the dialer does it.
// The result must be closed by the prober.
func (r *Recorder) Track(c net.Conn, budget int64) net.Conn {
	if budget == 0 {
		budget = 1 << 20
	}
	tracked := &trackedConn{Conn: c, left: budget, budget: budget}
	if !r.track(tracked) {
		c.Close()
	}
	return tracked
}

type trackedConn struct {
	net.Conn
	budget int64
	mu     sync.Mutex
	left   int64
}

func (c *trackedConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	left := c.left
	c.mu.Unlock()
	if left <= 0 {
		return 0, Failf(ReasonProtocol, "reading from %s: more than %d bytes received: %w", c.RemoteAddr(), c.budget, ErrBudget)
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	c.left -= int64(n)
	c.mu.Unlock()
	return n, err
}

// The bounds of a transcript line.
const (
	transcriptLine  = 1 << 10  // bytes shown
	transcriptInput = 64 << 10 // bytes held while waiting for the end of a line
)

// Conn writes a transcript of a text connection into the trace, line by line at level debug: "<" what the peer sent, ">" what we sent.
// Wrap after TLS, never before. Secrets of the probe are masked; what a protocol encodes beyond that is hidden with Hide.
func (r *Recorder) Conn(c net.Conn) net.Conn {
	return &transcript{Conn: c, recorder: r, in: lineLog{sign: "<"}, out: lineLog{sign: ">"}}
}

type transcript struct {
	net.Conn
	recorder *Recorder
	mu       sync.Mutex
	in, out  lineLog
}

func (t *transcript) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.out.flush(t.recorder)
	t.in.write(t.recorder, p[:n])
	if err != nil {
		t.in.flush(t.recorder)
	}
	return n, err
}

func (t *transcript) Write(p []byte) (int, error) {
	n, err := t.Conn.Write(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.in.flush(t.recorder)
	t.out.write(t.recorder, p[:n])
	return n, err
}

func (t *transcript) Close() error {
	t.mu.Lock()
	t.in.flush(t.recorder)
	t.out.flush(t.recorder)
	t.mu.Unlock()
	return t.Conn.Close()
}

// lineLog cuts a stream into lines. Masking sees the whole line, so that a cut never leaves half a secret.
type lineLog struct {
	sign    string
	pending []byte
	skipped int
}

func (l *lineLog) write(r *Recorder, p []byte) {
	for len(p) > 0 {
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		room := min(len(line), transcriptInput-len(l.pending))
		l.pending = append(l.pending, line[:room]...)
		l.skipped += len(line) - room
		if whole {
			l.emit(r)
		}
		p = rest
	}
}

func (l *lineLog) flush(r *Recorder) {
	if len(l.pending) > 0 {
		l.emit(r)
	}
}

func (l *lineLog) emit(r *Recorder) {
	text := r.trace.mask(string(bytes.TrimSuffix(l.pending, []byte("\r"))))
	if more := len(text) - transcriptLine; more > 0 {
		text = fmt.Sprintf("%s... (%d more bytes)", text[:transcriptLine], more+l.skipped)
	}
	l.pending, l.skipped = l.pending[:0], 0
	if !r.over() {
		r.trace.add(Line{At: time.Since(r.trace.start), Level: slog.LevelDebug, Text: fmt.Sprintf("%s %q", l.sign, text)})
	}
}
