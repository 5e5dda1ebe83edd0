// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"time"

	"skywatch/internal/record"
)

// Journal keeps what must survive a crash. Each writing call is one commit; it is durable when it returns nil, and returns within about
// a second when it cannot commit. All are idempotent by id, so that one of unknown outcome can be made again.
type Journal interface {
	// Load gives what was kept. It is called once at start, and again after it failed.
	Load(ctx context.Context) (record.Saved, error)
	// Record keeps states, transitions and the intents to tell of them. Its states replace what Keep took before of the same checks.
	Record(ctx context.Context, states []record.CheckState, ts []record.Transition, ds []record.Delivery) error
	// Seal keeps a message, ties the deliveries of its transitions for its notifier to it, and marks those that it supersedes.
	Seal(ctx context.Context, m record.Message, supersedes []int64) error
	// Mark keeps what changes of a sealed message.
	Mark(ctx context.Context, m record.Message) error
	// Keep takes states that may be written later; it never waits.
	Keep(states []record.CheckState)
}

// Reader answers what the daily summary asks of the history.
type Reader interface {
	Tallies(ctx context.Context, from, to time.Time) ([]record.Tally, error)
	Outages(ctx context.Context, from, to time.Time, limit int) ([]record.Outage, error)
}

// Notifier sends a message. nil means that it was taken. An error that is no *DeliveryError leaves that open, as does a panic.
type Notifier interface {
	Notify(ctx context.Context, m record.Message) error
}

// DeliveryError says how an attempt to send a message ended. Without any flag the message was surely not taken and may be tried again.
type DeliveryError struct {
	Taken     bool  // it was taken, though not for all recipients; Err names the others
	Permanent bool  // it was refused for good: trying again soon is of no use
	Doubtful  bool  // it may have been taken: everything was sent and no answer came
	Err       error // product text without secrets
}

// Error gives the text.
func (e *DeliveryError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *DeliveryError) Unwrap() error { return e.Err }
