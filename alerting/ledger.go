// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"skywatch/internal/record"
)

const (
	commitTime = time.Second     // longest wait for one commit
	loadTime   = 5 * time.Second // longest wait for Load
)

var errUnread = errors.New("the history was not read yet")

// ledger writes to the journal, in order, and keeps in memory what the journal refuses until it takes writes again. Every write goes
// through one queue. Whoever waits for a write and gets the turn writes for all: the transitions of the whole queue go into one commit.
type ledger struct {
	journal Journal
	log     *slog.Logger
	stored  func(message int64) // called after a message that was refused is written
	turn    chan struct{}       // held while writing
	wake    chan struct{}       // something waits in the queue, and nobody for it

	mu     sync.Mutex
	loaded bool
	why    error // why writes are refused; nil = they are taken, though some may wait for their turn
	loud   bool  // the log has why
	most   int   // transitions in one commit
	queue  queue
}

func newLedger(j Journal, log *slog.Logger) *ledger {
	l := &ledger{
		journal: j, log: log, stored: func(int64) {}, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), why: errUnread, most: maxGroup,
	}
	l.turn <- struct{}{}
	return l
}

// commit makes a write durable. Where the journal refuses, it is kept in memory and commit says why. Transitions are waited for about a
// second at most: those whose turn has not come by then are written by others soon after. Messages are waited for until it is known.
func (l *ledger) commit(ctx context.Context, w write) error {
	ctx = context.WithoutCancel(ctx)
	if w.message == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, commitTime)
		defer cancel()
	}
	outcome, why := l.add(w)
	for why == nil {
		select {
		case <-l.turn:
			l.next(ctx)
			l.turn <- struct{}{}
			select {
			case err := <-outcome:
				return err
			default:
			}
		case err := <-outcome:
			return err
		case <-ctx.Done():
			notify(l.wake)
			return nil
		}
	}
	return why
}

// add puts a write into the queue and gives what will say how it ended, or why it must wait.
func (l *ledger) add(w write) (outcome <-chan error, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.queue.add(w)
	if l.why == nil {
		e.outcome = make(chan error, 1)
		return e.outcome, nil
	}
	if n := l.queue.bound(); n > 0 {
		l.log.Error("memory for what history does not take is full, old writes are given up", "writes", maxBacklog, "lost", l.queue.lost)
	}
	notify(l.wake)
	return nil, l.why
}

// next writes what has waited longest. The turn is held. It says why that was refused; nil = it was not, or nothing waits.
func (l *ledger) next(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, commitTime)
	defer cancel()
	deadline, _ := ctx.Deadline()
	short := time.Until(deadline) < commitTime/2 // too short for silence to be a refusal
	b := l.take()
	if len(b.entries) == 0 {
		return nil
	}
	if err := b.to(ctx, l.journal, b.again); err != nil {
		return l.failed(b, err, short)
	}
	l.written(b)
	return nil
}

// take gives what the next commit writes; nothing before the journal was read.
func (l *ledger) take() batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.loaded {
		return batch{}
	}
	return l.queue.next(l.most)
}

// written notes that a commit succeeded.
func (l *ledger) written(b batch) {
	l.mu.Lock()
	l.most = min(2*l.most, maxGroup)
	l.takes()
	stored := l.queue.done(b) && b.message != nil && b.message.Unstored
	l.mu.Unlock()
	if stored {
		l.stored(b.message.ID)
	}
}

// failed notes that a commit did not succeed, and gives why the journal refuses; nil = it was only given too little time.
func (l *ledger) failed(b batch, err error, short bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(err, context.DeadlineExceeded) {
		if short {
			return nil
		}
		l.most = max(len(b.entries)/2, 1)
		err = fmt.Errorf("no commit within %s: %w", commitTime, err)
	}
	l.refused(err)
	return err
}

// refused notes why the journal takes nothing, and tells all who wait. A journal that answers says so in the log itself; one that does
// not is named here, once. The lock is held.
func (l *ledger) refused(why error) {
	if l.why == nil || l.why == errUnread {
		level := slog.LevelDebug
		if l.loud = errors.Is(why, context.DeadlineExceeded); l.loud {
			level = slog.LevelError
		}
		l.log.Log(context.Background(), level, "history takes no writes, alerting goes on from memory", "err", why)
	}
	l.why = why
	l.queue.tell(why)
	notify(l.wake)
}

// takes notes that the journal takes writes. The lock is held.
func (l *ledger) takes() {
	if l.why != nil && l.loud {
		l.log.Info("history takes writes again, what was kept in memory follows")
	}
	l.why, l.loud = nil, false
}

// keepStates hands on states that may be written later. While writes wait it does not: a state must not reach the disk before the
// transition that led to it, nor before an older one was read. All states are kept once nothing waits any more.
func (l *ledger) keepStates(states []record.CheckState) {
	l.mu.Lock()
	busy := l.why != nil || len(l.queue.entries) > 0
	l.mu.Unlock()
	if busy {
		notify(l.wake)
		return
	}
	l.journal.Keep(states)
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
	return len(l.queue.entries), l.queue.lost
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

// drain writes what waits, oldest first, until nothing does or it is refused.
func (l *ledger) drain(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	for l.writable() {
		<-l.turn
		err := l.next(ctx)
		l.turn <- struct{}{}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *ledger) writable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loaded && len(l.queue.entries) > 0
}

// opened says that the journal was read, so that it may be written.
func (l *ledger) opened() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loaded = true
	l.takes()
}
