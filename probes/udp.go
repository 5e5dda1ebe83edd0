// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noudp

package probes

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"skywatch/internal/probe"
)

func init() { register("udp", newUDP, slices.Concat(dialDescs, dialogueDescs, udpDescs)...) }

// UDP sends a datagram to host:port and judges the first one that comes back.
type UDP struct {
	IPConfig    `yaml:",inline"`
	Send        string          `yaml:"send,omitempty"` // as it is, without a newline
	SendHex     string          `yaml:"send_hex,omitempty"`
	Expect      *Regexp         `yaml:"expect,omitempty"` // looks at the whole datagram
	Labels      []LabelTemplate `yaml:"labels,omitempty"`
	ExpectBytes string          `yaml:"expect_bytes,omitempty"` // how the datagram begins
	ExpectHex   string          `yaml:"expect_hex,omitempty"`
	Resend      probe.Duration  `yaml:"resend,omitempty"` // pause before it is sent again; 0 = never

	options Options
	dialer  dialer
	request []byte
	prefix  []byte
	info    *probe.Desc // probe_expect_info with the labels; nil without any
}

func newUDP(o Options) probe.Prober { return &UDP{IPConfig: defaultIPConfig, options: o} }

const (
	udpMaxRequest = 65507 // what an IPv4 packet can hold
	udpMinResend  = 100 * time.Millisecond
)

var (
	udpDuration = &probe.Desc{Name: "probe_udp_duration_seconds", Help: "Duration of each phase of the exchange, in seconds.", Labels: []string{"phase"}}
	udpSent     = &probe.Desc{Name: "probe_udp_datagrams_sent", Help: "How often the datagram was sent."}
	udpReceived = &probe.Desc{Name: "probe_udp_response_bytes", Help: "Length of the datagram that came back."}

	udpDescs = []*probe.Desc{udpDuration, udpSent, udpReceived}
)

// Validate checks the module.
func (p *UDP) Validate() (err error) {
	if p.dialer, err = p.IPConfig.dialer(p.options); err != nil {
		return err
	}
	if p.request, err = eitherBytes("send", p.Send, p.SendHex); err != nil {
		return err
	}
	if p.prefix, err = eitherBytes("expect", p.ExpectBytes, p.ExpectHex); err != nil {
		return err
	}
	switch {
	case len(p.request) == 0:
		return errors.New("nothing to send, want send or send_hex")
	case len(p.request) > udpMaxRequest:
		return fmt.Errorf("send: found %d bytes, want at most %d", len(p.request), udpMaxRequest)
	case p.Expect != nil && len(p.prefix) > 0:
		return errors.New("both expect and bytes to expect given, want at most one")
	case p.Expect == nil && len(p.Labels) > 0:
		return errors.New("labels: nothing to take them from, want expect")
	case p.Resend != 0 && time.Duration(p.Resend) < udpMinResend:
		return fmt.Errorf("resend: found %s, want at least %s", p.Resend, udpMinResend)
	}
	return p.validateLabels()
}

func (p *UDP) validateLabels() error {
	if err := (&QueryResponse{Labels: p.Labels}).validate(false); err != nil || p.Labels == nil {
		return err
	}
	p.info = &probe.Desc{Name: descExpectInfo.Name, Help: descExpectInfo.Help}
	for _, label := range p.Labels {
		p.info.Labels = append(p.info.Labels, label.Name)
	}
	return nil
}

// eitherBytes reads bytes that are given as text or as hexadecimal digits, in which white space does not count.
func eitherBytes(what, text, digits string) ([]byte, error) {
	if digits == "" {
		return []byte(text), nil
	}
	if text != "" {
		return nil, fmt.Errorf("%s_hex: the bytes are given as text too, want them once", what)
	}
	data, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
	if err != nil {
		return nil, fmt.Errorf("%s_hex: found %s, want pairs of hexadecimal digits", what, probe.Evidence(digits))
	}
	return data, nil
}

// CheckTarget tells why no check can aim at t; nil when one can.
func (p *UDP) CheckTarget(t probe.Target) error {
	_, _, err := splitTargetOf(context.Background(), "udp", t)
	return err
}

// Probe succeeds when a datagram comes back and is as expected.
func (p *UDP) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	r.Phase(udpDuration, "resolve", 0)
	r.Phase(udpDuration, "response", 0)
	host, port, err := splitTargetOf(ctx, "udp", t)
	if err != nil {
		return err
	}
	addr, took, err := p.dialer.resolveTimed(ctx, host, r)
	r.Phase(udpDuration, "resolve", took)
	if err != nil {
		return err
	}
	wire, err := p.dialer.dial(ctx, "udp", netip.AddrPortFrom(addr, port), r, 0)
	if err != nil {
		return err
	}
	conn := r.Conn(wire)
	defer conn.Close()
	r.Set(descFailedRegex, 0)
	r.Set(descFailedBytes, 0)
	start := time.Now()
	answer, err := p.exchange(ctx, conn, t, r)
	r.Phase(udpDuration, "response", time.Since(start))
	if err != nil {
		return err
	}
	r.Set(udpReceived, float64(len(answer)))
	return p.judge(answer, t, r)
}

// exchange gives the first datagram that comes back.
func (p *UDP) exchange(ctx context.Context, conn net.Conn, t probe.Target, r *probe.Recorder) ([]byte, error) {
	deadline, limited := ctx.Deadline()
	buffer := make([]byte, 64<<10)
	for {
		if _, err := conn.Write(p.request); err != nil {
			return nil, p.failed(ctx, t, err)
		}
		r.Add(udpSent, 1)
		until, again := deadline, false
		if next := time.Now().Add(time.Duration(p.Resend)); p.Resend > 0 && (!limited || next.Before(deadline)) {
			until, again = next, true
		}
		conn.SetReadDeadline(until)
		if ctx.Err() != nil { // the watchdog's deadline may have been before ours
			return nil, p.failed(ctx, t, ctx.Err())
		}
		n, err := conn.Read(buffer)
		if err == nil {
			return buffer[:n], nil
		}
		if !again || ctx.Err() != nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, p.failed(ctx, t, err)
		}
		r.Log.Debug("no answer yet, sending again", "after", p.Resend)
	}
}

// failed says why nothing came back. A port without a service is known when the host says so.
func (p *UDP) failed(ctx context.Context, t probe.Target, err error) error {
	switch {
	case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		return probe.Failf(probe.ReasonTimeout, "asking %q: no answer in time, want %s: %w", t, p.wanted(), context.DeadlineExceeded)
	case errors.Is(err, syscall.ECONNREFUSED):
		err = syscall.ECONNREFUSED
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return probe.Failf(probe.ReasonConnect, "asking %q: %w, want %s", t, err, p.wanted())
}

func (p *UDP) wanted() string {
	switch {
	case p.Expect != nil:
		return fmt.Sprintf("a datagram that matches %q", p.Expect.String())
	case len(p.prefix) > 0:
		return "a datagram that begins with " + probe.Evidence(string(p.prefix))
	}
	return "a datagram"
}

func (p *UDP) judge(answer []byte, t probe.Target, r *probe.Recorder) error {
	switch {
	case p.Expect != nil:
		match := p.Expect.FindSubmatchIndex(answer)
		if match == nil {
			r.Set(descFailedRegex, 1)
			break
		}
		info := expectInfo{desc: p.info}
		info.add(p.Labels, found{p.Expect, answer, match})
		info.record(r)
		return nil
	case bytes.HasPrefix(answer, p.prefix):
		return nil
	default:
		r.Set(descFailedBytes, 1)
	}
	return probe.Failf(probe.ReasonResponse, "asking %q: got %s, want %s", t, r.Evidence(string(answer)), p.wanted())
}
