// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package record

import (
	"strconv"
	"time"

	"skywatch/internal/probe"
)

// State is that of a check over time. The numbers are stored; they are never reused.
type State uint8

// The states of a check.
const (
	Unknown  State = 0
	Up       State = 1
	Degraded State = 2
	Down     State = 3
)

var stateNames = [...]string{"unknown", "up", "degraded", "down"}

// String gives the word of the state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "state" + strconv.Itoa(int(s))
}

// CheckState is what alerting remembers of a check between results. The zero value, with the check's name, is a check never seen.
type CheckState struct {
	Check       string
	Module      string // of the last result
	Target      string // of the last result
	State       State
	Since       time.Time    // when the state began: for down, the start of the first failing attempt
	LastSuccess time.Time    // start of the last successful result; zero = never
	LastSeen    time.Time    // start of the last result that counted
	Incident    int64        // id of the transition that opened the open incident; 0 = none
	Reason      probe.Reason // of the latest failure; ReasonNone after a success
	Err         string       // of the latest failure; "" after a success
	Facts       []probe.Fact // of the last success
	Targets     Targets      // of a check with many targets
}

// Change is a fact that differs from the last success. Was is "" for a new fact, Is for one that is gone.
type Change struct{ Key, Was, Is string }

// Transition is a change of a check's state, or, from down to down, of which of its many targets fail.
type Transition struct {
	ID       int64 // unique, growing; given by the alerter
	Check    string
	Group    string
	Module   string
	Target   string
	From, To State
	At       time.Time // when the new state began
	Noticed  time.Time // when the deciding result was at hand
	Gone     bool      // the check was taken out of the configuration while down; To is Unknown
	Incident int64     // id of the transition that opened the incident: its own for one to down, 0 outside an incident
	Began    time.Time // when the incident began; zero outside an incident
	Reason   probe.Reason
	Err      string
	Attempts int
	Took     time.Duration
	Changes  []Change // against the last success, at most 32
	Note     string   // what else the reader must know, such as a changed target; "" = nothing
	Trace    string   // rendered and masked; "" = none. Of a check with many targets that of the first failing one
	Failing  *Failing // of a check with many targets that is down; nil otherwise
}

// Outage is a closed or open incident. To is zero while it lasts.
type Outage struct {
	Check    string
	From, To time.Time
	Reason   probe.Reason
	Err      string
	Trace    int64 // id of the stored trace of the transition to down; 0 = none
}
