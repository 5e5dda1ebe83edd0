// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nossh

package probes

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"skywatch/internal/probe"
)

// sshVersion is what we say of ourselves (RFC 4253, section 4.2).
const sshVersion = "SSH-2.0-skywatch"

// The bounds of what a server says before the key exchange (RFC 4253, section 4.2: a version line has at most 255 bytes; other lines may
// come first).
const (
	maxSSHVersionLine = 255
	maxSSHEarlyLines  = 32
)

// The pace at which the client is given bytes. Its reader hands packets on through a channel with room for 16, and waits for ever when the
// client has given up in the meantime. So it gets no more bytes at once than 16 packets have at least, each 28 (chacha20-poly1305 without
// payload), and then time in which the end of the client closes the connection. There is no other sign of it: what comes is encrypted, so
// packets cannot be counted here, and that the client has taken one shows nowhere.
const (
	sshBurst = 16 * 28
	sshPause = time.Millisecond
)

// sshWire is the connection under the SSH client. The version lines are exchanged before the client begins, which it does not notice.
type sshWire struct {
	net.Conn
	in     *bufio.Reader
	replay []byte // the server's version line, for the client
	said   bool   // whether the client has sent its version line, which was sent already
	slow   atomic.Bool
	given  int // bytes given to the client since the last pause
	once   sync.Once
	closed chan struct{}
}

// greetSSH exchanges the version lines on a fresh connection.
func greetSSH(ctx context.Context, l *link) (*sshWire, error) {
	w := &sshWire{Conn: l.conn, in: bufio.NewReader(l.conn), closed: make(chan struct{})}
	if _, err := io.WriteString(l.conn, sshVersion+"\r\n"); err != nil {
		return nil, lostSSH(ctx, "sending to", l, err)
	}
	first := ""
	for range maxSSHEarlyLines {
		line, err := w.readLine(ctx, l, first)
		if err != nil {
			return nil, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		l.r.Log.Debug("server says", "line", text)
		if !strings.HasPrefix(text, "SSH-") {
			first = cmp.Or(first, text)
			continue
		}
		w.replay = bytes.Clone(line)
		shown := strings.ToValidUTF8(text, "?")
		l.r.Set(descSSHBanner, 1, shown)
		l.r.Fact("banner", shown)
		if !strings.HasPrefix(text, "SSH-2.0-") && !strings.HasPrefix(text, "SSH-1.99-") {
			return nil, probe.Failf(probe.ReasonProtocol, "reading from %q: the server has %s, want version 2.0", l.server, l.r.Evidence(text))
		}
		l.done("greeting")
		return w, nil
	}
	return nil, probe.Failf(probe.ReasonProtocol, "reading from %q: got %d lines, the first is %s, want a version line of SSH", l.server, maxSSHEarlyLines, l.r.Evidence(first))
}

// readLine reads a line with its end. first is the first one before it, which tells best what another server is.
func (w *sshWire) readLine(ctx context.Context, l *link, first string) ([]byte, error) {
	line, err := w.in.ReadSlice('\n')
	text := strings.TrimRight(string(line), "\r\n")
	switch {
	case len(text) > maxSSHVersionLine || errors.Is(err, bufio.ErrBufferFull):
		return nil, probe.Failf(probe.ReasonProtocol, "reading from %q: got a line longer than %d bytes, %s, want a version line of SSH",
			l.server, maxSSHVersionLine, l.r.Evidence(text))
	case strings.ContainsRune(text, 0):
		return nil, probe.Failf(probe.ReasonProtocol, "reading from %q: got %s, want a version line of SSH", l.server, l.r.Evidence(text))
	case err == nil:
		return line, nil
	case errors.Is(err, io.EOF) && text+first != "": // such as "Exceeded MaxStartups": it is a server of SSH, and busy
		return nil, probe.Failf(probe.ReasonResponse, "reading from %q: connection closed after %s, want a version line of SSH", l.server, l.r.Evidence(cmp.Or(first, text)))
	}
	lost := lostSSH(ctx, "reading from", l, err)
	if first+text != "" && probe.ReasonOf(lost) == probe.ReasonTimeout { // such as the greeting of another protocol, whose turn is ours
		return nil, probe.Failf(probe.ReasonTimeout, "reading from %q: nothing more in time after %s, want a version line of SSH", l.server, l.r.Evidence(cmp.Or(first, text)))
	}
	return nil, lost
}

// lostSSH says what became of a connection.
func lostSSH(ctx context.Context, doing string, l *link, err error) error {
	switch {
	case errors.Is(err, probe.ErrBudget):
		return probe.Failf(probe.ReasonProtocol, "%s %q: %w", doing, l.server, err)
	case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		return probe.Failf(probe.ReasonTimeout, "%s %q: no answer in time, want what SSH has here: %w", doing, l.server, context.DeadlineExceeded)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return probe.Failf(probe.ReasonProtocol, "%s %q: connection closed, want it kept open", doing, l.server)
	}
	return probe.Failf(probe.ReasonProtocol, "%s %q: failed with %s, want what SSH has here", doing, l.server, l.r.Evidence(strings.TrimPrefix(err.Error(), "ssh: ")))
}

// Read gives the client the version line again, then what follows, at a pace once the keys are exchanged.
func (w *sshWire) Read(p []byte) (int, error) {
	if len(w.replay) > 0 {
		n := copy(p, w.replay)
		w.replay = w.replay[n:]
		return n, nil
	}
	if w.given >= sshBurst {
		w.pause()
	}
	select {
	case <-w.closed: // what is buffered is of no use any more
		return 0, net.ErrClosed
	default:
	}
	n, err := w.in.Read(p[:min(len(p), sshBurst-w.given)])
	w.given += n
	return n, err
}

// pause lets the client catch up. The time in which the server says nothing counts, so that one which answers at its own pace is not
// held up; what the reader itself took does not, since a busy machine may have kept the client from running meanwhile.
func (w *sshWire) pause() {
	w.given = 0
	if !w.slow.Load() {
		return
	}
	left := sshPause
	if w.in.Buffered() == 0 {
		start := time.Now()
		w.in.Peek(1) // its error is that of the read that follows
		left -= time.Since(start)
	}
	if left <= 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.closed:
	}
}

// Write sends what the client does, but for the version line.
func (w *sshWire) Write(p []byte) (int, error) {
	if !w.said {
		w.said = true
		return len(p), nil
	}
	return w.Conn.Write(p)
}

// Close ends the connection and a pause.
func (w *sshWire) Close() error {
	w.stop()
	return w.Conn.Close()
}

// stop ends what the client is given: it is about to end itself.
func (w *sshWire) stop() { w.once.Do(func() { close(w.closed) }) }
