// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap || !nomailloop

package probes

import (
	"slices"
	"strconv"
	"strings"

	"skywatch/internal/probe"
)

// maxLiteral is the longest literal that is taken. What is asked for is shorter.
const maxLiteral = 64 << 10

// imapResponse is one response of a server: text and literals in turn, beginning and ending with text. The tag is not in the text, nor is
// the length of a literal.
type imapResponse struct {
	tag   string // "*" = untagged, "+" = the server waits for more
	parts []string
}

// imapStatus is a response that says how something went (RFC 9051, 7.1).
type imapStatus struct {
	condition  string // OK, NO, BAD, BYE or PREAUTH
	code, args string // of the response code in brackets, in upper case and as it came; "" without one
	text       string // for humans
}

var imapConditions = []string{"OK", "NO", "BAD", "BYE", "PREAUTH"}

// status takes a response as a status, if it is one.
func (p imapResponse) status() (s imapStatus, ok bool) {
	condition, rest, _ := strings.Cut(p.parts[0], " ")
	s.condition = strings.ToUpper(condition)
	if len(p.parts) > 1 || !slices.Contains(imapConditions, s.condition) {
		return imapStatus{}, false
	}
	s.text = rest
	if inside, text, found := strings.Cut(rest, "]"); found && strings.HasPrefix(inside, "[") {
		code, args, _ := strings.Cut(inside[1:], " ")
		s.code, s.args, s.text = strings.ToUpper(code), args, strings.TrimPrefix(text, " ")
	}
	return s, true
}

// final tells whether the status can end a command.
func (s imapStatus) final() bool {
	return s.condition == "OK" || s.condition == "NO" || s.condition == "BAD"
}

// answer is the status as the server said it, for an error.
func (s imapStatus) answer() string {
	switch {
	case s.code == "":
		return s.condition + " " + s.text
	case s.args == "":
		return s.condition + " [" + s.code + "] " + s.text
	}
	return s.condition + " [" + s.code + " " + s.args + "] " + s.text
}

// line is the response in one text, for an error.
func (p imapResponse) line() string {
	return strings.TrimLeft(p.tag+" "+strings.Join(p.parts, ""), " ")
}

// response reads one response with its literals. want says what it should be, for the error.
func (c *imapClient) response(want string) (imapResponse, error) {
	line, err := c.readLine(want)
	if err != nil {
		return imapResponse{}, err
	}
	tag, text, _ := strings.Cut(line, " ")
	resp := imapResponse{tag: tag, parts: []string{text}}
	if _, isStatus := resp.status(); isStatus || tag != "*" {
		return resp, nil // human text may look like a literal
	}
	for {
		text, size, found := cutLiteral(resp.parts[len(resp.parts)-1])
		if !found {
			return resp, nil
		}
		if size > maxLiteral {
			return resp, probe.Failf(probe.ReasonProtocol, "reading from %q: got a literal of %d bytes after %s, want at most %d",
				c.server, size, c.r.Evidence(text), maxLiteral)
		}
		resp.parts[len(resp.parts)-1] = text
		literal, err := c.readBytes(int(size), "a literal")
		if err != nil {
			return resp, err
		}
		rest, err := c.readLine("the rest of a response")
		if err != nil {
			return resp, err
		}
		resp.parts = append(resp.parts, literal, rest)
	}
}

// cutLiteral takes the length of a literal off the end of a line (RFC 9051, 4.3). A length beyond all numbers is the largest one.
func cutLiteral(line string) (text string, size uint64, found bool) {
	if !strings.HasSuffix(line, "}") {
		return line, 0, false
	}
	open := strings.LastIndexByte(line, '{')
	if open < 0 {
		return line, 0, false
	}
	digits := strings.TrimSuffix(line[open+1:len(line)-1], "+")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return line, 0, false
	}
	size, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		size = ^uint64(0)
	}
	return strings.TrimSuffix(line[:open], "~"), size, true
}

// imapUIDs is what SEARCH found.
type imapUIDs struct {
	all   []uint32
	count uint32 // of ESEARCH; else as many as all
}

// take reads a SEARCH or ESEARCH response (RFC 9051, 7.3.4; RFC 4731); others are left alone. It fails on numbers that are none.
func (u *imapUIDs) take(p imapResponse) bool {
	fields := strings.Fields(p.parts[0])
	if len(fields) == 0 {
		return true
	}
	switch strings.ToUpper(fields[0]) {
	case "SEARCH":
		for _, field := range fields[1:] {
			if strings.HasPrefix(field, "(") {
				break // (MODSEQ n), RFC 7162
			}
			n, err := strconv.ParseUint(field, 10, 32)
			if err != nil || n == 0 {
				return false
			}
			u.all = append(u.all, uint32(n))
		}
		u.count = uint32(len(u.all))
	case "ESEARCH":
		at := slices.IndexFunc(fields, func(s string) bool { return strings.EqualFold(s, "COUNT") })
		if at < 0 || at+1 >= len(fields) {
			return false
		}
		n, err := strconv.ParseUint(fields[at+1], 10, 32)
		u.count = uint32(n)
		return err == nil
	}
	return true
}

// imapSet writes UIDs as a set (RFC 9051, 9), runs as ranges. ids are sorted.
func imapSet(ids []uint32) string {
	var set strings.Builder
	for i := 0; i < len(ids); {
		end := i
		for end+1 < len(ids) && ids[end+1] <= ids[end]+1 {
			end++
		}
		if i > 0 {
			set.WriteByte(',')
		}
		set.WriteString(strconv.FormatUint(uint64(ids[i]), 10))
		if ids[end] > ids[i] {
			set.WriteString(":" + strconv.FormatUint(uint64(ids[end]), 10))
		}
		i = end + 1
	}
	return set.String()
}
