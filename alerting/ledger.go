// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"skywatch/internal/record"
)

const (
	commitTime = time.Second     // longest wait for one commit
	loadTime   = 5 * time.Second // longest wait for Load
	maxBacklog = 1000            // writes held while the journal refuses
)

var errUnread = errors.New("the history was not read yet")

// write is one commit: a record of transitions when message is nil, else what became of a message.
type write struct {
	states      []record.CheckState
	transitions []record.Transition
	deliveries  []record.Delivery
	message     *record.Message
	seal        bool    // the message is new
	supersedes  []int64 // by a new message
}

// to makes the commit. again: its outcome was unknown or it was refused before; then a new message may have changed since.
func (w write) to(ctx context.Context, j Journal, again bool) error {
	if w.message == nil {
		return j.Record(ctx, w.states, w.transitions, w.deliveries)
	}
	m := *w.message
	m.Unstored = false
	if w.seal {
		if err := j.Seal(ctx, m, w.supersedes); err != nil || !again {
			return err
		}
	}
	return j.Mark(ctx, m)
}

// over tells whether nothing is left to be done for the message, so that losing the write loses history but no message.
func (w *write) over() bool {
	return w.message != nil && (w.message.State == record.Sent || w.message.State == record.Expired)
}

// ledger writes to the journal, in order, and keeps in memory what the journal refuses until it takes writes again.
type ledger struct {
	journal Journal
	log     *slog.Logger
	turn    chan struct{} // held while writing
	wake    chan struct{} // something is in the backlog

	mu      sync.Mutex
	loaded  bool
	why     error    // why writes are refused; nil = they are taken
	backlog []*write // oldest first; not empty = everything new goes to its end
	lost    uint64
}

func newLedger(j Journal, log *slog.Logger) *ledger {
	l := &ledger{journal: j, log: log, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), why: errUnread}
	l.turn <- struct{}{}
	return l
}

// commit makes a write durable, in about a second at most. Where that cannot be done it is kept in memory and commit says why.
func (l *ledger) commit(ctx context.Context, w write) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	if why := l.behind(w); why != nil {
		return why
	}
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	case <-ctx.Done():
		return l.keep(w, late(ctx.Err()))
	}
	if why := l.behind(w); why != nil { // the one before us was refused
		return why
	}
	if err := w.to(ctx, l.journal, false); err != nil {
		return l.keep(w, late(err))
	}
	return nil
}

// late says what a deadline means here.
func late(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no commit within %s: %w", commitTime, err)
	}
	return err
}

// keepStates hands on states that may be written later. While writes wait it does not: a state must not reach the disk before the
// transition that led to it, nor before an older one was read.
func (l *ledger) keepStates(states []record.CheckState) {
	if l.refusing() == nil {
		l.journal.Keep(states)
	}
}

// behind puts a write behind those that wait already; nil = none waits, and it is for the caller to write.
func (l *ledger) behind(w write) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loaded && len(l.backlog) == 0 {
		return nil
	}
	l.add(w)
	return l.why
}

func (l *ledger) keep(w write, why error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused(why)
	l.add(w)
	return why
}

// refused notes why the journal takes nothing; the log has it once. The lock is held.
func (l *ledger) refused(why error) {
	if l.why == nil || l.why == errUnread {
		l.log.Error("history takes no writes, alerting goes on from memory", "err", why)
	}
	l.why = why
}

// add puts a write at the end, or into the one of the same message that still waits. The lock is held.
func (l *ledger) add(w write) {
	if l.why == nil {
		l.why = errors.New("an earlier write still waits")
	}
	if i := l.find(w); i >= 0 {
		l.backlog[i].message = w.message
	} else {
		l.backlog = append(l.backlog, &w)
	}
	l.bound()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *ledger) find(w write) int {
	if w.message == nil {
		return -1
	}
	return slices.IndexFunc(l.backlog, func(old *write) bool { return old.message != nil && old.message.ID == w.message.ID })
}

// bound gives up the oldest write whose message is over, else the oldest, when there are too many: no message is lost by that, only
// what the history would have said of it. The lock is held.
func (l *ledger) bound() {
	if len(l.backlog) <= maxBacklog {
		return
	}
	i := max(slices.IndexFunc(l.backlog, (*write).over), 0)
	l.backlog = slices.Delete(l.backlog, i, i+1)
	l.lost++
	l.log.Error("memory for what history does not take is full, the oldest write is given up", "writes", maxBacklog, "lost", l.lost)
}

// refusing says why writes are refused; nil = they are taken.
func (l *ledger) refusing() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}

func (l *ledger) counts() (waiting int, lost uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.backlog), l.lost
}

// load reads what was kept.
func (l *ledger) load(ctx context.Context) (record.Saved, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTime)
	defer cancel()
	saved, err := l.journal.Load(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.refused(err)
	}
	return saved, err
}

// drain writes the backlog, oldest first, until it is empty or refused. stored is called after each message that was written.
func (l *ledger) drain(ctx context.Context, stored func(message int64)) error {
	<-l.turn
	defer func() { l.turn <- struct{}{} }()
	for {
		waiting, w := l.first() // none before the journal was read
		if waiting == nil {
			return nil
		}
		if err := l.again(ctx, w); err != nil {
			return err
		}
		if l.done(waiting, w) && w.message != nil {
			stored(w.message.ID)
		}
	}
}

func (l *ledger) again(ctx context.Context, w write) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	err := w.to(ctx, l.journal, true)
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.why = late(err)
	}
	return err
}

// first gives what has waited longest, and a copy of it for writing.
func (l *ledger) first() (*write, write) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.backlog) == 0 || !l.loaded {
		return nil, write{}
	}
	return l.backlog[0], *l.backlog[0]
}

// done takes out what was written, unless its message has changed meanwhile.
func (l *ledger) done(waiting *write, written write) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.backlog, waiting)
	if i < 0 || waiting.message != written.message {
		return false
	}
	l.backlog = slices.Delete(l.backlog, i, i+1)
	if len(l.backlog) == 0 {
		l.why = nil
		l.log.Info("history takes writes again, what was kept in memory is stored")
	}
	return true
}

// opened says that the journal was read, so that it may be written.
func (l *ledger) opened() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loaded = true
	if len(l.backlog) == 0 {
		l.why = nil
	}
}
