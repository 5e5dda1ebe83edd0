// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nowebsocket

package probes

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

func TestWebSocketDialogue(t *testing.T) {
	say := func(messages ...string) func(c *websocket.Conn) {
		return func(c *websocket.Conn) {
			for _, m := range messages {
				c.WriteMessage(websocket.TextMessage, []byte(m))
			}
			c.ReadMessage()
		}
	}
	for name, c := range map[string]struct {
		section string
		talk    func(c *websocket.Conn)
		err     string // "" = success
	}{
		"one message for each expect": {"{query_response: [{expect: b}]}", say("a", "b"),
			`response: step 1: reading from "URL": found "a", want a message that matches "b"`},
		"two in turn": {"{query_response: [{expect: a}, {expect: b}]}", say("a", "b"), ""},
		"binary is read": {"{query_response: [{expect: '^x'}]}", func(c *websocket.Conn) {
			c.WriteMessage(websocket.BinaryMessage, []byte("x\x00"))
			c.ReadMessage()
		}, ""},
		"text without expect is literal": {"{query_response: [{send: 'a${1}$b'}, {expect: fine}]}", func(c *websocket.Conn) {
			if kind, got, _ := c.ReadMessage(); kind == websocket.TextMessage && string(got) == "a${1}$b" {
				c.WriteMessage(websocket.TextMessage, []byte("fine"))
			}
			c.ReadMessage()
		}, ""},
		"ignored keys": {"{query_response: [{starttls: true}, {expect_bytes: zz}, {expect: a, labels: [{name: l, value: v}]}]}", say("a"), ""},
		"pings are answered": {"{query_response: [{expect: pong}]}", func(c *websocket.Conn) {
			c.SetPongHandler(func(data string) error { return c.WriteMessage(websocket.TextMessage, []byte("pong "+data)) })
			c.WriteMessage(websocket.PingMessage, []byte("x"))
			c.ReadMessage()
		}, ""},
		"closed with a code": {"{query_response: [{expect: a}]}", func(c *websocket.Conn) {
			c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1008, "not you"))
			c.ReadMessage()
		}, `response: step 1: reading from "URL": closed by the server with code 1008, "not you", want a message that matches "a"`},
		"closed without a word": {"{query_response: [{expect: a}]}", func(*websocket.Conn) {},
			`protocol: step 1: reading from "URL": connection closed, want a message that matches "a"`},
	} {
		t.Run(name, func(t *testing.T) {
			target := serveWebSocket(t, c.talk)
			res := probeWebSocket(t, c.section, target)
			want := strings.ReplaceAll(c.err, "URL", target)
			if got := outcome(res); got != want {
				t.Errorf("outcome %q, want %q", got, want)
			}
			failed := map[bool]float64{true: 1, false: 0}[want != ""]
			if got := value(t, res, "probe_websocket_failed_due_to_regex"); got != failed {
				t.Errorf("failed_due_to_regex %v, want %v", got, failed)
			}
		})
	}
}

// TestWebSocketDeadline has a server that grants the upgrade and then says nothing.
func TestWebSocketDeadline(t *testing.T) {
	patiently(t, func(t testing.TB, timeout time.Duration) {
		target := "ws://" + probetest.Serve(t, accept, probetest.Silence()).Addr + "/"
		m := testModule(t, Options{}, "websocket", vector40)
		res := runProbe(t, t.Context(), m, target, timeout)
		want := `timeout: step 1: reading from "` + target + `": no more in time, want a message that matches "^incoming_(.+)": context deadline exceeded`
		if got := outcome(res); got != want {
			t.Errorf("outcome %q, want %q", got, want)
		}
		if value(t, res, "probe_websocket_connection_upgraded") != 1 || value(t, res, "probe_websocket_failed_due_to_regex") != 1 ||
			phases(res, "probe_websocket_duration_seconds") != "resolve connect processing transfer" {
			t.Errorf("%v, want upgraded, failed and four phases", res.Samples)
		}
	})
}

func TestWebSocketCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	target := "ws://" + probetest.Serve(t, accept, probetest.Meanwhile(cancel), probetest.Silence()).Addr
	if res := runProbe(t, ctx, testModule(t, Options{}, "websocket", vector40), target, long); res.Verdict != probe.Aborted {
		t.Errorf("verdict %s, want aborted", res.Verdict)
	}
}

// frame is the head of an unmasked frame.
func frame(first byte, size uint64) string {
	return string(binary.BigEndian.AppendUint64([]byte{first, 127}, size))
}

func TestWebSocketHostileFrames(t *testing.T) {
	for name, c := range map[string]struct {
		script []probetest.Step
		what   string
	}{
		"message too long":  {[]probetest.Step{probetest.Send(frame(0x81, 1<<40))}, "message of more than 1048576 bytes"},
		"endless fragments": {[]probetest.Step{probetest.Send("\x01\x01a"), probetest.Endless("\x00\x7eaa" + strings.Repeat("a", 0x6161))}, "message of more than 1048576 bytes"},
		"endless pings":     {[]probetest.Step{probetest.Endless("\x89\x05abcde")}, "more than 64 pings"},
		"masked":            {[]probetest.Step{probetest.Send("\x81\x81aaaab")}, "bad MASK"},
		"reserved bits":     {[]probetest.Step{probetest.Send("\xf1\x01a")}, "RSV"},
	} {
		t.Run(name, func(t *testing.T) {
			target := "ws://" + probetest.Serve(t, append([]probetest.Step{accept}, c.script...)...).Addr
			res := probeWebSocket(t, "{query_response: [{expect: x}]}", target)
			if res.Reason != probe.ReasonProtocol || !strings.Contains(res.Err, c.what) {
				t.Errorf("%s, want protocol with %q", outcome(res), c.what)
			}
		})
	}
}

// TestWebSocketBomb has a server that compresses though nobody offered that.
func TestWebSocketBomb(t *testing.T) {
	var packed bytes.Buffer
	deflater, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	deflater.Write(make([]byte, 4<<20))
	deflater.Flush()
	compressing := func(t testing.TB, c *probetest.Conn) error {
		var reply bytes.Buffer
		if err := accept(t, &probetest.Conn{Conn: capture{c.Conn, &reply}, In: c.In}); err != nil {
			return err
		}
		head := strings.TrimSuffix(reply.String(), "\r\n")
		_, err := fmt.Fprintf(c, "%sSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n\r\n", head)
		return err
	}
	server := probetest.Serve(t, compressing, probetest.Send(frame(0xc1, uint64(packed.Len()))+packed.String()))
	res := probeWebSocket(t, "{query_response: [{expect: x}]}", "ws://"+server.Addr)
	if res.Reason != probe.ReasonProtocol || !strings.Contains(res.Err, "message of more than 1048576 bytes") {
		t.Errorf("%s, want protocol and a bound", outcome(res))
	}
}

func TestWebSocketSecretsOfFiles(t *testing.T) {
	file := probetest.WriteFile(t, "token", []byte("s3cr3t-of-file"))
	target := strings.Replace(serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no: "+r.Header.Get("Authorization"), http.StatusUnauthorized)
	}), "http", "ws", 1)
	res := probeWebSocket(t, "{http_config: {authorization: {credentials_file: "+file+"}}}", target)
	want := `auth: upgrading "` + target + `": status 401 with "no: Bearer <secret>\n", want 101`
	if got := outcome(res); got != want || strings.Contains(res.Trace.String(), "s3cr3t") {
		t.Errorf("outcome %q, want %q\n%s", got, want, res.Trace)
	}
}

// capture keeps what is written.
type capture struct {
	net.Conn
	into *bytes.Buffer
}

// Write keeps the bytes.
func (c capture) Write(p []byte) (int, error) { return c.into.Write(p) }
