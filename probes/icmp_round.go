// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noicmp

package probes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"skywatch/internal/probe"
)

// The bounds of a round of requests.
const (
	icmpMaxCount    = 1000
	icmpMinInterval = 10 * time.Millisecond
	icmpPatience    = time.Second // for replies after the last request, unless the interval is longer
	icmpMargin      = 100 * time.Millisecond
)

var (
	icmpSent       = &probe.Desc{Name: "probe_icmp_packets_sent", Help: "Number of echo requests, if the module sends several."}
	icmpReceived   = &probe.Desc{Name: "probe_icmp_packets_received", Help: "Number of echo requests that were replied to."}
	icmpDuplicates = &probe.Desc{Name: "probe_icmp_packets_duplicate", Help: "Number of replies that came again."}
	icmpLoss       = &probe.Desc{Name: "probe_icmp_packet_loss_ratio", Help: "Share of the echo requests without reply, 0 to 1."}
	icmpRTTMin     = &probe.Desc{Name: "probe_icmp_rtt_min_seconds", Help: "Shortest round trip of the replies."}
	icmpRTTAvg     = &probe.Desc{Name: "probe_icmp_rtt_avg_seconds", Help: "Mean round trip of the replies."}
	icmpRTTMax     = &probe.Desc{Name: "probe_icmp_rtt_max_seconds", Help: "Longest round trip of the replies."}

	icmpRoundDescs = []*probe.Desc{icmpSent, icmpReceived, icmpDuplicates, icmpLoss, icmpRTTMin, icmpRTTAvg, icmpRTTMax}
)

func (p *ICMP) validateRound() error {
	switch {
	case p.Count < 0 || p.Count > icmpMaxCount:
		return fmt.Errorf("count: found %d, want 1 to %d", p.Count, icmpMaxCount)
	case p.Count <= 1 && p.Interval != 0:
		return errors.New("interval: there is one request only, want a count above 1")
	case p.Count <= 1 && p.MaxLoss != nil:
		return errors.New("max_loss: there is one request only, want a count above 1")
	case p.MaxLoss != nil && !(*p.MaxLoss >= 0 && *p.MaxLoss < 1):
		return fmt.Errorf("max_loss: found %v, want 0 or more and less than 1", *p.MaxLoss)
	}
	if p.Count > 1 && p.Interval == 0 {
		p.Interval = probe.Duration(time.Second)
	}
	if p.Interval != 0 && time.Duration(p.Interval) < icmpMinInterval {
		return fmt.Errorf("interval: found %s, want at least %s", p.Interval, icmpMinInterval)
	}
	return nil
}

// span is the time from the first request to the last.
func (p *ICMP) span() time.Duration {
	return time.Duration(max(p.Count-1, 0)) * time.Duration(p.Interval)
}

// fits refuses an attempt that has no time to send everything.
func (p *ICMP) fits(ctx context.Context, t probe.Target) error {
	deadline, limited := ctx.Deadline()
	if left := time.Until(deadline); p.Count > 1 && limited && ctx.Err() == nil && p.span() >= left {
		return probe.Failf(probe.ReasonConfig, "pinging %q: %d requests take %s, want them to fit into the %s of the attempt", t, p.Count, p.span(),
			left.Round(time.Millisecond))
	}
	return nil
}

// round is several requests to one host and what came of them, by their place in the round.
type round struct {
	*echo
	first      int // number of the first request
	sent       []time.Time
	rtts       []time.Duration // 0 = no reply yet
	received   int
	duplicates int
	unsent     error // why a request could not be sent
	buffer     []byte
}

// pingRound sends requests at the interval, whatever became of the earlier ones, and takes replies in any order up to a moment before the
// deadline, so that a lost one does not make the attempt late.
func (p *ICMP) pingRound(ctx context.Context, e *echo) error {
	rd := &round{echo: e, first: e.request.Seq, buffer: make([]byte, 1500+2*len(p.payload))}
	start := time.Now()
	end := start.Add(p.span() + max(icmpPatience, time.Duration(p.Interval)))
	if deadline, limited := ctx.Deadline(); limited {
		if last := deadline.Add(-min(icmpMargin, deadline.Sub(start)/10)); last.Before(end) {
			end = last
		}
	}
	for time.Now().Before(end) && rd.received < p.Count {
		next := start.Add(time.Duration(len(rd.sent)) * time.Duration(p.Interval))
		if len(rd.sent) < p.Count && !time.Now().Before(next) {
			if err := rd.send(); err != nil {
				return err
			}
			continue
		}
		if len(rd.sent) == p.Count || next.After(end) {
			next = end
		}
		if err := rd.receive(ctx, next); err != nil {
			rd.record()
			return err
		}
	}
	rd.record()
	return p.judgeRound(ctx, rd)
}

// send sends the next request. One that the system does not take is lost, since the next one may get through.
func (rd *round) send() error {
	rd.request.Seq = (rd.first + len(rd.sent)) & 0xffff
	wire, err := rd.message()
	if err != nil {
		return probe.Failf(probe.ReasonInternal, "pinging %q: making the request: %w, want a message", rd.target, err)
	}
	rd.r.Log.Debug("sending echo request", "id", rd.request.ID, "seq", rd.request.Seq, "bytes", len(wire))
	rd.sent, rd.rtts = append(rd.sent, time.Now()), append(rd.rtts, 0)
	if _, err := rd.conn.Write(wire); err != nil {
		rd.unsent = err
		rd.r.Log.Debug("echo request was not sent", "seq", rd.request.Seq, "err", err)
	}
	return nil
}

// receive takes one message, unless it does not come in time.
func (rd *round) receive(ctx context.Context, until time.Time) error {
	rd.conn.SetReadDeadline(until)
	if ctx.Err() != nil { // the watchdog's deadline may have been before ours
		return rd.failed(ctx, "waiting for echo replies", ctx.Err())
	}
	n, err := rd.conn.Read(rd.buffer)
	switch {
	case err != nil && ctx.Err() == nil && errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err != nil:
		return rd.failed(ctx, "waiting for echo replies", err)
	}
	seq, ours := rd.replied(rd.buffer[:n])
	place := rd.place(seq)
	switch {
	case !ours || place < 0:
		if n > 0 { // of the target, not of another host
			rd.r.Log.Debug("skipping another message", "bytes", n)
		}
	case rd.rtts[place] > 0:
		rd.duplicates++
		rd.r.Log.Debug("received echo reply again", "seq", seq)
	default:
		rd.rtts[place] = max(time.Since(rd.sent[place]), 1)
		rd.received++
		rd.r.Log.Debug("received echo reply", "seq", seq, "rtt", rd.rtts[place], "hop_limit", rd.socket.hopLimit)
	}
	return nil
}

// place gives the place of a request's number in the round; -1 if it was not sent.
func (rd *round) place(seq int) int {
	if place := (seq - rd.first) & 0xffff; place < len(rd.sent) {
		return place
	}
	return -1
}

// record sets the metrics; those of round trips only if there was one.
func (rd *round) record() {
	rd.r.Set(icmpSent, float64(len(rd.sent)))
	rd.r.Set(icmpReceived, float64(rd.received))
	rd.r.Set(icmpDuplicates, float64(rd.duplicates))
	rd.r.Set(icmpLoss, rd.loss())
	if rd.received == 0 {
		return
	}
	var sum, shortest, longest time.Duration
	for _, rtt := range rd.rtts {
		if rtt > 0 && (shortest == 0 || rtt < shortest) {
			shortest = rtt
		}
		sum, longest = sum+rtt, max(longest, rtt)
	}
	mean := sum / time.Duration(rd.received)
	rd.r.Set(icmpRTTMin, shortest.Seconds())
	rd.r.Set(icmpRTTAvg, mean.Seconds())
	rd.r.Set(icmpRTTMax, longest.Seconds())
	rd.echo.record(mean)
}

func (rd *round) loss() float64 {
	if len(rd.sent) == 0 {
		return 0
	}
	return float64(len(rd.sent)-rd.received) / float64(len(rd.sent))
}

func (p *ICMP) judgeRound(ctx context.Context, rd *round) error {
	switch {
	case rd.received == 0 && rd.unsent != nil:
		return rd.failed(ctx, "sending the echo requests", rd.unsent)
	case rd.received == 0:
		return rd.failed(ctx, "waiting for echo replies", os.ErrDeadlineExceeded)
	case len(rd.sent) < p.Count:
		return probe.Failf(probe.ReasonTimeout, "pinging %q: %d of %d requests sent in time, want all", rd.target, len(rd.sent), p.Count)
	case p.MaxLoss != nil && rd.loss() > *p.MaxLoss+1e-9:
		return probe.Failf(probe.ReasonResponse, "pinging %q: %d of %d requests without reply, a loss of %.4g, want at most %v",
			rd.target, p.Count-rd.received, p.Count, rd.loss(), *p.MaxLoss)
	}
	return nil
}
