// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomailloop

package probes

import (
	"fmt"
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

// zones are the names of zones that say what time it is (RFC 5322, 4.3). Any other may mean several.
var zones = map[string]string{"UT": "+0000", "UTC": "+0000", "GMT": "+0000", "Z": "+0000", "EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500",
	"MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700"}

// receivedAt gives the time of a Received field: what follows the last semicolon. mail.ParseDate takes every zone that it does not know for UTC.
func receivedAt(field string) (time.Time, error) {
	field = withoutComments(field)
	date := strings.TrimSpace(field[strings.LastIndexByte(field, ';')+1:])
	i := strings.LastIndexByte(date, ' ') + 1
	if zone := date[i:]; !strings.HasPrefix(zone, "+") && !strings.HasPrefix(zone, "-") {
		offset, ok := zones[strings.ToUpper(zone)]
		if !ok {
			return time.Time{}, fmt.Errorf("found zone %q, want an offset", zone)
		}
		date = date[:i] + offset
	}
	return mail.ParseDate(date)
}

// withoutComments leaves out what is in parentheses (RFC 5322, 3.2.2): a comment may have words and semicolons of its own. One without an end is none.
func withoutComments(field string) string {
	var out strings.Builder
	depth := 0
	for i := 0; i < len(field); i++ {
		switch c := field[i]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '\\' && depth > 0:
			i++
		case depth == 0:
			out.WriteByte(c)
		}
	}
	if depth > 0 {
		return field
	}
	return out.String()
}

// receivedBy gives the server that wrote a Received field.
func receivedBy(field string) string {
	words := strings.Fields(withoutComments(field))
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
