// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noicmp

package probes

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/icmp"

	"skywatch/internal/probe"
)

func init() { register("icmp", newICMP, icmpDescs...) }

// ICMP sends one echo request and waits for its reply, or sends several and judges the loss.
type ICMP struct {
	IPConfig     `yaml:",inline"`
	PayloadSize  int  `yaml:"payload_size,omitempty"` // 0 = that of icmpText
	DontFragment bool `yaml:"dont_fragment,omitempty"`
	TTL          int  `yaml:"ttl,omitempty"` // 0 = the system's

	Count    int            `yaml:"count,omitempty"`    // of requests; 0 = 1
	Interval probe.Duration `yaml:"interval,omitempty"` // between requests
	MaxLoss  *float64       `yaml:"max_loss,omitempty"` // share of requests that may stay without reply; nil = all but one

	options Options
	dialer  dialer
	payload []byte
	open    func(ctx context.Context, to netip.Addr) (*echoSocket, error)
}

// newICMP gives the defaults.
func newICMP(o Options) probe.Prober {
	p := &ICMP{IPConfig: defaultIPConfig, TTL: 64, options: o}
	p.open = p.listen
	return p
}

const (
	// icmpText begins every payload.
	icmpText = "skywatch: are you reachable?"
	// icmpMaxPayload is what an IPv4 packet can hold.
	icmpMaxPayload = 65535 - 20 - 8
	// icmpBudget is large since a raw socket also reads the replies to everyone else on the host.
	icmpBudget = 64 << 20
)

var (
	icmpDuration = &probe.Desc{Name: "probe_icmp_duration_seconds", Help: "Duration of each phase of the echo request, in seconds.", Labels: []string{"phase"}}
	icmpHopLimit = &probe.Desc{Name: "probe_icmp_reply_hop_limit", Help: "Hop limit (TTL) of the echo reply as it arrived."}

	icmpDescs = slices.Concat([]*probe.Desc{icmpDuration, icmpHopLimit}, icmpRoundDescs, dialDescs)
)

// Validate checks the module.
func (p *ICMP) Validate() (err error) {
	if p.dialer, err = p.IPConfig.dialer(p.options); err != nil {
		return err
	}
	switch {
	case p.TTL < 0:
		return fmt.Errorf("\"ttl\" cannot be negative, found %d, want 0 to 255", p.TTL)
	case p.TTL > 255:
		return fmt.Errorf("\"ttl\" cannot exceed 255, found %d, want 0 to 255", p.TTL)
	case p.PayloadSize < 0 || p.PayloadSize > icmpMaxPayload:
		return fmt.Errorf("payload_size: found %d, want 0 to %d", p.PayloadSize, icmpMaxPayload)
	case p.DontFragment && !canForbidFragments:
		return fmt.Errorf("dont_fragment: not supported on this system")
	}
	if err := p.validateRound(); err != nil {
		return err
	}
	p.payload = []byte(icmpText)
	if p.PayloadSize > 0 {
		p.payload = make([]byte, p.PayloadSize)
		copy(p.payload, icmpText)
	}
	return nil
}

// Probe succeeds when the reply comes, or enough of several.
func (p *ICMP) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	return p.dialer.each(ctx, r, func(ctx context.Context, r *probe.Recorder) error { return p.attempt(ctx, t, r) })
}

// attempt probes one address.
func (p *ICMP) attempt(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	for _, phase := range []string{"resolve", "setup", "rtt"} {
		r.Phase(icmpDuration, phase, 0)
	}
	if err := p.fits(ctx, t); err != nil {
		return err
	}
	start := time.Now()
	addr, err := p.dialer.resolve(ctx, t.Raw(), r)
	if bad := p.CheckTarget(t); err != nil && bad != nil {
		return bad
	}
	if err != nil {
		return err
	}
	r.Phase(icmpDuration, "resolve", time.Since(start))
	start = time.Now()
	socket, err := p.open(ctx, addr)
	if err != nil {
		return probe.Failf(probe.ReasonOf(err), "pinging %q: %w", t, err)
	}
	conn := r.Track(socket, icmpBudget+int64(p.Count*len(p.payload)))
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	r.Phase(icmpDuration, "setup", time.Since(start))
	r.Log.Debug("opened socket", "kind", socket.kind(), "address", addr.String())
	e := &echo{conn: conn, socket: socket, target: t, r: r, request: icmp.Echo{ID: rand.IntN(1 << 16), Seq: rand.IntN(1 << 16), Data: p.payload}}
	if p.Count > 1 {
		return p.pingRound(ctx, e)
	}
	return e.ping(ctx)
}

// CheckTarget tells why no check can aim at t; nil when one can.
func (p *ICMP) CheckTarget(t probe.Target) error {
	if _, err := netip.ParseAddr(t.Raw()); err != nil && strings.ContainsAny(t.Raw(), ":/[]@") {
		return probe.Failf(probe.ReasonConfig, "reading target %q: not a bare host, want a name or an address without scheme, port and brackets", t)
	}
	return nil
}
