// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nosmtp || !nomailloop

package probes

import (
	"fmt"
	"strconv"
	"strings"

	"skywatch/internal/probe"
)

// maxReplyLines is the most lines of one reply; no server has that many extensions.
const maxReplyLines = 100

// smtpReply is a reply of RFC 5321 section 4.2. The zero value is none.
type smtpReply struct {
	code     int
	enhanced string   // such as 5.1.1, RFC 3463; "" when the server gives none
	lines    []string // without codes
}

// String gives the codes and the text in one line.
func (r smtpReply) String() string {
	head := strconv.Itoa(r.code)
	if r.enhanced != "" {
		head += " " + r.enhanced
	}
	return strings.TrimSpace(head + " " + strings.Join(r.lines, " "))
}

// fine tells whether the reply agrees to what was asked.
func (r smtpReply) fine() bool { return r.code/100 == 2 }

// refuses tells whether the reply is a proper refusal, for now or for good.
func (r smtpReply) refuses() bool { return r.code/100 == 4 || r.code/100 == 5 }

// add takes the text of a line over.
func (r *smtpReply) add(code int, text string) {
	r.code = code
	enhanced, rest := cutEnhanced(code, text)
	if len(r.lines) == 0 {
		r.enhanced = enhanced
	}
	if enhanced == r.enhanced {
		text = rest
	}
	r.lines = append(r.lines, text)
}

// cutReply takes a line of a reply apart; more tells that another line follows.
func cutReply(line string) (code int, text string, more, ok bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' {
		return 0, "", false, false
	}
	for _, digit := range line[1:3] {
		if digit < '0' || digit > '9' {
			return 0, "", false, false
		}
	}
	code, _ = strconv.Atoi(line[:3])
	if len(line) == 3 {
		return code, "", false, true
	}
	return code, line[4:], line[3] == '-', line[3] == '-' || line[3] == ' '
}

// cutEnhanced separates the enhanced status code from the text: class "." subject "." detail, where the class is that of the reply.
func cutEnhanced(code int, text string) (enhanced, rest string) {
	word, rest, _ := strings.Cut(text, " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 || parts[0] != strconv.Itoa(code/100) {
		return "", text
	}
	for _, part := range parts[1:] {
		if len(part) < 1 || len(part) > 3 || strings.Trim(part, "0123456789") != "" {
			return "", text
		}
	}
	return word, rest
}

// read reads a whole reply. want says to what, for the error.
func (c *smtpClient) read(want string) (smtpReply, error) {
	var reply smtpReply
	for range maxReplyLines {
		line, err := c.readLine(want)
		if err != nil {
			return reply, err
		}
		code, text, more, ok := cutReply(line)
		if !ok || len(reply.lines) > 0 && code != reply.code {
			return reply, probe.Failf(probe.ReasonProtocol, "reading from %q: got %s, want %s", c.server, c.r.Evidence(line), want)
		}
		reply.add(code, text)
		if !more {
			return reply, nil
		}
	}
	return reply, probe.Failf(probe.ReasonProtocol, "reading from %q: a reply of more than %d lines, want the end of %s", c.server, maxReplyLines, want)
}

// command sends a command and reads the reply to it. shown is what errors say of it.
func (c *smtpClient) command(line, shown string) (smtpReply, error) {
	if err := c.inTurn(shown); err != nil {
		return smtpReply{}, err
	}
	if err := c.say(line); err != nil {
		return smtpReply{}, err
	}
	reply, err := c.read("a reply to " + shown)
	if err == nil {
		c.last = reply
	}
	return reply, err
}

// inTurn refuses what the server said without having been asked: it would be taken for the reply to the next command. A server that shuts
// down may say so at any time (RFC 5321 section 3.8).
func (c *smtpClient) inTurn(shown string) error {
	n := c.talk.in.Buffered()
	if n == 0 {
		return nil
	}
	early, _ := c.talk.in.Peek(n)
	if strings.HasPrefix(string(early), "421") {
		return nil
	}
	return probe.Failf(probe.ReasonProtocol, "sending %s to %q: got %s before it, want nothing", shown, c.server, c.r.Evidence(string(early)))
}

// ask is command for one that must be agreed to.
func (c *smtpClient) ask(line string) (smtpReply, error) {
	shown := strconv.Quote(line)
	reply, err := c.command(line, shown)
	if err == nil && !reply.fine() {
		err = c.refusal("sending "+shown+" to", reply, "2xx")
	}
	return reply, err
}

// refusal is the failure that a reply means. One that is neither agreement nor refusal has no place here.
func (c *smtpClient) refusal(doing string, reply smtpReply, want string) error {
	reason, what := probe.ReasonResponse, "refused with"
	switch {
	case reply.code/100 == 4:
		what = "put off with"
	case !reply.refuses():
		reason, what = probe.ReasonProtocol, "got"
	}
	return probe.Failf(reason, "%s %q: %s %s, want %s", doing, c.server, what, c.r.Evidence(reply.String()), want)
}

// recordStatus shows the reply that decided.
func (c *smtpClient) recordStatus() {
	if c.descs.status == nil || c.last.code == 0 {
		return
	}
	c.r.Set(c.descs.status, 1, strconv.Itoa(c.last.code), c.last.enhanced)
	c.r.Fact("status", strings.TrimSpace(fmt.Sprintf("%d %s", c.last.code, c.last.enhanced)))
}
