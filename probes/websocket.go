// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nowebsocket

package probes

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"skywatch/internal/probe"
)

func init() { register("websocket", newWebSocket, websocketDescs...) }

// WebSocket upgrades an HTTP connection (RFC 6455) and exchanges messages on it. Of the HTTP client's keys it uses basic_auth,
// authorization and tls_config; the others are accepted and have no effect.
type WebSocket struct {
	IPConfig      `yaml:",inline"`
	Client        HTTPClient              `yaml:"http_config,omitempty"`
	Headers       map[string]HeaderValues `yaml:"headers,omitempty"`
	QueryResponse []QueryResponse         `yaml:"query_response,omitempty"` // expect and send

	options Options
	dialer  dialer
}

// newWebSocket gives the defaults.
func newWebSocket(o Options) probe.Prober {
	return &WebSocket{IPConfig: defaultIPConfig, Client: defaultHTTPClient, options: o}
}

var (
	websocketUpgraded = &probe.Desc{Name: "probe_websocket_connection_upgraded", Help: "Whether the connection was upgraded to a WebSocket."}
	websocketStatus   = &probe.Desc{Name: "probe_websocket_status_code", Help: "HTTP status code of the answer to the upgrade; 0 without one."}
	websocketRegex    = &probe.Desc{Name: "probe_websocket_failed_due_to_regex", Help: "Whether the probe failed in its dialogue."}
	websocketDuration = &probe.Desc{Name: "probe_websocket_duration_seconds", Help: "Duration of each phase, in seconds.", Labels: []string{"phase"}}

	websocketAlways = []*probe.Desc{websocketUpgraded, websocketStatus, websocketRegex}
	websocketDescs  = slices.Concat(websocketAlways, []*probe.Desc{websocketDuration}, dialDescs, certDescs)
)

// Validate checks the module.
func (w *WebSocket) Validate() (err error) {
	if w.dialer, err = w.IPConfig.dialer(w.options); err != nil {
		return err
	}
	for i := range w.QueryResponse {
		if err := w.QueryResponse[i].validate(false); err != nil {
			return fmt.Errorf("query_response: entry %d: %w", i+1, err)
		}
	}
	if err := w.Client.validate(w.options); err != nil {
		return fmt.Errorf("http_config: %w", err)
	}
	return nil
}

// Probe succeeds when the connection is upgraded and the dialogue goes as configured.
func (w *WebSocket) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	return w.dialer.each(ctx, r, func(ctx context.Context, r *probe.Recorder) error { return w.attempt(ctx, t, r) })
}

// attempt probes one address.
func (w *WebSocket) attempt(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	u, err := parseWebSocket(t)
	if err != nil {
		return err
	}
	for _, d := range websocketAlways {
		r.Set(d, 0)
	}
	s := &websocketProbe{WebSocket: w, r: r, target: t, url: u}
	if s.tls, err = w.Client.TLS.client(u.Hostname(), w.options, r.Log); err != nil {
		return err
	}
	s.tls.NextProtos = []string{"http/1.1"}
	if err := s.resolve(ctx); err != nil {
		return err
	}
	conn, err := s.upgrade(ctx)
	if err != nil {
		return err
	}
	defer s.hangUp(conn)
	return s.dialogue(conn)
}

// resolve finds the address. A URL that cannot be used is refused only then, as by blackbox_exporter.
func (s *websocketProbe) resolve(ctx context.Context) error {
	start := time.Now()
	addr, failed := s.dialer.resolve(ctx, s.url.Hostname(), s.r)
	if failed == nil {
		s.r.Phase(websocketDuration, "resolve", time.Since(start))
	}
	if err := usableWebSocket(s.target, s.url); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	host := s.url.Host
	if s.url.Port() == "" {
		host = s.url.Hostname()
	}
	standard := map[string]uint16{"ws": 80, "wss": 443}[s.url.Scheme]
	_, port, err := splitOptionalPort(ctx, s.target, host, standard)
	s.address = netip.AddrPortFrom(addr, port)
	return err
}

func parseWebSocket(t probe.Target) (*url.URL, error) {
	u, err := url.Parse(t.Raw())
	var parse *url.Error
	if errors.As(err, &parse) {
		err = parse.Err // url.Error repeats the text, password included
	}
	if err != nil {
		return nil, probe.Failf(probe.ReasonConfig, "reading target %q: %w, want a ws or wss URL", t, err)
	}
	return u, nil
}

func usableWebSocket(t probe.Target, u *url.URL) error {
	if u.Scheme != "ws" && u.Scheme != "wss" || u.User != nil || u.Hostname() == "" {
		return probe.Failf(probe.ReasonConfig, "reading target %q: want a ws or wss URL with a host and without user name", t)
	}
	return nil
}

// CheckTarget tells why no check can aim at t; nil when one can.
func (w *WebSocket) CheckTarget(t probe.Target) error {
	u, err := parseWebSocket(t)
	if err != nil {
		return err
	}
	return usableWebSocket(t, u)
}
