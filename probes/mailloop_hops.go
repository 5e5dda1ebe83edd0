// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomailloop

package probes

import (
	"net/mail"
	"slices"
	"strings"
	"time"
)

// maxHops is how many Received fields of a message are looked at; the first servers on its way count.
const maxHops = 20

// loopHop is one server on the way of a message.
type loopHop struct {
	by   string        // what the server calls itself; "" when that is no host name
	took time.Duration // since the one before it, or since the sending; never negative, whatever the clocks say
}

// readHops gives the way of a message, the first server first. Received fields (RFC 5321 section 4.4) that cannot be read are left out.
func readHops(sent time.Time, received []string) (hops []loopHop) {
	before := sent
	for _, field := range slices.Backward(received) {
		at, err := receivedAt(field)
		if err != nil || len(hops) == maxHops {
			continue
		}
		hops = append(hops, loopHop{receivedBy(field), max(0, at.Sub(before))})
		before = at
	}
	return hops
}

// receivedAt gives the time of a Received field: what follows the last semicolon.
func receivedAt(field string) (time.Time, error) {
	return mail.ParseDate(strings.TrimSpace(field[strings.LastIndexByte(field, ';')+1:]))
}

// receivedBy gives the server that wrote a Received field.
func receivedBy(field string) string {
	words := strings.Fields(field)
	i := slices.Index(words, "by")
	if i < 0 || i+1 == len(words) {
		return ""
	}
	name := strings.ToLower(strings.TrimRight(words[i+1], ";"))
	if len(name) > 64 || strings.IndexFunc(name, func(c rune) bool { return !isAlphanumeric(c) && !strings.ContainsRune("-._:[]", c) }) >= 0 {
		return ""
	}
	return name
}

// deliveryTime tells how long a message took: up to the time of its last Received field, which is given in seconds, or up to when it was seen
// if that is as exact or if there is no such field. Clocks may differ: it is neither negative nor longer than until it was seen.
func deliveryTime(sent, seen time.Time, received []string) time.Duration {
	until := seen
	if len(received) > 0 {
		if at, err := receivedAt(received[0]); err == nil && !seen.Before(at.Add(time.Second)) {
			until = at
		}
	}
	return max(0, until.Sub(sent))
}
