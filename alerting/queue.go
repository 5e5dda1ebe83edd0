// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"slices"

	"skywatch/internal/record"
)

const (
	maxGroup       = 200      // transitions in one commit
	maxGroupTraces = 1 << 20  // bytes of their traces
	maxBacklog     = 1000     // writes held while the journal refuses, besides those that must not be lost
	maxTraces      = 32 << 20 // bytes of traces that wait; further ones are left out
)

// entry is a write in the queue.
type entry struct {
	write
	tried   bool       // a commit of it has begun
	outcome chan error // for who waits for it; nil = nobody does
}

// tell says how it ended to who waits for it.
func (e *entry) tell(err error) {
	if e.outcome != nil {
		e.outcome <- err
		e.outcome = nil
	}
}

// queue holds the writes that wait, oldest first. Its owner's lock guards it.
type queue struct {
	entries []*entry
	traces  int // bytes, about
	room    int // entries up to which nothing is looked for that could be given up
	lost    uint64
}

// batch is what one commit writes.
type batch struct {
	write
	again   bool
	entries []*entry
}

// add puts a write at the end, or into the one of the same message that still waits.
func (q *queue) add(w write) *entry {
	if len(q.entries) == 0 {
		q.traces, q.room = 0, maxBacklog
	}
	if w.message != nil {
		if e := q.find(w.message.ID); e != nil {
			e.message = w.message
			return e
		}
		w.supersedes = q.absorb(w.supersedes)
	}
	w.states, w.transitions, w.deliveries = slices.Clone(w.states), slices.Clone(w.transitions), slices.Clone(w.deliveries)
	for i := range w.transitions {
		if q.traces += len(w.transitions[i].Trace); q.traces > maxTraces {
			q.traces -= len(w.transitions[i].Trace)
			w.transitions[i].Trace = ""
		}
	}
	e := &entry{write: w}
	q.entries = append(q.entries, e)
	return e
}

// find gives the write of a message; nil = none waits.
func (q *queue) find(message int64) *entry {
	for _, e := range q.entries {
		if e.message != nil && e.message.ID == message {
			return e
		}
	}
	return nil
}

// absorb drops the writes of messages that a new one supersedes, and gives those that the new one must name since they may be stored.
func (q *queue) absorb(ids []int64) (stored []int64) {
	for _, id := range ids {
		e := q.find(id)
		if e == nil || e.tried || !e.seal {
			stored = append(stored, id)
		}
		if e != nil {
			stored = append(stored, e.supersedes...)
			q.remove(e)
		}
	}
	return stored
}

func (q *queue) remove(gone ...*entry) {
	left := make(map[*entry]bool, len(gone))
	for _, e := range gone {
		left[e] = true
	}
	q.entries = slices.DeleteFunc(q.entries, func(e *entry) bool {
		if left[e] {
			q.traces -= e.write.traces()
			e.tell(nil)
		}
		return left[e]
	})
}

// next gives what is to be written next: the message that has waited longest, or else all transitions of the queue that fit into one
// commit. Those of one check go into different commits, so that a state never reaches the disk before the transition that led to it;
// that transitions overtake messages does no harm, since what a message tells is in the queue before it.
func (q *queue) next(most int) (b batch) {
	seen := map[string]bool{}
	for _, e := range q.entries {
		switch {
		case e.message != nil && len(b.entries) == 0:
			b = batch{e.write, e.tried, []*entry{e}}
			e.tried = true
			return b
		case e.message != nil:
			continue
		}
		names := e.checks()
		full := len(b.entries) >= most || len(b.transitions) >= most || b.traces() >= maxGroupTraces
		if len(b.entries) > 0 && (full || slices.ContainsFunc(names, func(name string) bool { return seen[name] })) {
			break
		}
		for _, name := range names {
			seen[name] = true
		}
		e.tried = true
		b.states, b.transitions = append(b.states, e.states...), append(b.transitions, e.transitions...)
		b.deliveries, b.entries = append(b.deliveries, e.deliveries...), append(b.entries, e)
	}
	return b
}

// done takes out what was written. It tells whether that is all: a message may have changed meanwhile.
func (q *queue) done(b batch) bool {
	if b.message != nil && b.entries[0].message != b.message {
		return false
	}
	q.remove(b.entries...)
	return true
}

// tell says to all who wait that they wait in vain.
func (q *queue) tell(why error) {
	for _, e := range q.entries {
		e.tell(why)
	}
}

// due is what a delivery is of.
type due struct {
	transition int64
	notifier   string
}

// newest is the last word on a check.
type newest struct {
	entry    *entry
	incident int64
}

// bound gives up writes while there are too many, oldest first, and gives their number: those of messages that are over, then those of
// transitions that are told already, in a message that waits here too or is over. So no message is lost by it, only what the history
// would have said. Never given up are transitions in no message yet, messages still to be sent, the newest state of each check and the
// start of its open incident. What bounds these: a notifier has at most about 1000 of either of the first two (maxOpen, maxPending), the
// others are two for each check.
func (q *queue) bound() (lost uint64) {
	if len(q.entries) <= q.room {
		return 0
	}
	before := q.lost
	over := map[due]bool{}
	q.giveUp(func(e *entry) bool {
		if e.finished() {
			e.dues(over)
		}
		return e.finished()
	})
	told, last := map[due]bool{}, map[string]newest{}
	for _, e := range q.entries {
		e.dues(told)
		e.deliveries = slices.DeleteFunc(e.deliveries, func(d record.Delivery) bool { return over[due{d.Transition, d.Notifier}] })
		for _, s := range e.states {
			last[s.Check] = newest{e, s.Incident}
		}
	}
	q.giveUp(func(e *entry) bool { return e.historic(told, last) })
	q.room, q.traces = maxBacklog, 0
	if n := len(q.entries); n > maxBacklog {
		q.room = n + n/4 // so that looking costs little
	}
	for _, e := range q.entries {
		q.traces += e.write.traces()
	}
	return q.lost - before
}

// giveUp removes the oldest of what can be spared, while there is too much.
func (q *queue) giveUp(spare func(*entry) bool) {
	excess := len(q.entries) - maxBacklog
	q.entries = slices.DeleteFunc(q.entries, func(e *entry) bool {
		if excess <= 0 || !spare(e) {
			return false
		}
		excess--
		q.lost++
		return true
	})
}

// dues adds what the message fulfils.
func (e *entry) dues(all map[due]bool) {
	if e.message == nil {
		return
	}
	for _, id := range e.message.Transitions {
		all[due{id, e.message.Notifier}] = true
	}
}

// historic tells whether an entry has transitions that are told, and nothing that is the last word on its check.
func (e *entry) historic(told map[due]bool, last map[string]newest) bool {
	switch {
	case e.message != nil,
		slices.ContainsFunc(e.deliveries, func(d record.Delivery) bool { return !told[due{d.Transition, d.Notifier}] }),
		slices.ContainsFunc(e.transitions, func(t record.Transition) bool { return opens(t) && last[t.Check].incident == t.ID }),
		slices.ContainsFunc(e.states, func(s record.CheckState) bool { return last[s.Check].entry == e }):
		return false
	}
	return true
}
