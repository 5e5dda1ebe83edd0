// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nodns

package probes

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"skywatch/internal/probe"
)

// dnsQuery is one question to one server.
type dnsQuery struct {
	*DNS
	r        *probe.Recorder
	host     string // as asked
	server   string // host and port, for errors
	address  netip.AddrPort
	question dns.Question
	what     string // the question, for errors
}

// name completes the question by the request.
func (q *dnsQuery) name(t probe.Target) error {
	if q.FromRequest {
		if err := q.CheckHostname(t.Hostname); err != nil {
			return probe.Failf(probe.ReasonConfig, "querying %q: %w", t, err)
		}
		if t.Hostname != "" {
			q.question.Name = dns.Fqdn(t.Hostname)
		}
	}
	q.what = q.question.Name + " " + dns.ClassToString[q.question.Qclass] + " " + dns.TypeToString[q.question.Qtype]
	return nil
}

// ask sends the question once and takes the response as it is: no EDNS, no second try over TCP when it is truncated.
func (q *dnsQuery) ask(ctx context.Context) (*dns.Msg, error) {
	start := time.Now()
	conn, err := q.open(ctx)
	q.r.Phase(dnsDuration, "connect", time.Since(start))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	message := &dns.Msg{MsgHdr: dns.MsgHdr{Id: q.id(), RecursionDesired: q.RecursionDesired}, Question: []dns.Question{q.question}}
	wire, err := message.Pack()
	if err != nil {
		return nil, probe.Failf(probe.ReasonConfig, "making the query %s: %w, want a valid question", q.what, err)
	}
	q.r.Log.Debug("sending query", "question", q.what, "transport", q.TransportProtocol, "recursion_desired", q.RecursionDesired)
	start = time.Now()
	defer func() { q.r.Phase(dnsDuration, "request", time.Since(start)) }()
	switch q.TransportProtocol {
	case "tcp":
		return q.overTCP(conn, wire, message.Id)
	case "https":
		return q.overHTTPS(ctx, conn, wire)
	}
	return q.overUDP(conn, wire, message.Id)
}

// id of the query; over HTTPS it is always the same, so that caches see equal queries (RFC 8484, 4.1).
func (q *dnsQuery) id() uint16 {
	if q.TransportProtocol == "https" {
		return 0
	}
	return dns.Id()
}

// open connects, with TLS if wanted.
func (q *dnsQuery) open(ctx context.Context) (net.Conn, error) {
	network, https := q.TransportProtocol, q.TransportProtocol == "https"
	if https {
		network = "tcp"
	}
	conn, err := q.dialer.dial(ctx, network, q.address, q.r, 0)
	if err != nil || !q.DNSOverTLS && !https {
		return conn, err
	}
	conf, err := q.TLSConfig.client(q.host, q.options, q.r.Log)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if https {
		conf.NextProtos = []string{"h2", "http/1.1"}
	}
	secured, err := q.TLSConfig.startTLS(ctx, conn, conf, q.server, q.r)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// overUDP skips messages with another id, which may answer an older query.
func (q *dnsQuery) overUDP(conn net.Conn, wire []byte, id uint16) (*dns.Msg, error) {
	if _, err := conn.Write(wire); err != nil {
		return nil, q.wireError(err)
	}
	buffer := make([]byte, dns.MaxMsgSize)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return nil, q.wireError(err)
		}
		if n >= 2 && binary.BigEndian.Uint16(buffer) != id {
			q.r.Log.Debug("skipping message with another id", "bytes", n)
			continue
		}
		if n > dns.MinMsgSize {
			return nil, q.badMessage(fmt.Sprintf("%d bytes", n), fmt.Sprintf("at most %d over udp", dns.MinMsgSize))
		}
		return q.unpack(buffer[:n], id)
	}
}

// overTCP exchanges messages with their length in front (RFC 1035, 4.2.2).
func (q *dnsQuery) overTCP(conn net.Conn, wire []byte, id uint16) (*dns.Msg, error) {
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(wire)), uint16(len(wire)))
	if _, err := conn.Write(append(framed, wire...)); err != nil {
		return nil, q.wireError(err)
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, q.wireError(err)
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	if n, err := io.ReadFull(conn, message); err != nil {
		return nil, fmt.Errorf("after %d of %d bytes: %w", n, len(message), q.wireError(err))
	}
	return q.unpack(message, id)
}

func (q *dnsQuery) unpack(wire []byte, id uint16) (*dns.Msg, error) {
	message := new(dns.Msg)
	if err := message.Unpack(wire); err != nil {
		return nil, q.badMessage(err.Error()+" in "+q.r.Evidence(string(wire)), "a DNS message")
	}
	if message.Id != id {
		return nil, q.badMessage("message with another id", "the response to our query")
	}
	return message, nil
}

func (q *dnsQuery) badMessage(got, want string) error {
	return probe.Failf(probe.ReasonProtocol, "querying %q for %s: found %s, want %s", q.server, q.what, got, want)
}

// wireError says why no message came.
func (q *dnsQuery) wireError(err error) error {
	reason, what := probe.ReasonProtocol, err
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return probe.Failf(probe.ReasonTimeout, "querying %q for %s: no response in time, want one: %w", q.server, q.what, context.DeadlineExceeded)
	case errors.Is(err, syscall.ECONNREFUSED):
		reason, what = probe.ReasonConnect, syscall.ECONNREFUSED
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		what = errors.New("connection closed")
	}
	return probe.Failf(reason, "querying %q for %s: %w, want a response", q.server, q.what, what)
}
