// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"strconv"
	"time"
)

// Verdict is the judgement on a result. The numbers are stored; they are never reused.
type Verdict uint8

// The verdicts. Zero is none of them.
const (
	Up           Verdict = 1
	Down         Verdict = 2
	Inconclusive Verdict = 3 // a fault of ours or of the way, not of the service
	Aborted      Verdict = 4 // we cancelled it; neither stored nor counted nor alerted
)

var verdictNames = [...]string{"none", "up", "down", "inconclusive", "aborted"}

// Verdicts lists the verdicts that are counted, in the order of their numbers.
func Verdicts() []Verdict { return []Verdict{Up, Down, Inconclusive} }

// String gives the word of the verdict.
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return "verdict" + strconv.Itoa(int(v))
}

// Result is the outcome of a check's attempts or of one request. It is a value; nobody changes it after Run and Judge.
type Result struct {
	Check, Module, Prober, Target string // Check is "" for a request; Target has no userinfo, and is "" of a check with many targets

	Origin   Origin
	Start    time.Time     // of the first attempt, wall clock with monotonic reading
	Failing  time.Time     // start of the first failing attempt; zero if none failed; set on a success after retries too
	Took     time.Duration // of the attempt that decided
	Timeout  time.Duration // of that attempt
	Attempts int           // made
	Verdict  Verdict
	Reason   Reason
	Err      string   // product text, masked; "" on success
	Samples  []Sample // of the attempt that decided; without the common probe_success, probe_duration_seconds, probe_timeout_seconds
	LeftOut  int      // samples that are not among them because they were more than a scheduled check keeps
	Facts    []Fact   // at most 32, of the attempt that decided
	Trace    Trace    // of all attempts

	Logins []LoginOutcome // what servers said to the secrets that were sent, in all attempts, in order

	Parts []Result // of a check with many targets: their own results, in the order of Check.Parts; nil = one target
}

// Success tells whether the verdict is up.
func (r Result) Success() bool { return r.Verdict == Up }
