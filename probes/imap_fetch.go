// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap || !nomailloop

package probes

import (
	"strconv"
	"strings"
)

// fetched takes a FETCH response apart (RFC 9051, 7.5.2): the UID and the texts of all parts of the body, joined. Another response has
// neither, and is fine; ok is false for one that cannot be read.
func (p imapResponse) fetched() (uid uint32, header string, ok bool) {
	number, rest, _ := strings.Cut(p.parts[0], " ")
	verb, rest, _ := strings.Cut(rest, " ")
	if !strings.EqualFold(verb, "FETCH") || strings.Trim(number, "0123456789") != "" {
		return 0, "", true
	}
	s := imapScanner{parts: append([]string{rest}, p.parts[1:]...)}
	if !s.open() {
		return 0, "", false
	}
	for !s.closed() {
		name, named := s.atom()
		value, valued := s.value()
		if !named || !valued {
			return 0, "", false
		}
		switch upper := strings.ToUpper(name); {
		case upper == "UID":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil || n == 0 {
				return 0, "", false
			}
			uid = uint32(n)
		case strings.HasPrefix(upper, "BODY["):
			header += strings.TrimRight(value, "\r\n") + "\r\n" // without the empty line that ends each part
		}
	}
	return uid, header, true
}

// imapScanner reads the values of a response one by one.
type imapScanner struct {
	parts []string // what is left: text and literals in turn, beginning with text
}

// skip drops spaces and tells whether any text is left before the next literal.
func (s *imapScanner) skip() bool {
	s.parts[0] = strings.TrimLeft(s.parts[0], " ")
	return s.parts[0] != ""
}

// open takes an opening parenthesis.
func (s *imapScanner) open() bool { return s.take('(') }

// closed takes a closing parenthesis, if it is next. The end of all is one too.
func (s *imapScanner) closed() bool { return s.take(')') || s.parts[0] == "" && len(s.parts) < 3 }

func (s *imapScanner) take(c byte) bool {
	if !s.skip() || s.parts[0][0] != c {
		return false
	}
	s.parts[0] = s.parts[0][1:]
	return true
}

// atom takes a name or a number; one with a section in brackets goes up to the end of that and of the origin behind it.
func (s *imapScanner) atom() (string, bool) {
	if !s.skip() {
		return "", false
	}
	text := s.parts[0]
	end := strings.IndexAny(text, ` ()"[`)
	if end >= 0 && text[end] == '[' {
		bracket := strings.IndexByte(text, ']')
		if bracket < end {
			return "", false
		}
		end = bracket
		if more := strings.IndexAny(text[bracket:], " ("); more >= 0 {
			end += more
		} else {
			end = len(text)
		}
	}
	if end < 0 {
		end = len(text)
	}
	s.parts[0] = text[end:]
	return text[:end], end > 0
}

// value takes an atom, a quoted string, a literal, or a list, whose text is left out. NIL is "".
func (s *imapScanner) value() (string, bool) {
	switch {
	case !s.skip():
		return s.literal()
	case s.parts[0][0] == '"':
		return s.quoted()
	case s.parts[0][0] == '(':
		return "", s.list()
	}
	text, ok := s.atom()
	if strings.EqualFold(text, "NIL") {
		text = ""
	}
	return text, ok
}

func (s *imapScanner) literal() (string, bool) {
	if len(s.parts) < 3 {
		return "", false
	}
	text := s.parts[1]
	s.parts = s.parts[2:]
	return text, true
}

func (s *imapScanner) quoted() (string, bool) {
	var out strings.Builder
	text := s.parts[0]
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			s.parts[0] = text[i+1:]
			return out.String(), true
		case '\\':
			if i++; i == len(text) {
				return "", false
			}
		}
		out.WriteByte(text[i])
	}
	return "", false
}

// list passes over a list, whatever is in it.
func (s *imapScanner) list() bool {
	for depth := 0; ; {
		switch {
		case s.take('('):
			depth++
		case s.take(')'):
			if depth--; depth == 0 {
				return true
			}
		default:
			if _, ok := s.value(); !ok {
				return false
			}
		}
	}
}
