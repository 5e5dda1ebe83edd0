// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

// TestLedgerShared: probes at the same time that have one store do not forget each other's messages.
func TestLedgerShared(t *testing.T) {
	var s probe.MemoryStore
	a, b := ledgerOf(t, &s), ledgerOf(t, &s)
	var sent [2]loopToken
	for i, l := range []*ledger{a, b} {
		if err := l.change(func() { sent[i], _ = l.send(time.Now()) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.change(func() { a.settle(sent[1], loopFound) }); err != nil {
		t.Fatal(err)
	}
	if err := b.change(func() {}); err != nil || !b.arrived(sent[1]) || b.arrived(sent[0]) || !b.expects(sent[0]) {
		t.Errorf("%v, outcomes %q and %q, outstanding %v", err, b.outcome(sent[0]), b.outcome(sent[1]), b.outstanding())
	}
	if diff := cmp.Diff(loopTotals{Sent: 2, Arrived: 1}, b.main.Totals); diff != "" {
		t.Error(diff)
	}
}

// TestMailloopTooMany: a loop whose messages never arrive fails, even where its ttl is never reached since it gives up the oldest before.
func TestMailloopTooMany(t *testing.T) {
	l := newLoop(t, mailboxIMAP, "wait: 50ms")
	l.set(func(p *post) { p.hold = true })
	book := ledgerOf(t, l.env.Store)
	for range maxOutstanding {
		book.send(time.Now())
	}
	if err := book.save(); err != nil {
		t.Fatal(err)
	}
	if res := l.want("too many", 2, probe.ReasonResponse, "sent 501, lost 1, outstanding 500"); !strings.Contains(res.Err, ": 1 lost, the first with token ") {
		t.Error(res.Err)
	}
}

// TestMailloopLostOnce: what a further attempt of the run does well makes up for no message that is lost.
func TestMailloopLostOnce(t *testing.T) {
	l := newLoop(t, mailboxIMAP, "")
	book := ledgerOf(t, l.env.Store)
	book.send(time.Now().Add(-2 * time.Hour))
	if err := book.save(); err != nil {
		t.Fatal(err)
	}
	l.set(func(p *post) { p.refuse = true })
	if res := l.want("refused, then lost", 2, probe.ReasonResponse, "sent 1, lost 1, outstanding 0"); !strings.Contains(res.Err, ": 1 lost, the first with token ") {
		t.Error(res.Err)
	}
}

// TestMailloopTogether: probes at the same time, as two Prometheus servers make them, find their messages, whoever of them sees one first.
func TestMailloopTogether(t *testing.T) {
	l := newLoop(t, mailboxIMAP, "")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if res := l.probe(1); !res.Success() {
				t.Errorf("%s\n%s", res.Err, res.Trace)
			}
		})
	}
	all.Wait()
	l.want("one more", 1, probe.ReasonNone, "sent 5, arrived 5, outstanding 0")
}

// TestMailloopLooks: however short poll is, a mailbox that stays empty does not use up the bytes that its server may send.
func TestMailloopLooks(t *testing.T) {
	l := newLoop(t, mailboxIMAP, "wait: 2s")
	l.set(func(p *post) { p.hold = true })
	l.want("held", 1, probe.ReasonNone, "sent 1, outstanding 1")
	if l.looks > 2*(maxLooks+1) {
		t.Errorf("%d folders opened, want two for each of at most %d looks", l.looks, maxLooks)
	}
}

// TestMailloopFlagged: a message that cannot be expunged without UIDPLUS, since somebody else flagged one, stays, and is no duplicate.
func TestMailloopFlagged(t *testing.T) {
	l := newLoop(t, mailboxIMAP, "")
	l.set(func(p *post) { p.flagged = true })
	l.want("flagged", 1, probe.ReasonNone, "sent 1, arrived 1, outstanding 0")
	l.want("flagged again", 1, probe.ReasonNone, "sent 2, arrived 2, outstanding 0")
	if inbox, _ := l.left(); inbox != 2 {
		t.Errorf("%d messages left, want both", inbox)
	}
}

// TestMailloopOtherFolder: UIDs of a folder that was made anew are those of other messages, which are not deleted.
func TestMailloopOtherFolder(t *testing.T) {
	l := newLoop(t, mailboxIMAP, "")
	l.set(func(p *post) { p.renewed = true })
	res := l.want("made anew", 1, probe.ReasonResponse, "sent 1, arrived 1, outstanding 0")
	if !strings.HasSuffix(res.Err, `: its UIDVALIDITY went from "1" to "3", want it to stay`) {
		t.Error(res.Err)
	}
	if inbox, _ := l.left(); inbox != 1 {
		t.Errorf("%d messages left, want one", inbox)
	}
}
