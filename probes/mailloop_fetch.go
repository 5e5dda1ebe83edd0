// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomailloop

package probes

import (
	"cmp"
	"context"
	"net/mail"
	"time"
)

// maxLooks is how many looks into a mailbox a probe spreads over its time, so that the answers of the server fit into the bytes that it may
// send, however short the time between two looks is meant to be.
const maxLooks = 100

// fetch looks into the mailbox until the own message is there or it is time to end. Without an own message on its way it looks but once.
func (run *loopRun) fetch(ctx context.Context, unsent bool) error {
	start := time.Now()
	run.r.Log.Debug("opening the mailbox", "protocol", run.p.box.Protocol, "server", run.box.String())
	box, err := run.p.box.open(ctx, run.box, run.r.Draft())
	if err != nil {
		return err
	}
	defer box.close()
	opened := time.Now()
	run.r.Phase(descLoop, "mailbox", opened.Sub(start))
	end := run.end(ctx, opened)
	poll := max(time.Duration(run.p.Poll), end.Sub(opened)/maxLooks)
	for {
		began := time.Now()
		if err := run.look(ctx, box); err != nil {
			return err
		}
		next := time.Now().Add(poll)
		if unsent || run.ownArrived || !next.Add(2*time.Since(began)).Before(end) || !pauseUntil(ctx, next) {
			run.r.Phase(descLoop, "fetch", time.Since(opened))
			return nil
		}
	}
}

// end is when the waiting ends, so that there is time to take leave of the mailbox.
func (run *loopRun) end(ctx context.Context, now time.Time) time.Time {
	end := now.Add(time.Duration(run.p.Wait))
	if deadline, ok := ctx.Deadline(); ok {
		if last := deadline.Add(-deadline.Sub(now) / 10); run.p.Wait == 0 || last.Before(end) {
			end = last
		}
	}
	return end
}

// pauseUntil waits, and tells whether there is a point in going on.
func pauseUntil(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// look matches what is in the mailbox with what is remembered, and deletes what is done with. What was found is stored before it is deleted: a
// message may be found twice, but not be missed.
func (run *loopRun) look(ctx context.Context, box mailbox) error {
	before := run.ledger.main.Done
	found, whole, err := box.look(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	var done []loopMessage
	err = run.change(func() {
		done = run.match(found, before, now)
		switch ttl := time.Duration(run.p.TTL); {
		case whole:
			run.lost = append(run.lost, run.ledger.overdue(now, ttl)...)
		case len(done) == 0: // what is not shown will not be shown later either
			run.lost = append(run.lost, run.ledger.overdue(now, 2*ttl)...)
		}
	})
	run.ownArrived = run.ownArrived || run.ledger.arrived(run.own) // another probe may have found it
	if err != nil || len(done) == 0 {
		return err
	}
	removed, err := box.remove(ctx, done)
	run.r.Log.Debug("messages deleted", "messages", len(removed))
	return cmp.Or(err, run.change(func() { run.noteRemoved(removed) }))
}

// noteRemoved notes which of the messages that arrived are no longer in the mailbox.
func (run *loopRun) noteRemoved(removed []loopMessage) {
	for _, m := range removed {
		if t, ok := run.read(m); ok && run.ledger.outcome(t) == loopFound {
			run.ledger.settle(t, loopArrived)
		}
	}
}

// read gives the token of a message that this loop sent to this mailbox.
func (run *loopRun) read(m loopMessage) (loopToken, bool) {
	text, ok := run.signer.verify(run.p.To, m.token)
	if !ok {
		return loopToken{}, false
	}
	t, ok := parseLoopToken(text)
	return t, ok && t.scope == run.ledger.main.Scope
}

// match notes what has arrived, and gives the messages that are to be deleted: own ones, and old ones that nobody else can be waiting for.
// before is what had become of messages when the look began: one that another probe deleted since is no duplicate.
func (run *loopRun) match(found []loopMessage, before []string, now time.Time) (done []loopMessage) {
	here := make(map[loopToken]bool)
	totals := &run.ledger.main.Totals
	for _, m := range found {
		t, own := run.read(m)
		switch {
		case !own && run.abandoned(m, now):
			totals.Foreign++
		case !own:
			continue
		case run.ledger.expects(t):
			run.arrive(t, m, now)
		case here[t], outcomeIn(before, t) == loopArrived:
			totals.Duplicate++
			run.r.Log.Warn("duplicate", "token", t.String(), "junk", m.junk)
		case run.ledger.outcome(t) == loopLost:
			run.arrive(t, m, now)
		case run.ledger.outcome(t) == "":
			totals.Foreign++ // forgotten
		}
		here[t] = own
		done = append(done, m)
	}
	return done
}

// abandoned tells whether a message that is not of this loop, but signed for this mailbox by this skywatch, is older than any that is waited
// for: one of the prober smtp, or of a loop whose state is lost.
func (run *loopRun) abandoned(m loopMessage, now time.Time) bool {
	text, ok := run.signer.verify(run.p.To, m.token)
	if !ok {
		return false
	}
	sent, err := mail.ParseDate(m.date)
	if t, ok := parseLoopToken(text); ok {
		sent, err = t.sent, nil
	}
	return err == nil && now.Sub(sent) > time.Duration(run.p.TTL)
}

// arrive notes that a message on its way, or one that was given up, is there.
func (run *loopRun) arrive(t loopToken, m loopMessage, now time.Time) {
	a := &loopArrival{loopMessage: m, token: t, took: deliveryTime(t.sent, now, m.received)}
	run.ledger.settle(t, loopFound)
	totals := &run.ledger.main.Totals
	if a.took > time.Duration(run.p.Late) {
		totals.Late++
	}
	if m.junk {
		totals.Junk++
		run.junked = a
	}
	if run.newest == nil || t.sent.After(run.newest.token.sent) {
		run.newest = a
	}
	run.ownArrived = run.ownArrived || t == run.own
	run.r.Log.Info("message arrived", "token", t.String(), "took", a.took, "junk", m.junk)
}
