// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomailloop

package probes

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"skywatch/internal/probe"
)

// loopRun is one attempt of a mailloop probe.
type loopRun struct {
	p      *Mailloop
	target probe.Target
	box    probe.Target // the mailbox
	r      *probe.Recorder
	signer mailSigner
	ledger *ledger

	before     loopMemo // of earlier attempts
	own        loopToken
	ownArrived bool
	sentBefore bool // whether an earlier attempt sent own

	lost   []loopToken  // given up by this attempt
	newest *loopArrival // nil when nothing arrived
	junked *loopArrival // the last one that was taken for junk
}

// loopMemo is what an attempt leaves to the next one of the same run, in Recorder.Cache: a run sends one message, however often it is tried,
// and does not lose sight of a lost message by trying again.
type loopMemo struct {
	Token   string       `json:"token,omitempty"`   // of the message that was sent
	Doubt   string       `json:"doubt,omitempty"`   // why it may not have been; "" = it was
	Reason  probe.Reason `json:"reason,omitempty"`  // of Doubt
	Verdict string       `json:"verdict,omitempty"` // a failure that no further attempt changes
}

// loopArrival is a message that has arrived.
type loopArrival struct {
	loopMessage
	token loopToken
	took  time.Duration
}

// begin reads what is remembered.
func (p *Mailloop) begin(t probe.Target, r *probe.Recorder) (*loopRun, error) {
	box, err := p.mailboxTarget(t)
	if err != nil {
		return nil, err
	}
	p.SMTPConfig.hide(p.ready.options, t, nil, r)
	p.Mailbox.hide(p.ready.options, probe.Target{}, nil, r) // the server that takes the mail may be the same
	signer, err := mailSignerOf(r)
	if err != nil {
		return nil, err
	}
	book, err := openLedger(r.Store())
	if err != nil {
		return nil, err
	}
	run := &loopRun{p: p, target: t, box: box, r: r, signer: signer, ledger: book}
	if r.Attempt() > 1 {
		text, _ := r.Cache().Get(run.memoKey())
		_ = json.Unmarshal(text, &run.before) // what cannot be read is nothing
		return run, nil
	}
	return run, r.Cache().Delete(run.memoKey())
}

// memoKey has the scope in it, since checks may share a cache.
func (run *loopRun) memoKey() string { return "mailloop_run_" + run.ledger.main.Scope }

func (run *loopRun) remember(m loopMemo) {
	text, err := json.Marshal(m)
	if err == nil {
		err = run.r.Cache().Put(run.memoKey(), text)
	}
	if err != nil {
		run.r.Log.Warn("a further attempt will send another message", "err", err)
	}
}

// change is ledger.change while no other probe does that: requests for the same module and target, as of two Prometheus servers, have one
// ledger.
func (run *loopRun) change(f func()) (err error) {
	run.r.Alone(func() { err = run.ledger.change(f) })
	return err
}

// send sends the one message of the run. The token is stored before: a message that nobody expects would never be missed.
func (run *loopRun) send(ctx context.Context) error {
	if token, ok := parseLoopToken(run.before.Token); ok {
		return run.resume(token)
	}
	var token loopToken
	var givenUp []loopToken
	if err := run.change(func() { token, givenUp = run.ledger.send(time.Now()) }); err != nil {
		return err
	}
	if len(givenUp) > 0 {
		run.r.Log.Warn("too many messages on their way, the oldest is given up", "token", givenUp[0].String(), "outstanding", maxOutstanding)
		run.lost = append(run.lost, givenUp...)
	}
	err := within(ctx, 2, func(ctx context.Context) error { return run.transmit(ctx, token) })
	if err != nil && !errors.Is(err, errDoubtful) {
		if failed := run.change(func() { run.ledger.withdraw(token) }); failed != nil {
			run.r.Log.Warn("a message that was not sent will be missed", "token", token.String(), "err", failed)
		}
		return err
	}
	run.own = token
	memo := loopMemo{Token: token.String()}
	if err != nil {
		memo.Doubt, memo.Reason = err.Error(), probe.ReasonOf(err)
	}
	run.remember(memo)
	return err
}

// resume takes the message of an earlier attempt for that of this one.
func (run *loopRun) resume(token loopToken) error {
	run.own, run.sentBefore = token, true
	run.ownArrived = run.ledger.arrived(token)
	run.r.Log.Info("sent by an earlier attempt", "token", token.String())
	if run.before.Doubt != "" {
		return probe.Failf(run.before.Reason, "%s, in an earlier attempt", run.before.Doubt)
	}
	return nil
}

// transmit speaks to the mail server.
func (run *loopRun) transmit(ctx context.Context, token loopToken) error {
	c, err := run.p.SMTPConfig.begin(ctx, run.target, smtpDescs{phases: descLoop, banner: descLoopBanner, status: descLoopStatus}, run.r)
	if err != nil {
		return err
	}
	defer c.end()
	if err := c.prepare(ctx, nil); err != nil {
		return err
	}
	if _, err := c.deliver(run.p.From, run.p.To, newProbeMail(run.signer, token.String(), run.p.From, run.p.To)); err != nil {
		return err
	}
	run.r.Log.Info("message sent", "token", token.String())
	c.quit()
	return nil
}

// judge decides by what was seen of messages, and remembers it, so that no further attempt of the run makes up for it.
func (run *loopRun) judge() error {
	if n := len(run.lost); n > 0 {
		return run.final("waiting for mail to %q: %d lost, the first with token %s sent at %s, want it within %s", run.p.To, n,
			run.lost[0], run.lost[0].sent.UTC().Format(time.RFC3339), time.Duration(run.p.TTL))
	}
	if run.junked != nil && run.p.JunkIsFailure {
		return run.final("waiting for mail to %q: the message with token %s is in folder %q, want it in %q", run.p.To, run.junked.token, run.p.box.Junk, run.p.box.Folder)
	}
	return nil
}

// final is a failure that stays the outcome of all further attempts of the run.
func (run *loopRun) final(format string, a ...any) error {
	err := probe.Failf(probe.ReasonResponse, format, a...)
	run.remember(loopMemo{Verdict: err.Error()})
	return err
}

// record sets the metrics, whatever came of the attempt.
func (run *loopRun) record() {
	outstanding, oldest := run.ledger.outstanding(), 0.0
	if len(outstanding) > 0 {
		oldest = max(0, time.Since(outstanding[0].sent).Seconds())
	}
	run.r.Set(descLoopOutstanding, float64(len(outstanding)))
	run.r.Set(descLoopOldest, oldest)
	n := run.ledger.main.Totals
	for outcome, count := range map[string]uint64{"sent": n.Sent, "arrived": n.Arrived, "late": n.Late, "lost": n.Lost, "junk": n.Junk,
		"duplicate": n.Duplicate, "foreign": n.Foreign} {
		run.r.Set(descLoopMessages, float64(count), outcome)
	}
	if run.newest == nil {
		return
	}
	run.r.Set(descLoopDelivery, run.newest.took.Seconds())
	junk := 0.0
	if run.newest.junk {
		junk = 1
	}
	run.r.Set(descLoopJunk, junk)
	for i, hop := range readHops(run.newest.token.sent, run.newest.received) {
		run.r.Set(descLoopHop, hop.took.Seconds(), strconv.Itoa(i+1), hop.by)
	}
}
