// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package record

import (
	"time"

	"skywatch/internal/probe"
)

// Stored is a result as the history gives it back.
type Stored struct {
	Check, Target, Module string // Check is "" for a request
	Origin                probe.Origin
	At                    time.Time // start of the first attempt
	Took                  time.Duration
	Attempts              int
	Verdict               probe.Verdict
	Reason                probe.Reason
	Err                   string
	Trace                 int64 // id of the stored trace; 0 = none
}

// Tally counts the results of a check in a span of time.
type Tally struct {
	Check                  string
	Up, Down, Inconclusive uint64
	Attempts               uint64
	TookMean, TookMax      time.Duration // of the successful results
}
