// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package record

import (
	"strconv"
	"time"
)

// Delivery is the intent to tell a notifier of a transition. It is committed together with the transition.
type Delivery struct {
	Transition int64
	Notifier   string
	Message    int64 // the message that carries it; 0 = none yet
}

// MessageKind says what a message tells. The numbers are stored; they are never reused.
type MessageKind uint8

// The kinds of messages.
const (
	KindAlert   MessageKind = 1 // one or more transitions
	KindSummary MessageKind = 2 // the daily summary
)

// MessageState is that of a message in the outbox. The numbers are stored; they are never reused.
type MessageState uint8

// The states of a message. Deliveries without a message are the open ones.
const (
	Sealed     MessageState = 1 // text and Message-ID are fixed; to be sent
	Sent       MessageState = 2 // the notifier took it
	Superseded MessageState = 3 // a merged message went in its place
	Parked     MessageState = 4 // its notifier is not configured or disabled
	Expired    MessageState = 5 // given up after alerting.expire
)

var messageStates = [...]string{"open", "sealed", "sent", "superseded", "parked", "expired"}

// MessageStates lists the words of all states, "open" included.
func MessageStates() []string { return messageStates[:] }

// String gives the word of the state; 0 is "open".
func (s MessageState) String() string {
	if int(s) < len(messageStates) {
		return messageStates[s]
	}
	return "state" + strconv.Itoa(int(s))
}

// Message is what is sent to one notifier. Once sealed, only Tried, NextAt, State, Doubtful and Error change.
type Message struct {
	ID          int64 // unique, growing; given by the alerter
	Notifier    string
	Kind        MessageKind
	MessageID   string // without angle brackets
	InReplyTo   string // Message-ID of the failure that this answers; "" = none
	References  []string
	Subject     string
	Text        string
	Transitions []int64 // those it tells, oldest first
	SealedAt    time.Time
	Tried       int       // attempts begun
	NextAt      time.Time // when the next attempt is due
	State       MessageState
	Doubtful    bool   // an attempt has begun and it is not known that the notifier did not take it
	Error       string // of the last attempt
	Unstored    bool   // lives in memory only, since the store refused it; never true in the store
}

// Outbox is all that is still to be sent, as read from a store at start.
type Outbox struct {
	Transitions []Transition // those of the open deliveries and of the pending messages, oldest first
	Deliveries  []Delivery   // open ones, and those of pending messages
	Messages    []Message    // sealed and parked, oldest first
	Threads     []Thread     // of the open incidents, and of those whose end is still to be told
}

// Thread names the message that told a notifier of the start of an incident, so that what follows can refer to it.
type Thread struct {
	Incident  int64
	Notifier  string
	MessageID string
}

// Saved is what a journal gives back at start.
type Saved struct {
	Instance    string // names this ring for ever; part of every Message-ID
	States      []CheckState
	Outbox      Outbox
	LastSummary time.Time // when the last daily summary was sealed; zero = never
}
