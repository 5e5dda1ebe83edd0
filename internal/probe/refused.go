// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import "time"

// RefusedCause is why a probe that was asked for is not made, from a closed set.
type RefusedCause uint8

// The causes of a refusal.
const (
	RefusedRequest RefusedCause = 1 // it makes no sense
	RefusedTarget  RefusedCause = 2 // a secret may not go where it would go
	RefusedPace    RefusedCause = 3 // a refused secret would be tried again too soon
)

// Refused is a probe that somebody asked for and that is not made: no connection, no result.
type Refused struct {
	Cause   RefusedCause
	Text    string        // for whoever asked
	Address string        // host:port that the secret would go to; "" unless the cause is RefusedTarget
	After   time.Duration // when it may be asked for again, from now; 0 unless the cause is RefusedPace
}

// Error gives the text.
func (r *Refused) Error() string { return r.Text }
