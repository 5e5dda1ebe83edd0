// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nowebsocket

package probes

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const (
	websocketBefore  = tcpDialMetrics + " probe_websocket_connection_upgraded probe_websocket_status_code probe_websocket_failed_due_to_regex"
	websocketMetrics = websocketBefore + " probe_websocket_duration_seconds"
	vector40         = `{query_response: [{expect: "^incoming_(.+)", send: "outgoing_${1}"}, {expect: "^passed"}]}`
)

var _ = enroll("websocket", subject{
	section: vector40,
	target:  func(address string) string { return "ws://" + address + "/" },
	healthy: func(t testing.TB) string { return serveWebSocket(t, dialogue40) },
	presence: map[situation]string{
		healthy: websocketMetrics, refused: websocketMetrics, silent: websocketMetrics, early: websocketMetrics, garbage: websocketMetrics,
		unsolved: websocketBefore,
	},
	echo: func(text string) []probetest.Step { return []probetest.Step{accept, probetest.Send(textFrame(text))} },
})

func dialogue40(c *websocket.Conn) {
	c.WriteMessage(websocket.TextMessage, []byte("incoming_7f"))
	if _, got, _ := c.ReadMessage(); string(got) == "outgoing_7f" {
		c.WriteMessage(websocket.TextMessage, []byte("passed"))
	}
	c.ReadMessage()
}

// serveWebSocket upgrades each request, runs the other side of a dialogue, and gives the URL.
func serveWebSocket(t testing.TB, talk func(c *websocket.Conn)) string {
	t.Helper()
	return strings.Replace(serveHTTP(t, upgradeTo(talk)), "http", "ws", 1) + "/"
}

func upgradeTo(talk func(c *websocket.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		talk(conn)
	}
}

func serveHTTP(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// accept reads the request of an upgrade and grants it.
func accept(_ testing.TB, c *probetest.Conn) error {
	request, err := http.ReadRequest(c.In)
	if err != nil {
		return err
	}
	sum := sha1.Sum([]byte(request.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err = fmt.Fprintf(c, "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	return err
}

// textFrame is a whole message of up to 125 bytes as a server sends it.
func textFrame(text string) string { return "\x81" + string(rune(len(text))) + text }

func probeWebSocket(t testing.TB, section, target string) probe.Result {
	t.Helper()
	return runProbe(t, t.Context(), testModule(t, Options{UserAgent: "skywatch/1"}, "websocket", section), target, long)
}

// phases lists the phases that are there.
func phases(res probe.Result, metric string) string {
	var found []string
	for _, s := range res.Samples {
		if s.Desc.Name == metric {
			found = append(found, s.Labels[0])
		}
	}
	return strings.Join(found, " ")
}

func TestWebSocketVector40(t *testing.T) {
	res := probeWebSocket(t, vector40, serveWebSocket(t, dialogue40))
	if got := outcome(res); got != "" {
		t.Fatalf("outcome %q, want success", got)
	}
	if value(t, res, "probe_websocket_connection_upgraded") != 1 || value(t, res, "probe_websocket_status_code") != 101 {
		t.Errorf("%v, want upgraded 1 and status 101", res.Samples)
	}
	if got := phases(res, "probe_websocket_duration_seconds"); got != "resolve connect processing transfer" {
		t.Errorf("phases %s, want four", got)
	}
	forbidden := strings.Replace(serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "go away")
	}), "http", "ws", 1)
	res = probeWebSocket(t, vector40, forbidden)
	if got, want := outcome(res), `response: upgrading "`+forbidden+`": status 403 with "go away", want 101`; got != want {
		t.Errorf("outcome %q, want %q", got, want)
	}
	if value(t, res, "probe_websocket_connection_upgraded") != 0 || value(t, res, "probe_websocket_status_code") != 403 {
		t.Errorf("%v, want upgraded 0 and status 403", res.Samples)
	}
	if got := phases(res, "probe_websocket_duration_seconds"); got != "resolve connect processing" {
		t.Errorf("phases %s, want no transfer", got)
	}
}

func TestWebSocketWithoutDialogue(t *testing.T) {
	res := probeWebSocket(t, "{}", serveWebSocket(t, func(c *websocket.Conn) {
		_, _, err := c.ReadMessage()
		if !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
			t.Errorf("the end was %v, want a normal closure", err)
		}
	}))
	if got := outcome(res); got != "" || phases(res, "probe_websocket_duration_seconds") != "resolve connect processing" {
		t.Errorf("outcome %q, phases %s, want success without transfer", got, phases(res, "probe_websocket_duration_seconds"))
	}
}
