// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import "errors"

// outcome is how an attempt ended.
type outcome uint8

// The outcomes, in the order of their words.
const (
	outcomeSent outcome = iota
	outcomePartial
	outcomeFailed
	outcomeRefused
	outcomeDoubtful
	outcomeExpired
)

var outcomes = [...]string{"sent", "partial", "failed", "refused", "doubtful", "expired"}

// String gives the word, which is a label of the metric.
func (o outcome) String() string { return outcomes[o] }

// result is an outcome with the text of its error.
type result struct {
	outcome outcome
	text    string
}

// outcomeOf sorts what a notifier gave.
func outcomeOf(err error) result {
	var typed *DeliveryError
	switch {
	case err == nil:
		return result{outcome: outcomeSent}
	case !errors.As(err, &typed) || typed.Doubtful:
		return result{outcomeDoubtful, err.Error()}
	case typed.Taken:
		return result{outcomePartial, err.Error()}
	case typed.Permanent:
		return result{outcomeRefused, err.Error()}
	}
	return result{outcomeFailed, err.Error()}
}
