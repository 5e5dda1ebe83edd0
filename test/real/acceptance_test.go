// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package real

import "strings"

// acceptance is a difference that is meant, with the reason. Empty fields stand for anything; a request that ends in * for all that
// begin so.
type acceptance struct {
	compat  string // fixed or exact
	request string
	metric  string
	what    string
	detail  string
	reason  string
}

func (a acceptance) covers(compat, request string, d difference) bool {
	matches := func(pattern, text string) bool {
		if prefix, open := strings.CutSuffix(pattern, "*"); open {
			return strings.HasPrefix(text, prefix)
		}
		return pattern == "" || pattern == text
	}
	return matches(a.compat, compat) && matches(a.request, request) && matches(a.metric, d.metric) && matches(a.what, d.what) &&
		matches(a.detail, d.detail)
}

// ledger tells meant differences from others, and knows which entries have been of use.
type ledger struct {
	entries []acceptance
	used    []bool
}

func newLedger(entries []acceptance) *ledger {
	return &ledger{entries: entries, used: make([]bool, len(entries))}
}

// unexpected gives the differences that no entry covers.
func (l *ledger) unexpected(compat, request string, found []difference) (rest []difference) {
	for _, d := range found {
		covered := false
		for i, entry := range l.entries {
			if entry.covers(compat, request, d) {
				covered, l.used[i] = true, true
			}
		}
		if !covered {
			rest = append(rest, d)
		}
	}
	return rest
}

// idle gives the entries that have covered nothing: what they speak of does not happen any more.
func (l *ledger) idle() (entries []acceptance) {
	for i, entry := range l.entries {
		if !l.used[i] {
			entries = append(entries, entry)
		}
	}
	return entries
}
