// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomailloop

package probes

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"skywatch/internal/probe"
)

// The bounds of a ledger, so that it fits a probe.Store.
const (
	ledgerPages     = 5   // of outstanding tokens
	ledgerPageRoom  = 100 // tokens of a page
	maxOutstanding  = ledgerPages * ledgerPageRoom
	maxDone         = 64 // tokens of messages that came to something
	ledgerKey       = "mailloop"
	loopTokenMaxLen = 40
)

// loopOutcome is what became of a message. The texts are stored.
type loopOutcome string

const (
	loopFound   loopOutcome = "f" // it arrived, and may still be in the mailbox
	loopArrived loopOutcome = "a" // it arrived and is deleted
	loopLost    loopOutcome = "l" // it was given up
)

// loopTotals counts messages since the ledger began.
type loopTotals struct {
	Sent, Arrived, Late, Lost, Junk, Duplicate, Foreign uint64
}

// ledger is what a loop remembers: which messages are on their way, what became of the last ones, and how many there were. It is kept in a
// probe.Store: one value for what is done, and pages of outstanding tokens, of which a change touches one.
type ledger struct {
	store probe.Store
	main  ledgerMain
	pages [ledgerPages][]loopToken
	saved map[string]string // by key: what the store has
}

// ledgerMain is the value under ledgerKey.
type ledgerMain struct {
	Scope  string     `json:"scope"`
	Totals loopTotals `json:"totals"`
	Done   []string   `json:"done"` // outcome and id, oldest first
}

func ledgerPageKey(page int) string { return fmt.Sprintf("mailloop_sent_%d", page) }

// openLedger reads a ledger, or begins one. What is no ledger is forgotten.
func openLedger(s probe.Store) (*ledger, error) {
	l := &ledger{store: s}
	return l, l.load()
}

// change reads the ledger again, since a probe at the same time may have changed it, has f change it, and stores it. See Recorder.Alone.
func (l *ledger) change(f func()) error {
	if err := l.load(); err != nil {
		return err
	}
	f()
	return l.save()
}

// load reads what the store has. A ledger that was not stored yet keeps its scope. If the store cannot tell, the ledger is as it was.
func (l *ledger) load() error {
	saved, err := l.read()
	if err != nil {
		return err
	}
	scope := l.main.Scope
	l.main, l.pages, l.saved = ledgerMain{}, [ledgerPages][]loopToken{}, saved
	if err := json.Unmarshal([]byte(saved[ledgerKey]), &l.main); err != nil || len(l.main.Scope) != loopScopeLen {
		l.main = ledgerMain{Scope: cmp.Or(scope, newLoopScope())}
	}
	for i := range l.pages {
		for text := range strings.FieldsSeq(saved[ledgerPageKey(i)]) {
			if t, ok := parseLoopToken(text); ok && t.scope == l.main.Scope && l.outcome(t) == "" {
				l.pages[i] = append(l.pages[i], t)
			}
		}
	}
	return nil
}

// read gives what the store has under the keys of a ledger.
func (l *ledger) read() (map[string]string, error) {
	keys := []string{ledgerKey}
	for i := range l.pages {
		keys = append(keys, ledgerPageKey(i))
	}
	values := make(map[string]string)
	for _, key := range keys {
		value, err := l.store.Get(key)
		if err != nil {
			return nil, probe.Failf(probe.ReasonInternal, "reading the state of a mail loop: %w, want it or none", err)
		}
		values[key] = string(value)
	}
	return values, nil
}

// save writes what has changed. What is done goes first: a token that is both done and outstanding is done.
func (l *ledger) save() error {
	main, err := json.Marshal(l.main)
	if err != nil {
		return probe.Failf(probe.ReasonInternal, "storing the state of a mail loop: %w", err)
	}
	if err := l.put(ledgerKey, string(main)); err != nil {
		return err
	}
	for i, page := range l.pages {
		var text strings.Builder
		for _, t := range page {
			text.WriteString(t.String() + "\n")
		}
		if err := l.put(ledgerPageKey(i), text.String()); err != nil {
			return err
		}
	}
	return nil
}

func (l *ledger) put(key, value string) error {
	if l.saved[key] == value {
		return nil
	}
	if err := l.store.Put(key, []byte(value)); err != nil {
		return probe.Failf(probe.ReasonInternal, "storing the state of a mail loop: %w, want it stored", err)
	}
	l.saved[key] = value
	return nil
}

// outstanding gives the messages on their way, oldest first.
func (l *ledger) outstanding() []loopToken {
	all := slices.Concat(l.pages[:]...)
	slices.SortFunc(all, func(a, b loopToken) int { return a.sent.Compare(b.sent) })
	return all
}

// outcome tells what became of a message; "" when it is on its way, or was forgotten.
func (l *ledger) outcome(t loopToken) loopOutcome { return outcomeIn(l.main.Done, t) }

func outcomeIn(done []string, t loopToken) loopOutcome {
	for _, entry := range done {
		if strings.HasSuffix(entry, t.id) {
			return loopOutcome(strings.TrimSuffix(entry, t.id))
		}
	}
	return ""
}

// arrived tells whether a message is known to have arrived.
func (l *ledger) arrived(t loopToken) bool {
	o := l.outcome(t)
	return o == loopFound || o == loopArrived
}

// expects tells whether a message is on its way.
func (l *ledger) expects(t loopToken) bool {
	return slices.ContainsFunc(l.pages[:], func(page []loopToken) bool { return slices.Contains(page, t) })
}

// send notes a new message. Of too many the oldest is given up, which is returned.
func (l *ledger) send(now time.Time) (sent loopToken, givenUp []loopToken) {
	if all := l.outstanding(); len(all) >= maxOutstanding {
		givenUp = all[:len(all)-maxOutstanding+1]
		for _, t := range givenUp {
			l.settle(t, loopLost)
		}
	}
	sent = newLoopToken(l.main.Scope, now)
	i := slices.IndexFunc(l.pages[:], func(page []loopToken) bool { return len(page) < ledgerPageRoom })
	l.pages[i] = append(l.pages[i], sent)
	l.main.Totals.Sent++
	return sent, givenUp
}

// withdraw forgets a message that was never sent.
func (l *ledger) withdraw(t loopToken) {
	l.drop(t)
	l.main.Totals.Sent--
}

func (l *ledger) drop(t loopToken) {
	for i := range l.pages {
		l.pages[i] = slices.DeleteFunc(l.pages[i], func(other loopToken) bool { return other == t })
	}
}

// settle notes what became of a message, instead of what was noted before.
func (l *ledger) settle(t loopToken, o loopOutcome) {
	was := l.outcome(t)
	if o == loopLost {
		l.main.Totals.Lost++
	}
	if o == loopFound && was != loopFound {
		l.main.Totals.Arrived++
	}
	l.drop(t)
	l.main.Done = slices.DeleteFunc(l.main.Done, func(entry string) bool { return strings.HasSuffix(entry, t.id) })
	l.main.Done = append(l.main.Done, string(o)+t.id)
	l.main.Done = l.main.Done[max(0, len(l.main.Done)-maxDone):]
}

// overdue gives up the messages that were sent longer than ttl ago.
func (l *ledger) overdue(now time.Time, ttl time.Duration) (lost []loopToken) {
	for _, t := range l.outstanding() {
		if now.Sub(t.sent) > ttl {
			l.settle(t, loopLost)
			lost = append(lost, t)
		}
	}
	return lost
}
