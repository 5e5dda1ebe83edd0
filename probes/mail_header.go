// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap || !nopop3 || !nomailloop

package probes

import "strings"

// maxMarked is how many messages with a token are looked at, the newest ones.
const maxMarked = 200

// markedMessage is a message of a mailbox that carries a token, whoever put it there; see mailSigner.verify.
type markedMessage struct {
	id       uint32   // UID in IMAP, number in POP3
	token    string   // value of the header field
	received []string // values of the Received fields in their order: the last hop first
	date     string   // value of the Date field; "" without one
}

// mark takes from a header what belongs to a markedMessage.
func mark(id uint32, header string) markedMessage {
	m := markedMessage{id: id}
	for name, value := range headerFields(header) {
		switch {
		case strings.EqualFold(name, tokenHeader) && m.token == "":
			m.token = value
		case strings.EqualFold(name, "Received"):
			m.received = append(m.received, value)
		case strings.EqualFold(name, "Date") && m.date == "":
			m.date = value
		}
	}
	return m
}

// headerFields gives names and unfolded values of the fields of a header (RFC 5322, 2.2) up to its empty line. A line that is no field is
// left out.
func headerFields(header string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		var name, value string
		for line := range strings.SplitSeq(header, "\n") {
			line = strings.TrimSuffix(line, "\r")
			if line != "" && (line[0] == ' ' || line[0] == '\t') {
				value += " " + strings.TrimSpace(line)
				continue
			}
			if name != "" && !yield(name, strings.TrimSpace(value)) {
				return
			}
			if line == "" {
				return
			}
			name, value = "", ""
			if before, after, ok := strings.Cut(line, ":"); ok {
				name, value = strings.TrimSpace(before), after
			}
		}
		if name != "" {
			yield(name, strings.TrimSpace(value))
		}
	}
}
