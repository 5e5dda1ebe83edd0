// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomailloop

package probes

import (
	"crypto/rand"
	"strconv"
	"strings"
	"time"
)

// loopToken is the token of a message of mailloop. Its text, which the signature covers, is "<scope>-<sent>-<id>", so that a message tells
// by itself whose it is and how old: several loops may share a mailbox, and a loop may forget what it sent.
type loopToken struct {
	scope string    // of the loop that sent it
	sent  time.Time // in ms
	id    string    // unlike that of any other
}

// The lengths of the parts.
const (
	loopScopeLen = 8
	loopIDLen    = 16
)

func newLoopScope() string { return rand.Text()[:loopScopeLen] }

// newLoopToken makes a token that no message had before.
func newLoopToken(scope string, now time.Time) loopToken {
	return loopToken{scope: scope, sent: time.UnixMilli(now.UnixMilli()), id: rand.Text()[:loopIDLen]}
}

// String gives the text.
func (t loopToken) String() string {
	return t.scope + "-" + strconv.FormatInt(t.sent.UnixMilli(), 36) + "-" + t.id
}

// parseLoopToken reads the text of a token; ok tells whether it is one of a loop.
func parseLoopToken(text string) (t loopToken, ok bool) {
	parts := strings.Split(text, "-")
	if len(parts) != 3 || len(parts[0]) != loopScopeLen || len(parts[2]) != loopIDLen {
		return loopToken{}, false
	}
	ms, err := strconv.ParseInt(parts[1], 36, 64)
	return loopToken{scope: parts[0], sent: time.UnixMilli(ms), id: parts[2]}, err == nil
}
