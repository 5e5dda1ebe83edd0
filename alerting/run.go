// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"sync"
	"time"
)

// Run tells the notifiers, sends the daily summary and brings what the journal refused to it, until ctx ends. Then what was never tried
// is tried once, which takes 5 seconds at most.
func (a *Alerter) Run(ctx context.Context) error {
	flush, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var others, pumps sync.WaitGroup
	defer others.Wait()
	others.Go(func() { a.mend(ctx) })
	others.Go(func() { a.summarizeDaily(ctx) })
	for ended := false; !ended; {
		for _, l := range a.idleLanes() {
			pumps.Go(func() { a.pump(ctx, flush, l) })
		}
		select {
		case <-a.changed:
		case <-ctx.Done():
			ended = true
		}
	}
	end := time.AfterFunc(flushTime, cancel)
	defer end.Stop()
	pumps.Wait()
	a.ledger.drain(flush)
	return nil
}

// idleLanes gives the lanes that have no pump yet; they get one now.
func (a *Alerter) idleLanes() (all []*lane) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.sortedLanes() {
		if !l.running {
			l.running = true
			all = append(all, l)
		}
	}
	return all
}

// mend reads the journal, if that failed so far, and writes what it refused and what nobody waits for, again and again while anything is
// left.
func (a *Alerter) mend(ctx context.Context) {
	for ctx.Err() == nil {
		a.mu.Lock()
		unread := a.unread
		a.mu.Unlock()
		if unread {
			a.restore(ctx)
		}
		if err := a.ledger.drain(ctx); err != nil || unread { // the ledger says why
			sleep(ctx, nil, readAgain)
			continue
		}
		if a.keepAll() {
			sleep(ctx, a.ledger.wake, time.Hour)
		} else {
			sleep(ctx, nil, keepAgain)
		}
	}
}

// keepAgain is the pause before states are kept that could not be, as a change was being committed.
const keepAgain = 100 * time.Millisecond

// keepAll keeps the states of meanwhile. reload is held for writing, so that none is one of which the transition is being committed; it
// is not waited for, which would hold up the results that come.
func (a *Alerter) keepAll() bool {
	if !a.reload.TryLock() {
		return false
	}
	defer a.reload.Unlock()
	a.ledger.keepStates(a.States())
	return true
}

// stored notes that a message is in the store now.
func (a *Alerter) stored(id int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.lanes {
		for _, x := range l.pending() {
			if x.ID == id {
				x.Unstored = false
			}
		}
	}
}
