// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nowebsocket

package probes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/net/http/httpguts"

	"skywatch/internal/probe"
)

const (
	websocketBytes = 1 << 20 // of the largest message that is read
	websocketWire  = 4 << 20 // of all that is read from a server
	websocketPings = 64      // that are answered
)

var errLongMessage = fmt.Errorf("message of more than %d bytes", websocketBytes)

// dialogue goes through the entries. Each expect looks at the one next message.
func (s *websocketProbe) dialogue(conn *websocket.Conn) error {
	if len(s.QueryResponse) == 0 {
		return nil
	}
	s.answerPings(conn)
	start := time.Now()
	defer func() { s.r.Phase(websocketDuration, "transfer", time.Since(start)) }()
	for i := range s.QueryResponse {
		if err := s.step(conn, &s.QueryResponse[i]); err != nil {
			s.r.Set(websocketRegex, 1)
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

func (s *websocketProbe) step(conn *websocket.Conn, q *QueryResponse) error {
	var f found
	if q.Expect != nil {
		message, err := readMessage(conn)
		if err != nil {
			return s.wireError("reading from", err, fmt.Sprintf("a message that matches %q", q.Expect.String()))
		}
		s.r.Log.Debug("received message", "bytes", len(message), "text", s.r.Evidence(string(message)))
		f = found{q.Expect, message, q.Expect.FindSubmatchIndex(message)}
		if f.match == nil {
			return probe.Failf(probe.ReasonResponse, "reading from %q: found %s, want a message that matches %q",
				s.target, s.r.Evidence(string(message)), q.Expect.String())
		}
	}
	text := f.expand(q.Send)
	if text == "" {
		return nil
	}
	s.r.Log.Debug("sending message", "bytes", len(text), "text", s.r.Evidence(text))
	if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		return s.wireError("sending to", err, "it taken")
	}
	return nil
}

// readMessage bounds what a message becomes, since a server may compress it though we did not offer that.
func readMessage(conn *websocket.Conn) ([]byte, error) {
	_, in, err := conn.NextReader()
	if err != nil {
		return nil, err
	}
	message, err := io.ReadAll(io.LimitReader(in, websocketBytes+1))
	if err == nil && len(message) > websocketBytes {
		err = errLongMessage
	}
	return message, err
}

// answerPings answers the server's pings, as many as a probe can be expected to see.
func (s *websocketProbe) answerPings(conn *websocket.Conn) {
	seen := 0
	conn.SetPingHandler(func(data string) error {
		if seen++; seen > websocketPings {
			return fmt.Errorf("more than %d pings", websocketPings)
		}
		return conn.WriteMessage(websocket.PongMessage, []byte(data))
	})
}

// wireError says what happened instead of a message.
func (s *websocketProbe) wireError(doing string, err error, want string) error {
	var closed *websocket.CloseError
	var network net.Error // the library hides the error itself
	switch {
	case errors.As(err, &network) && network.Timeout():
		return probe.Failf(probe.ReasonTimeout, "%s %q: no more in time, want %s: %w", doing, s.target, want, context.DeadlineExceeded)
	case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
		return probe.Failf(probe.ReasonResponse, "%s %q: closed by the server with code %d, %s, want %s",
			doing, s.target, closed.Code, s.r.Evidence(closed.Text), want)
	case errors.As(err, &closed), errors.Is(err, io.EOF):
		err = errors.New("connection closed")
	case errors.Is(err, websocket.ErrReadLimit):
		err = errLongMessage
	}
	return probe.Failf(probe.ReasonProtocol, "%s %q: %w, want %s", doing, s.target, err, want)
}

// hangUp says goodbye, and does not wait for an answer.
func (s *websocketProbe) hangUp(conn *websocket.Conn) {
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if err := conn.WriteMessage(websocket.CloseMessage, bye); err != nil {
		s.r.Log.Debug("saying goodbye failed", "err", err)
	}
	conn.Close()
}

// secret gives the text written in the module, or else the content of the file, which is masked from then on.
func (s *websocketProbe) secret(key, inline, file string) (string, error) {
	if inline != "" || file == "" {
		return inline, nil
	}
	found, _, err := s.options.locate(file)
	if err != nil {
		return "", probe.Failf(probe.ReasonConfig, "reading %s: %w, want a readable file", key, err)
	}
	data, err := os.ReadFile(found)
	if err != nil {
		return "", probe.Failf(probe.ReasonConfig, "reading %s: %w, want a readable file", key, err)
	}
	s.r.Log.Debug("using file", "path", found)
	text := strings.TrimSpace(string(data))
	if !strings.HasSuffix(key, "username_file") {
		s.r.Hide(probe.Secret(text))
	}
	return text, nil
}

// validHeader refuses what HTTP does not allow. The value may be a secret, so it is not shown.
func validHeader(name, value string) error {
	if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
		return fmt.Errorf("header %q has a name or value that HTTP does not allow", name)
	}
	return nil
}
