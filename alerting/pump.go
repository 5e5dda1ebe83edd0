// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"fmt"
	"slices"
	"time"

	"skywatch/internal/record"
)

const (
	flushTime   = 5 * time.Second  // for what is left to do once everything ends
	attemptTime = 90 * time.Second // for one attempt; notifiers have their own, shorter bounds
	readAgain   = 2 * time.Second  // between attempts to read or write a journal that refuses
	maxCauses   = 300              // bytes of why the store refuses, in a message
)

// pump does what is to be done for one notifier, until ctx ends and a last time then. What it does ends when flush does.
func (a *Alerter) pump(ctx, flush context.Context, l *lane) {
	for ctx.Err() == nil {
		a.mu.Lock()
		s := l.plan(a.now(), a.config.Policy)
		a.mu.Unlock()
		if s.do == idle {
			sleep(ctx, l.wake, s.wait)
		} else {
			a.act(flush, l, s)
		}
	}
	for good := true; good && flush.Err() == nil; {
		a.mu.Lock()
		s := l.last(a.now(), a.config.Policy)
		a.mu.Unlock()
		good = s.do != idle && a.act(flush, l, s)
	}
}

// sleep waits for a time, a call or the end.
func sleep(ctx context.Context, wake <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
}

// act takes a step. It tells whether a message was sent by it, or did not need to be.
func (a *Alerter) act(ctx context.Context, l *lane, s step) (sent bool) {
	switch s.do {
	case seal, shelve:
		x := a.seal(ctx, l, s.do)
		if x != nil && x.Doubtful {
			return a.attempt(ctx, l, x, false)
		}
		return x != nil && x.void()
	case send:
		if doubtful, ok := a.begin(ctx, l, s.letter); ok {
			return a.attempt(ctx, l, s.letter, doubtful)
		}
	case park:
		a.change(ctx, l, s.letter, func(x *letter) { x.State = l.fresh() })
	case expire:
		a.change(ctx, l, s.letter, func(x *letter) { a.giveUp(l, x) })
	}
	return false
}

// fresh is the state of what is still to be sent.
func (l *lane) fresh() record.MessageState {
	if l.notifier == nil {
		return record.Parked
	}
	return record.Sealed
}

// change changes a letter and commits that. It does nothing to one that a newer summary replaced meanwhile.
func (a *Alerter) change(ctx context.Context, l *lane, x *letter, how func(*letter)) (ok bool) {
	a.mu.Lock()
	ok = slices.Contains(*l.queue(x), x)
	if ok {
		how(x)
	}
	m := x.Message
	a.mu.Unlock()
	if ok {
		a.ledger.commit(ctx, write{message: &m}) // refused: the ledger has it, and says so
	}
	return ok
}

// begin commits that another attempt begins, if there is still to be one. It tells whether an earlier one may have succeeded.
func (a *Alerter) begin(ctx context.Context, l *lane, x *letter) (doubtful, ok bool) {
	ok = a.change(ctx, l, x, func(x *letter) {
		doubtful = x.Doubtful
		x.Tried++
		x.Doubtful = true
		x.NextAt = plain(a.now().Add(a.config.Policy.pause(x.Tried, false)))
	})
	return doubtful, ok
}

// seal makes a message and commits it, with its first attempt begun unless it is shelved or parked.
func (a *Alerter) seal(ctx context.Context, l *lane, how action) *letter {
	a.reload.RLock()
	defer a.reload.RUnlock()
	a.mu.Lock()
	x, replaced := a.compose(l, how)
	a.mu.Unlock()
	if x == nil {
		return nil
	}
	a.sealed(ctx, x, replaced)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.install(l, x, replaced)
	if how == shelve {
		a.forget(l, x)
		x.parts = nil
	}
	return x
}

// sealed commits a letter that is in no lane yet. Where the journal refuses it, its text says so. reload is held.
func (a *Alerter) sealed(ctx context.Context, x *letter, replaced []*letter) {
	if why := a.ledger.refusing(); why != nil && !x.void() {
		unstored(x, why)
	}
	commit := func() error {
		m := x.Message
		return a.ledger.commit(ctx, write{message: &m, seal: true, supersedes: lettersIDs(replaced)})
	}
	if err := commit(); err == nil {
		x.Unstored = false
	} else if !x.Unstored && !x.void() {
		unstored(x, err)
		x.Unstored = commit() != nil
	}
}

// unstored says in the message that it lives in memory only.
func unstored(x *letter, why error) {
	x.Unstored = true
	cause := oneLine(why.Error(), maxCauses)
	x.Text = fmt.Sprintf("not stored: %s\nThis message is in memory only and would be lost with the process.\n\n%s", cause, x.Text)
}

// compose makes the letter. The lock is held.
func (a *Alerter) compose(l *lane, how action) (x *letter, replaced []*letter) {
	if len(l.open) == 0 {
		return nil, nil
	}
	x = a.letter(l, record.KindAlert)
	if how == seal {
		replaced = slices.Clone(l.mergeable())
	}
	x.succeed(replaced)
	a.tell(l, x, replaced)
	if x.void() {
		return x, replaced
	}
	if l.notifier != nil && how != shelve {
		x.Tried, x.Doubtful = x.Tried+1, true
		x.NextAt = x.SealedAt.Add(a.config.Policy.pause(x.Tried, false))
	}
	return x, replaced
}

// letter gives an empty one. The lock is held.
func (a *Alerter) letter(l *lane, kind record.MessageKind) *letter {
	now := plain(a.now())
	x := newLetter(record.Message{ID: a.ids.next(now), Notifier: l.name, Kind: kind, SealedAt: now, NextAt: now, State: l.fresh()})
	x.MessageID = messageID(x.ID, a.instance, l.domain)
	return x
}

// undoubted gives the letters that were surely not taken.
func undoubted(all []*letter) []*letter {
	return slices.DeleteFunc(slices.Clone(all), func(x *letter) bool { return x.Doubtful })
}

// tell writes the news of what is open, and of what is replaced, into the letter. The lock is held.
func (a *Alerter) tell(l *lane, x *letter, replaced []*letter) {
	for _, old := range replaced {
		x.parts = append(x.parts, old.parts...)
		x.References = append(x.References, old.References...)
	}
	x.parts = append(x.parts, l.open...)
	x.Transitions = idsOf(x.parts)
	x.References = a.referenced(l, x.parts, x.References)
	if len(x.References) > 0 {
		x.InReplyTo = x.References[0]
	}
	if len(events(x.parts)) == 0 {
		x.State = record.Superseded
		return
	}
	x.Subject, x.Text = a.wording(x.parts)
}

// void tells whether there is nothing to send: what happened was undone before it was told. Such a letter is over once it is sealed.
func (x *letter) void() bool { return x.State == record.Superseded }

// referenced adds the Message-IDs of what told of the starts of the incidents that end here.
func (a *Alerter) referenced(l *lane, parts []record.Transition, all []string) []string {
	for _, t := range parts {
		id, told := a.threads[thread{t.Incident, l.name}]
		within := slices.ContainsFunc(parts, func(start record.Transition) bool { return start.ID == t.Incident })
		if told && !within && !slices.Contains(all, id) && len(all) < maxReferences {
			all = append(all, id)
		}
	}
	return all
}

// maxReferences bounds the header of a message that ends many incidents.
const maxReferences = 20

// install puts a sealed letter in place of what went into it. The lock is held.
func (a *Alerter) install(l *lane, x *letter, replaced []*letter) {
	l.remove(replaced...)
	if !x.void() {
		l.put(x)
	}
	l.open = slices.DeleteFunc(l.open, func(t record.Transition) bool { return slices.Contains(x.Transitions, t.ID) })
	for _, t := range x.parts {
		if opens(t) {
			a.threads[thread{t.Incident, l.name}] = x.MessageID
		}
	}
}

// attempt sends a letter whose attempt was committed. doubtful: an earlier attempt may have succeeded.
func (a *Alerter) attempt(ctx context.Context, l *lane, x *letter, doubtful bool) (sent bool) {
	a.mu.Lock()
	m, notifier := x.Message, l.notifier
	a.mu.Unlock()
	if notifier == nil { // gone meanwhile; nothing was tried
		a.change(ctx, l, x, func(x *letter) { x.Doubtful = doubtful })
		return false
	}
	result := outcomeOf(call(ctx, notifier, m))
	a.change(ctx, l, x, func(x *letter) { a.settle(l, x, doubtful, result) })
	return result.outcome == outcomeSent || result.outcome == outcomePartial
}

// call runs the notifier; a panic of it is an error that leaves open whether the message was taken.
func call(ctx context.Context, n Notifier, m record.Message) (err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = &DeliveryError{Doubtful: true, Err: fmt.Errorf("notifier %q panicked: %v", m.Notifier, p)}
		}
	}()
	return n.Notify(ctx, m)
}

// settle notes the outcome of an attempt. The lock is held.
func (a *Alerter) settle(l *lane, x *letter, doubtful bool, r result) {
	l.counts[r.outcome]++
	x.Error = r.text
	x.Doubtful = doubtful || r.outcome == outcomeDoubtful
	log := a.log.With("notifier", l.name, "subject", x.Subject, "message_id", x.MessageID, "tried", x.Tried)
	switch {
	case r.outcome == outcomeSent || r.outcome == outcomePartial:
		x.State, x.Doubtful = record.Sent, false
		a.finish(l, x)
		if r.outcome == outcomePartial {
			log.Warn("message sent, but not to all", "err", r.text)
			return
		}
		log.Info("message sent")
	case x.stale(a.config.Policy):
		a.giveUp(l, x)
	default:
		x.NextAt = plain(a.now().Add(a.config.Policy.pause(x.Tried, r.outcome == outcomeRefused)))
		log.Warn("message not sent", "outcome", r.outcome.String(), "next_at", x.NextAt, "err", r.text)
	}
}

// giveUp is the end of a message that could not be sent in time. The lock is held.
func (a *Alerter) giveUp(l *lane, x *letter) {
	l.counts[outcomeExpired]++
	x.State = record.Expired
	a.expired = append(a.expired, fmt.Sprintf("%s: %s (%s)", l.name, x.Subject, x.Error))
	if len(a.expired) > maxRows {
		a.expired = slices.Delete(a.expired, 0, 1)
	}
	a.finish(l, x)
	a.log.Error("message given up", "notifier", l.name, "subject", x.Subject, "message_id", x.MessageID, "sealed_at", x.SealedAt,
		"tried", x.Tried, "err", x.Error)
}

// finish takes a letter out that is over. The lock is held.
func (a *Alerter) finish(l *lane, x *letter) {
	l.remove(x)
	a.forget(l, x)
}

// forget drops the threads that a letter ends, once it is merged no more. The lock is held.
func (a *Alerter) forget(l *lane, x *letter) {
	for _, t := range x.parts {
		if closes(t) {
			delete(a.threads, thread{t.Incident, l.name})
		}
	}
}

func idsOf(ts []record.Transition) []int64 {
	all := make([]int64, len(ts))
	for i, t := range ts {
		all[i] = t.ID
	}
	return all
}

func lettersIDs(xs []*letter) []int64 {
	all := make([]int64, len(xs))
	for i, x := range xs {
		all[i] = x.ID
	}
	return all
}
