// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Package probe is the first leaf: the act of probing, as plain types, and [Run], the one place where a probe is started.
//
// It owns the vocabulary that every other package speaks (Module, Target, Check, Result, Verdict, Reason, Sample, Fact, Trace), the
// Recorder that a prober writes into, and the rules of an attempt: deadline, retries, panic capture, duration, masking of secrets.
// It knows no protocol, no storage and no exposition format, and imports the standard library only.
package probe
