// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noicmp

package probes

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"skywatch/internal/probe"
)

// The numbers of ICMP and ICMPv6 among the protocols of IP.
const (
	protocolICMP   = 1
	protocolICMPv6 = 58
)

// echo is one request and its reply.
type echo struct {
	conn    net.Conn // socket under the attempt's watch
	socket  *echoSocket
	target  probe.Target
	r       *probe.Recorder
	request icmp.Echo
}

// ping sends the request and skips everything up to the reply.
func (e *echo) ping(ctx context.Context) error {
	wire, err := e.message()
	if err != nil {
		return probe.Failf(probe.ReasonInternal, "pinging %q: making the request: %w, want a message", e.target, err)
	}
	e.r.Log.Debug("sending echo request", "id", e.request.ID, "seq", e.request.Seq, "bytes", len(wire))
	start := time.Now()
	if _, err := e.conn.Write(wire); err != nil {
		return e.failed(ctx, "sending the echo request", err)
	}
	buffer := make([]byte, 1500+len(wire))
	for {
		n, err := e.conn.Read(buffer)
		if err != nil {
			return e.failed(ctx, "waiting for the echo reply", err)
		}
		if e.answered(buffer[:n]) {
			rtt := time.Since(start)
			e.r.Log.Debug("received echo reply", "rtt", rtt, "hop_limit", e.socket.hopLimit)
			e.record(rtt)
			return nil
		}
		if n > 0 { // of the target, not of another host
			e.r.Log.Debug("skipping another message", "bytes", n)
		}
	}
}

// message encodes the request; the kernel adds the checksum of ICMPv6.
func (e *echo) message() ([]byte, error) {
	message := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &e.request}
	if e.socket.to.Is6() {
		message.Type = ipv6.ICMPTypeEchoRequest
	}
	return message.Marshal(nil)
}

// answered tells whether a message is the reply to our request.
func (e *echo) answered(wire []byte) bool {
	seq, ok := e.replied(wire)
	return ok && seq == e.request.Seq
}

// replied gives the number of the request that a message replies to, if it is one of ours. The kernel chooses the id of an unprivileged
// socket, and sorts by it.
func (e *echo) replied(wire []byte) (seq int, ours bool) {
	protocol, wanted := protocolICMP, icmp.Type(ipv4.ICMPTypeEchoReply)
	if e.socket.to.Is6() {
		protocol, wanted = protocolICMPv6, ipv6.ICMPTypeEchoReply
	}
	message, err := icmp.ParseMessage(protocol, wire)
	if err != nil || message.Type != wanted || message.Code != 0 {
		return 0, false
	}
	reply, ok := message.Body.(*icmp.Echo)
	if !ok || !bytes.Equal(reply.Data, e.request.Data) || e.socket.raw && reply.ID != e.request.ID {
		return 0, false
	}
	return reply.Seq, true
}

func (e *echo) record(rtt time.Duration) {
	e.r.Phase(icmpDuration, "rtt", rtt)
	if e.socket.hopLimit > 0 {
		e.r.Set(icmpHopLimit, float64(e.socket.hopLimit))
		e.r.Fact("hop_limit", strconv.Itoa(e.socket.hopLimit))
	}
}

func (e *echo) failed(ctx context.Context, doing string, err error) error {
	switch {
	case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		return probe.Failf(probe.ReasonTimeout, "pinging %q: no echo reply from %s in time, want one: %w", e.target, e.socket.to, context.DeadlineExceeded)
	case errors.Is(err, probe.ErrBudget):
		return probe.Failf(probe.ReasonProtocol, "pinging %q: %s: %w", e.target, doing, err)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return probe.Failf(probe.ReasonConnect, "pinging %q: %s: %w, want it sent", e.target, doing, err)
}
