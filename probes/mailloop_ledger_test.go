// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

func ledgerOf(t *testing.T, s probe.Store) *ledger {
	t.Helper()
	l, err := openLedger(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// unreadStore has keys that it cannot read, as a disk that is too slow.
type unreadStore struct {
	probe.MemoryStore
	key string // the first that cannot be read begins with it
}

func (s *unreadStore) Get(key string) ([]byte, error) {
	if s.key != "" && strings.HasPrefix(key, s.key) {
		return nil, errors.New("no answer in time")
	}
	return s.MemoryStore.Get(key)
}

// TestLedgerUnread: a ledger of which a page cannot be read is left as it is, in the store and in memory.
func TestLedgerUnread(t *testing.T) {
	s := new(unreadStore)
	l := ledgerOf(t, s)
	token, _ := l.send(time.Now())
	if err := l.save(); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{ledgerKey, ledgerPageKey(0), ledgerPageKey(ledgerPages - 1)} {
		s.key = key
		err := l.change(func() { t.Error("a ledger that was not read is changed") })
		if want := "reading the state of a mail loop: no answer in time, want it or none"; err == nil || err.Error() != want || probe.ReasonOf(err) != probe.ReasonInternal {
			t.Errorf("%s: %v, want %s", key, err, want)
		}
		if _, err := openLedger(s); err == nil {
			t.Errorf("%s: a ledger was begun, want an error", key)
		}
		s.key = ""
		if !l.expects(token) || !ledgerOf(t, s).expects(token) {
			t.Errorf("%s: what is on its way is forgotten", key)
		}
	}
}

// TestLedgerSurvives: what is outstanding and what became of the rest is read back, in whatever order it was settled.
func TestLedgerSurvives(t *testing.T) {
	var s probe.MemoryStore
	l := ledgerOf(t, &s)
	now := time.Unix(1800000000, 0)
	var sent []loopToken
	for i := range ledgerPageRoom + 10 {
		token, _ := l.send(now.Add(time.Duration(i) * time.Second))
		sent = append(sent, token)
	}
	l.settle(sent[3], loopFound)
	l.settle(sent[3], loopArrived)
	l.settle(sent[5], loopLost)
	l.withdraw(sent[ledgerPageRoom+9])
	if err := l.save(); err != nil {
		t.Fatal(err)
	}
	again := ledgerOf(t, &s)
	if diff := cmp.Diff(l.outstanding(), again.outstanding(), cmp.AllowUnexported(loopToken{})); diff != "" || len(again.outstanding()) != ledgerPageRoom+7 {
		t.Errorf("%d outstanding\n%s", len(again.outstanding()), diff)
	}
	if again.outcome(sent[3]) != loopArrived || again.outcome(sent[5]) != loopLost || again.outcome(sent[7]) != "" || !again.expects(sent[7]) {
		t.Error("outcomes are forgotten")
	}
	if diff := cmp.Diff(loopTotals{Sent: ledgerPageRoom + 9, Arrived: 1, Lost: 1}, again.main.Totals); diff != "" {
		t.Error(diff)
	}
	lost := again.overdue(now.Add(time.Minute+8*time.Second), time.Minute)
	if len(lost) != 6 || lost[0] != sent[0] || lost[5] != sent[7] {
		t.Errorf("lost %v, want the first 8 less two that are settled", lost)
	}
}

// TestLedgerIsBounded: it fits a store, of which it uses few keys, and gives up the oldest.
func TestLedgerIsBounded(t *testing.T) {
	var s probe.MemoryStore
	l := ledgerOf(t, &s)
	now := time.Now()
	var first []loopToken
	for i := range maxOutstanding + 20 {
		token, givenUp := l.send(now.Add(time.Duration(i) * time.Millisecond))
		if i < 20 {
			first = append(first, token)
		}
		if i >= maxOutstanding && (len(givenUp) != 1 || givenUp[0] != first[i-maxOutstanding]) {
			t.Errorf("message %d: given up %v", i, givenUp)
		}
	}
	for i := range 3 * maxDone {
		l.settle(l.outstanding()[i%7], loopFound)
	}
	if err := l.save(); err != nil {
		t.Fatal(err)
	}
	if n := len(l.outstanding()); n != maxOutstanding-3*maxDone || l.main.Totals.Lost != 20 || len(l.main.Done) != maxDone {
		t.Errorf("%d outstanding, %d lost, %d done", n, l.main.Totals.Lost, len(l.main.Done))
	}
}

// TestLedgerWritesLittle: a probe touches one page, and nothing that has not changed.
func TestLedgerWritesLittle(t *testing.T) {
	s := &countingStore{}
	l := ledgerOf(t, s)
	for range ledgerPageRoom + 1 {
		l.send(time.Now())
	}
	if err := l.save(); err != nil {
		t.Fatal(err)
	}
	l, s.puts = ledgerOf(t, s), nil
	l.send(time.Now())
	if err := l.save(); err != nil {
		t.Fatal(err)
	}
	if err := l.save(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"mailloop", "mailloop_sent_1"}, s.puts); diff != "" {
		t.Error(diff)
	}
}

type countingStore struct {
	probe.MemoryStore
	puts []string
}

func (s *countingStore) Put(key string, value []byte) error {
	s.puts = append(s.puts, key)
	return s.MemoryStore.Put(key, value)
}

// TestLedgerCutShort: a crash between two writes of a settled message loses nothing.
func TestLedgerCutShort(t *testing.T) {
	var s probe.MemoryStore
	l := ledgerOf(t, &s)
	token, _ := l.send(time.Now())
	l.save()
	page, _ := s.Get("mailloop_sent_0")
	l.settle(token, loopFound)
	l.save()
	s.Put("mailloop_sent_0", page)
	if again := ledgerOf(t, &s); again.expects(token) || again.outcome(token) != loopFound {
		t.Errorf("outcome %q, expected %v", again.outcome(token), again.expects(token))
	}
}

func FuzzLoopToken(f *testing.F) {
	f.Add(newLoopToken("ABCDEFGH", time.Now()).String())
	f.Add("ABCDEFGH-zz-ABCDEFGHIJKLMNOP")
	f.Fuzz(func(t *testing.T, text string) {
		if token, ok := parseLoopToken(text); ok && len(text) <= loopTokenMaxLen {
			if again, ok := parseLoopToken(token.String()); !ok || again != token {
				t.Errorf("%q gives %q", text, token)
			}
		}
	})
}

// fakeBox is a mailbox without a network.
type fakeBox struct {
	messages []loopMessage
	part     bool // whether a look shows only some
	broken   bool // whether removing fails
}

func (b *fakeBox) look(context.Context) ([]loopMessage, bool, error) { return b.messages, !b.part, nil }

func (b *fakeBox) remove(_ context.Context, gone []loopMessage) ([]loopMessage, error) {
	if b.broken {
		return nil, fmt.Errorf("broken")
	}
	var left []loopMessage
	for _, m := range b.messages {
		keep := true
		for _, g := range gone {
			keep = keep && g.id != m.id
		}
		if keep {
			left = append(left, m)
		}
	}
	b.messages = left
	return gone, nil
}

func (b *fakeBox) close() {}

// bench is a loop of which each run is one look into a fake mailbox.
type loopBench struct {
	t     *testing.T
	store probe.MemoryStore
	share probe.MemoryStore
	box   fakeBox
	next  uint32
}

// run sends if wanted, looks, and judges; it gives what was sent.
func (b *loopBench) run(send bool) (token loopToken, r *loopRun, err error) {
	b.t.Helper()
	p := &Mailloop{To: "b@mail.test", TTL: probe.Duration(time.Hour), Late: probe.Duration(5 * time.Minute)}
	p.box.Server, p.box.Username = "box.test", "b"
	m := &probe.Module{Kind: "mailloop", Prober: probeFunc(func(ctx context.Context, target probe.Target, rec *probe.Recorder) error {
		if r, err = p.begin(target, rec); err != nil {
			return err
		}
		if send {
			token, _ = r.ledger.send(time.Now())
			r.own = token
			if err = r.ledger.save(); err != nil {
				return err
			}
		}
		if err = r.look(ctx, &b.box); err == nil {
			err = r.judge()
		}
		return err
	})}
	probe.Run(b.t.Context(), probe.Check{Module: m, Timeout: time.Minute}, probe.Env{Store: &b.store, Shared: &b.share})
	return token, r, err
}

type probeFunc func(context.Context, probe.Target, *probe.Recorder) error

func (probeFunc) Validate() error { return nil }

func (f probeFunc) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	return f(ctx, t, r)
}

// deliver puts a message into the mailbox.
func (b *loopBench) deliver(token string) {
	signer, err := newMailSigner(&b.share)
	if err != nil {
		b.t.Fatal(err)
	}
	b.next++
	now := time.Now().Format(time.RFC1123Z)
	b.box.messages = append(b.box.messages, loopMessage{markedMessage: markedMessage{id: b.next, token: signer.sign("b@mail.test", token), date: now,
		received: []string{"from x by mx.test; " + now}}})
}

// TestMailloopTenMinutes holds delivery back for ten minutes, with everything in memory forgotten in between: nothing fails, and all is
// matched when released, as late as it is.
func TestMailloopTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &loopBench{t: t}
		var held []loopToken
		for range 10 {
			token, _, err := b.run(true)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, token)
			time.Sleep(time.Minute)
		}
		for _, token := range held {
			b.deliver(token.String())
		}
		_, r, err := b.run(false)
		if err != nil || len(b.box.messages) != 0 {
			t.Fatalf("%v, %d messages left", err, len(b.box.messages))
		}
		if diff := cmp.Diff(loopTotals{Sent: 10, Arrived: 10, Late: 5}, r.ledger.main.Totals); diff != "" {
			t.Error(diff)
		}
		if r.newest.token != held[9] || r.newest.took != time.Minute {
			t.Errorf("newest %s took %s", r.newest.token, r.newest.took)
		}
	})
}

// TestMailloopLost: a message is missed once, after its time, and may still turn up.
func TestMailloopLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &loopBench{t: t}
		lost, _, _ := b.run(true)
		sent := lost.sent.UTC().Format(time.RFC3339)
		time.Sleep(time.Hour)
		if _, _, err := b.run(false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		b.box.part = true // more may turn up
		if _, _, err := b.run(false); err != nil {
			t.Fatalf("with a mailbox that was not seen whole: %v", err)
		}
		b.box.part = false
		_, _, err := b.run(false)
		want := fmt.Sprintf(`waiting for mail to "b@mail.test": 1 lost, the first with token %s sent at %s, want it within 1h0m0s`, lost, sent)
		if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" || probe.ReasonOf(err) != probe.ReasonResponse {
			t.Errorf("%s (-want +got)\n%s", probe.ReasonOf(err), diff)
		}
		if _, _, err = b.run(false); err != nil {
			t.Errorf("a second time: %v", err)
		}
		b.deliver(lost.String())
		_, r, err := b.run(false)
		if diff := cmp.Diff(loopTotals{Sent: 1, Arrived: 1, Late: 1, Lost: 1}, r.ledger.main.Totals); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	})
}

// TestMailloopStrangers: a loop leaves alone what others may wait for, and tidies up what nobody does.
func TestMailloopStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &loopBench{t: t}
		b.deliver(newToken())                                    // of the prober smtp
		b.deliver(newLoopToken("OTHERONE", time.Now()).String()) // of another loop, or of this one before its state was lost
		_, r, err := b.run(false)
		if len(b.box.messages) != 2 || err != nil {
			t.Fatalf("%v, %d messages left, want both", err, len(b.box.messages))
		}
		b.deliver(newLoopToken(r.ledger.main.Scope, time.Now()).String()) // its own, but forgotten
		if b.run(false); len(b.box.messages) != 2 {
			t.Errorf("%d messages left, want two", len(b.box.messages))
		}
		time.Sleep(time.Hour + time.Second)
		_, r, err = b.run(false)
		if diff := cmp.Diff(loopTotals{Foreign: 3}, r.ledger.main.Totals); diff != "" || err != nil || len(b.box.messages) != 0 {
			t.Errorf("%v, %d left %s", err, len(b.box.messages), diff)
		}
	})
}

// TestMailloopCannotDelete: what was found and could not be deleted is no duplicate the next time.
func TestMailloopCannotDelete(t *testing.T) {
	b := &loopBench{t: t}
	token, _, _ := b.run(true)
	b.deliver(token.String())
	b.box.broken = true
	if _, _, err := b.run(false); fmt.Sprint(err) != "broken" {
		t.Fatal(err)
	}
	b.box.broken = false
	_, r, err := b.run(false)
	if diff := cmp.Diff(loopTotals{Sent: 1, Arrived: 1}, r.ledger.main.Totals); diff != "" || err != nil || len(b.box.messages) != 0 {
		t.Errorf("%v, %d left %s", err, len(b.box.messages), diff)
	}
}
