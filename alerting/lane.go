// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"skywatch/internal/record"
)

const (
	// maxOpen is how many transitions a message may tell: with more waiting it is sealed at once and no longer merged, so that what
	// waits for a dead notifier is bounded without any of it being dropped.
	maxOpen = 1000
	// maxPending is how many messages may wait for a notifier; past that the oldest expires early.
	maxPending = 1000
	// nap is the longest sleep: the wall clock may be set meanwhile.
	nap = time.Minute
)

// letter is a message in the outbox, with the transitions that it tells. With fewer of them than the message names it cannot be merged.
type letter struct {
	record.Message
	parts []record.Transition
	kept  time.Time     // since when this process has it, by the monotonic clock
	aged  time.Duration // how old it was then
}

func newLetter(m record.Message) *letter {
	return &letter{Message: m, kept: time.Now()}
}

// succeed takes over what became of the letters that this one replaces.
func (x *letter) succeed(replaced []*letter) {
	for i, old := range replaced {
		x.Tried = max(x.Tried, old.Tried)
		if i == 0 {
			x.kept, x.aged = old.kept, old.aged
		}
	}
}

// stale tells whether a letter is to be given up. The wall clock may be set forward by years, so it counts only for the time before this
// process, and that alone gives up nothing: a letter has time for some attempts here.
func (x *letter) stale(p Policy) bool {
	held := time.Since(x.kept)
	return x.aged+held > time.Duration(p.Expire) && held >= min(time.Duration(p.RetryMax), time.Duration(p.Expire))
}

// born is when the oldest of its news was noticed.
func (x *letter) born() time.Time {
	if len(x.parts) > 0 {
		return x.parts[0].Noticed
	}
	return x.SealedAt
}

// lane is the outbox of one notifier. Its letters are changed by its pump alone, and by the merge of what a journal gave; a new summary
// takes out the older ones that surely were not taken.
type lane struct {
	name      string
	domain    string
	notifier  Notifier            // nil = not configured: its messages are parked
	open      []record.Transition // in no message yet, oldest first
	alerts    []*letter           // oldest first
	summaries []*letter           // oldest first
	counts    [len(outcomes)]uint64
	wake      chan struct{}
	running   bool // has its pump
}

func newLane(name string) *lane {
	return &lane{name: name, domain: "localhost", wake: make(chan struct{}, 1)}
}

// add puts a transition in its place by id.
func (l *lane) add(t record.Transition) {
	i, found := slices.BinarySearchFunc(l.open, t.ID, func(t record.Transition, id int64) int { return cmp.Compare(t.ID, id) })
	if !found {
		l.open = slices.Insert(l.open, i, t)
	}
	notify(l.wake)
}

// put puts a letter in its place by id.
func (l *lane) put(x *letter) {
	queue := l.queue(x)
	i, found := slices.BinarySearchFunc(*queue, x.ID, func(x *letter, id int64) int { return cmp.Compare(x.ID, id) })
	if !found {
		*queue = slices.Insert(*queue, i, x)
	}
}

// remove takes letters out.
func (l *lane) remove(gone ...*letter) {
	for _, x := range gone {
		queue := l.queue(x)
		*queue = slices.DeleteFunc(*queue, func(y *letter) bool { return x == y })
	}
}

func (l *lane) queue(x *letter) *[]*letter {
	if x.Kind == record.KindSummary {
		return &l.summaries
	}
	return &l.alerts
}

// pending gives all letters, alerts first: those never wait for a summary.
func (l *lane) pending() []*letter { return slices.Concat(l.alerts, l.summaries) }

// oldest is when the oldest news that waits was noticed.
func (l *lane) oldest() (at time.Time) {
	for _, x := range l.pending() {
		if at.IsZero() || x.born().Before(at) {
			at = x.born()
		}
	}
	if len(l.open) > 0 && (at.IsZero() || l.open[0].Noticed.Before(at)) {
		at = l.open[0].Noticed
	}
	return at
}

// action is what a lane does next.
type action uint8

const (
	idle   action = iota
	seal          // make a message of what is open, in place of those that may be merged with it
	shelve        // the same without an attempt: there is too much of it
	send          // try a letter again
	park          // the notifier is gone, or back
	expire        // give a letter up
)

// step is an action, with the letter it is about, or how long to be idle.
type step struct {
	do     action
	letter *letter
	wait   time.Duration
}

// plan gives the next step. It changes nothing.
func (l *lane) plan(now time.Time, p Policy) step {
	if s := l.tidy(p); s.do != idle {
		return s
	}
	wait := nap
	for _, candidate := range l.candidates(now, p) {
		if candidate.wait <= 0 {
			return candidate
		}
		wait = min(wait, candidate.wait)
	}
	return step{wait: wait}
}

// tidy gives what needs no waiting.
func (l *lane) tidy(p Policy) step {
	all := l.pending()
	for i, x := range all {
		parked := x.State == record.Parked
		switch {
		case i < len(all)-maxPending, parked && x.stale(p):
			return step{do: expire, letter: x}
		case parked != (l.notifier == nil):
			return step{do: park, letter: x}
		}
	}
	if len(l.open) >= maxOpen {
		return step{do: shelve}
	}
	return step{}
}

// candidates lists what comes in its time, the most urgent first.
func (l *lane) candidates(now time.Time, p Policy) []step {
	var all []step
	pause := time.Duration(p.GroupWait)
	if len(l.open) > 0 && (len(l.alerts) == 0 || l.mergeable() != nil) {
		due := until(now, l.open[0].Noticed, pause)
		if len(l.alerts) > 0 && l.notifier != nil {
			due = max(due, l.retryIn(now, l.alerts[0], p))
		}
		all = append(all, step{do: seal, wait: due})
	}
	if l.notifier == nil {
		return all
	}
	if len(l.alerts) > 0 {
		all = append(all, step{do: send, letter: l.alerts[0], wait: l.retryIn(now, l.alerts[0], p)})
	}
	if len(l.summaries) > 0 {
		all = append(all, step{do: send, letter: l.summaries[0], wait: l.retryIn(now, l.summaries[0], p)})
	}
	return all
}

// last is the plan once everything ends: what was never tried is tried now, and what is due or only in memory once more.
func (l *lane) last(now time.Time, p Policy) step {
	merges := len(l.alerts) == 0 || l.mergeable() != nil
	switch {
	case l.notifier == nil:
		return step{}
	case len(l.open) > 0 && merges:
		return step{do: seal}
	}
	for _, queue := range [][]*letter{l.alerts, l.summaries} {
		if len(queue) > 0 && (queue[0].Unstored || l.retryIn(now, queue[0], p) <= 0) {
			return step{do: send, letter: queue[0]}
		}
	}
	return step{}
}

// mergeable gives the letters whose news a new message may take over: all of them, if none may have been taken already.
func (l *lane) mergeable() []*letter {
	total := len(l.open)
	for _, x := range l.alerts {
		total += len(x.parts)
		if x.Doubtful || len(x.parts) < len(x.Transitions) {
			return nil
		}
	}
	if total > maxOpen {
		return nil
	}
	return l.alerts
}

// until is the time left until a moment and a pause after it; none if the clock was set back behind the moment.
func until(now, moment time.Time, pause time.Duration) time.Duration {
	if moment.After(now) {
		return 0
	}
	return moment.Add(pause).Sub(now)
}

// retryIn is the time left until a letter may be tried; none if the clock was set back.
func (l *lane) retryIn(now time.Time, x *letter, p Policy) time.Duration {
	left := x.NextAt.Sub(now)
	if left > time.Duration(p.RetryMax) {
		return 0
	}
	return left
}

// pause is that after an attempt: doubled each time, with jitter, so that those who failed together do not come back together.
func (p Policy) pause(tried int, permanent bool) time.Duration {
	longest := time.Duration(p.RetryMax)
	wait := longest
	if !permanent {
		wait = time.Duration(p.RetryMin)
		for i := 1; i < tried && wait < longest; i++ {
			wait *= 2
		}
	}
	wait = min(wait, longest)
	return wait - time.Duration(rand.Int64N(int64(wait)/4+1))
}
