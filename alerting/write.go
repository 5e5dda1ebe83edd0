// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"slices"

	"skywatch/internal/record"
)

// write is what is to be committed: transitions when message is nil, else what became of a message.
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

// finished tells whether nothing is left to be done for the message, so that losing the write loses history but no message.
func (w write) finished() bool {
	return w.message != nil && slices.Contains([]record.MessageState{record.Sent, record.Superseded, record.Expired}, w.message.State)
}

// checks names those that the write is about.
func (w write) checks() (names []string) {
	for _, s := range w.states {
		names = append(names, s.Check)
	}
	for _, t := range w.transitions {
		names = append(names, t.Check)
	}
	return names
}

// traces is the size of the traces.
func (w write) traces() (bytes int) {
	for _, t := range w.transitions {
		bytes += len(t.Trace)
	}
	return bytes
}
