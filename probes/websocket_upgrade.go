// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nowebsocket

package probes

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"skywatch/internal/probe"
)

// websocketProbe is one attempt.
type websocketProbe struct {
	*WebSocket
	r       *probe.Recorder
	target  probe.Target
	url     *url.URL
	tls     *tls.Config
	address netip.AddrPort
	connect time.Duration // 0 = not connected
}

// upgrade connects and asks for the protocol. The connection has the attempt's deadline.
func (s *websocketProbe) upgrade(ctx context.Context) (*websocket.Conn, error) {
	headers, err := s.headers()
	if err != nil {
		return nil, err
	}
	dialer := websocket.Dialer{NetDialContext: s.dial, NetDialTLSContext: s.dialTLS}
	s.r.Log.Debug("asking for upgrade", "url", s.url.String())
	start := time.Now()
	conn, response, err := dialer.DialContext(ctx, s.url.String(), headers)
	s.r.Phase(websocketDuration, "processing", time.Since(start)-s.connect)
	if response != nil {
		s.r.Set(websocketStatus, float64(response.StatusCode))
		s.r.Fact("status", strconv.Itoa(response.StatusCode))
		s.r.Log.Debug("received response", "status", response.StatusCode)
	}
	if err != nil {
		return nil, s.notUpgraded(ctx, response, headers, err)
	}
	s.r.Set(websocketUpgraded, 1)
	conn.SetReadLimit(websocketBytes)
	if deadline, ok := ctx.Deadline(); ok { // the library has removed that of the dialer
		conn.SetReadDeadline(deadline)
		conn.SetWriteDeadline(deadline)
	}
	return conn, nil
}

func (s *websocketProbe) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	start := time.Now()
	conn, err := s.dialer.dial(ctx, "tcp", s.address, s.r, websocketWire)
	if err == nil {
		s.connect = time.Since(start)
		s.r.Phase(websocketDuration, "connect", s.connect)
	}
	return conn, err
}

func (s *websocketProbe) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := s.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	secured, err := s.Client.TLS.startTLS(ctx, conn, s.tls, s.target.String(), s.r)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// notUpgraded finds the reason of a failure.
func (s *websocketProbe) notUpgraded(ctx context.Context, response *http.Response, sent http.Header, err error) error {
	var typed *probe.Error
	reason := probe.ReasonProtocol
	switch {
	case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		return probe.Failf(probe.ReasonTimeout, "upgrading %q: not done in time, want a WebSocket: %w", s.target, context.DeadlineExceeded)
	case errors.As(err, &typed):
		return probe.Failf(typed.Reason, "upgrading %q: %w", s.target, err)
	case response == nil && s.connect == 0:
		return probe.Failf(probe.ReasonConfig, "upgrading %q: %w, want a request that can be sent", s.target, err)
	case response == nil:
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("connection closed")
		}
		return probe.Failf(reason, "upgrading %q: %s, want an HTTP response", s.target, s.r.Evidence(err.Error()))
	case response.StatusCode == http.StatusUnauthorized && sent.Get("Authorization") != "":
		reason = probe.ReasonAuth
	case response.StatusCode != http.StatusSwitchingProtocols:
		reason = probe.ReasonResponse
	default:
		return probe.Failf(reason, "upgrading %q: status 101 without the headers of RFC 6455 that accept it, want them", s.target)
	}
	body, _ := io.ReadAll(response.Body) // what the library kept of it
	return probe.Failf(reason, "upgrading %q: status %d with %s, want 101", s.target, response.StatusCode, s.r.Evidence(string(body)))
}

// headers gives those of the request, what proves who we are first.
func (s *websocketProbe) headers() (http.Header, error) {
	h := http.Header{"User-Agent": {s.options.userAgent()}}
	auth, err := s.authorization()
	if err != nil {
		return nil, err
	}
	if auth != "" {
		h.Set("Authorization", auth)
	}
	return h, s.addHeaders(h)
}

// authorization gives the header's value; "" for none.
func (s *websocketProbe) authorization() (string, error) {
	switch c := s.Client; {
	case c.BasicAuth != nil:
		username, err := s.secret("basic_auth: username_file", c.BasicAuth.Username, c.BasicAuth.UsernameFile)
		if err != nil {
			return "", err
		}
		password, err := s.secret("basic_auth: password_file", string(c.BasicAuth.Password), c.BasicAuth.PasswordFile)
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password)), err
	case c.Authorization != nil:
		credentials, err := s.secret("authorization: credentials_file", string(c.Authorization.Credentials), c.Authorization.CredentialsFile)
		return c.Authorization.Type + " " + credentials, err
	}
	return "", nil
}

// addHeaders adds those of the module, all values of each. An Authorization is added to the one there is.
func (s *websocketProbe) addHeaders(h http.Header) error {
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		v := s.Headers[name]
		values := slices.Clone(v.Values)
		for _, secret := range v.Secrets {
			values = append(values, secret.Reveal())
		}
		for _, file := range v.Files {
			value, err := s.secret("headers: "+name, "", file)
			if err != nil {
				return err
			}
			values = append(values, value)
		}
		key := http.CanonicalHeaderKey(name)
		if key == "User-Agent" {
			h.Del(key)
		}
		for _, value := range values {
			if err := validHeader(name, value); err != nil {
				return probe.Failf(probe.ReasonConfig, "upgrading %q: %w", s.target, err)
			}
			h.Add(key, value)
		}
	}
	return nil
}
