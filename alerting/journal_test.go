// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"skywatch/internal/record"
)

// disk is what a fake journal has committed: it survives the death of the process.
type disk struct {
	mu          sync.Mutex
	instance    string
	states      map[string]record.CheckState
	transitions map[int64]record.Transition
	deliveries  map[deliveryKey]int64
	messages    map[int64]record.Message
	lastSummary time.Time
}

type deliveryKey struct {
	transition int64
	notifier   string
}

func newDisk() *disk {
	return &disk{
		instance: "ring", states: map[string]record.CheckState{}, transitions: map[int64]record.Transition{},
		deliveries: map[deliveryKey]int64{}, messages: map[int64]record.Message{},
	}
}

// journal is one process's way to the disk. fault is asked at each call; it may refuse before or after the commit.
type journal struct {
	*disk
	fault func(call string) (before, after error)
	slow  time.Duration // before an answer, as long as the caller waits for it
	calls []string
}

var errDisk = errors.New("disk full")

func (j *journal) do(ctx context.Context, call string, commit func()) error {
	if j.slow > 0 {
		select {
		case <-time.After(j.slow):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls = append(j.calls, call)
	var before, after error
	if j.fault != nil {
		before, after = j.fault(call)
	}
	if before != nil {
		return before
	}
	commit()
	return after
}

func (j *journal) Load(ctx context.Context) (s record.Saved, err error) {
	err = j.do(ctx, "load", func() { s = j.disk.saved() })
	return s, err
}

func (j *journal) Record(ctx context.Context, states []record.CheckState, ts []record.Transition, ds []record.Delivery) error {
	return j.do(ctx, "record", func() {
		for _, s := range states {
			j.states[s.Check] = s
		}
		for _, t := range ts {
			if _, known := j.transitions[t.ID]; !known {
				j.transitions[t.ID] = t
			}
		}
		for _, d := range ds {
			key := deliveryKey{d.Transition, d.Notifier}
			if _, known := j.deliveries[key]; !known {
				j.deliveries[key] = 0
			}
		}
	})
}

func (j *journal) Seal(ctx context.Context, m record.Message, supersedes []int64) error {
	return j.do(ctx, "seal", func() {
		if _, known := j.messages[m.ID]; !known {
			j.messages[m.ID] = m
		}
		for _, id := range m.Transitions {
			j.deliveries[deliveryKey{id, m.Notifier}] = m.ID
		}
		for _, id := range supersedes {
			if old, known := j.messages[id]; known && pendingState(old.State) {
				old.State = record.Superseded
				j.messages[id] = old
			}
		}
		if m.Kind == record.KindSummary && m.SealedAt.After(j.lastSummary) {
			j.lastSummary = m.SealedAt
		}
	})
}

func (j *journal) Mark(ctx context.Context, m record.Message) error {
	return j.do(ctx, "mark", func() {
		old, known := j.messages[m.ID]
		if !known || !pendingState(old.State) && pendingState(m.State) {
			return
		}
		old.Tried, old.NextAt, old.State, old.Doubtful, old.Error = m.Tried, m.NextAt, m.State, m.Doubtful, m.Error
		j.messages[m.ID] = old
	})
}

func (j *journal) Keep(states []record.CheckState) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fault != nil {
		if before, _ := j.fault("keep"); before != nil {
			return
		}
	}
	for _, s := range states {
		j.states[s.Check] = s
	}
}

func pendingState(s record.MessageState) bool { return s == record.Sealed || s == record.Parked }

// saved is what is loaded from the disk.
func (d *disk) saved() record.Saved {
	s := record.Saved{Instance: d.instance, LastSummary: d.lastSummary}
	s.States = slices.SortedFunc(maps.Values(d.states), func(a, b record.CheckState) int { return len(a.Check) - len(b.Check) })
	wanted, incidents := map[int64]bool{}, map[int64]bool{}
	for _, st := range d.states {
		incidents[st.Incident] = true
	}
	for _, m := range d.messages {
		if pendingState(m.State) {
			s.Outbox.Messages = append(s.Outbox.Messages, m)
		}
	}
	for key, message := range d.deliveries {
		if message == 0 || pendingState(d.messages[message].State) {
			s.Outbox.Deliveries = append(s.Outbox.Deliveries, record.Delivery{Transition: key.transition, Notifier: key.notifier, Message: message})
			wanted[key.transition] = true
			incidents[d.transitions[key.transition].Incident] = true
		}
	}
	for id := range wanted {
		if t, ok := d.transitions[id]; ok {
			s.Outbox.Transitions = append(s.Outbox.Transitions, t)
		}
	}
	for key, message := range d.deliveries {
		if incidents[key.transition] && message != 0 {
			s.Outbox.Threads = append(s.Outbox.Threads, record.Thread{
				Incident: key.transition, Notifier: key.notifier, MessageID: d.messages[message].MessageID,
			})
		}
	}
	slices.SortFunc(s.Outbox.Transitions, func(a, b record.Transition) int { return cmp.Compare(a.ID, b.ID) })
	return s
}
