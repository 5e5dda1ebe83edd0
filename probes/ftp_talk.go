// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noftp

package probes

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"skywatch/internal/probe"
)

// The bounds of a reply.
const (
	ftpLinesMax = 1000    // lines: a banner may be long
	ftpTextMax  = 2 << 10 // bytes kept
)

// ftpTalk is a control connection.
type ftpTalk struct {
	*textLink
	epsv, pasv bool // the ways to a data connection that are still worth trying
	protected  bool // data connections are TLS ones
}

// ftpReply is an answer of the server.
type ftpReply struct {
	code int
	text string // the lines, of a long reply the first ones; the code is in front of the first
}

// String gives the text in one line.
func (a ftpReply) String() string { return strings.ReplaceAll(a.text, "\n", " ") }

// reply reads an answer. RFC 959, 4.2: one of several lines begins with the code and "-" and ends with a line that begins with the same
// code and a space; what lines are in between does not matter.
func (f *ftpTalk) reply(want string) (ftpReply, error) {
	line, err := f.readLine(want)
	if err != nil {
		return ftpReply{}, err
	}
	code, more, ok := ftpCode(line)
	if !ok {
		return ftpReply{}, probe.Failf(probe.ReasonProtocol, "reading from %q: got %s, want %s that begins with a code", f.server, f.r.Evidence(line), want)
	}
	answer := ftpReply{code, line}
	for lines := 1; more; lines++ {
		if lines == ftpLinesMax {
			return ftpReply{}, probe.Failf(probe.ReasonProtocol, "reading from %q: got %d lines and no end, want %s", f.server, lines, want)
		}
		if line, err = f.readLine("the end of " + want); err != nil {
			return ftpReply{}, err
		}
		if len(answer.text) < ftpTextMax {
			answer.text += "\n" + line
		}
		if end, on, ok := ftpCode(line); ok && end == code && !on {
			more = false
		}
	}
	return answer, nil
}

// ftpCode reads the code that a line begins with; more tells whether its reply goes on.
func ftpCode(line string) (code int, more, ok bool) {
	if len(line) < 3 || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return 0, false, false
	}
	for _, digit := range line[:3] {
		if digit < '0' || digit > '9' {
			return 0, false, false
		}
		code = code*10 + int(digit-'0')
	}
	return code, len(line) > 3 && line[3] == '-', code >= 100 && code < 600
}

// ask sends a command and reads the answer, which must have one of the codes. doing is for the error.
func (f *ftpTalk) ask(doing, command string, codes ...int) (ftpReply, error) {
	if err := f.say(command); err != nil {
		return ftpReply{}, err
	}
	return f.expect(doing, "a reply to "+doing, codes...)
}

// expect reads an answer, which must have one of the codes. want says what it is to be, for when none comes.
func (f *ftpTalk) expect(doing, want string, codes ...int) (ftpReply, error) {
	answer, err := f.reply(want)
	if err != nil || slices.Contains(codes, answer.code) {
		return answer, err
	}
	return answer, f.unwanted(doing, answer, codes...)
}

// unwanted is the failure for an answer: a refusal is one, agreeing to something else breaks the rules.
func (f *ftpTalk) unwanted(doing string, answer ftpReply, codes ...int) error {
	reason := probe.ReasonResponse
	if answer.code < 400 {
		reason = probe.ReasonProtocol
	}
	return f.refusal(reason, doing, answer, codes...)
}

func (f *ftpTalk) refusal(reason probe.Reason, doing string, answer ftpReply, codes ...int) error {
	var want []string
	for _, code := range codes {
		want = append(want, strconv.Itoa(code))
	}
	return probe.Failf(reason, "%s at %q: got %s, want %s", doing, f.server, f.r.Evidence(answer.String()), strings.Join(want, " or "))
}

// greet waits for the server to be ready; 120 says that it will be soon.
func (f *ftpTalk) greet() error {
	answer, err := f.reply("a greeting")
	if err == nil && answer.code == 120 {
		answer, err = f.reply("a greeting")
	}
	if err != nil {
		return err
	}
	if answer.code != 220 {
		return f.unwanted("connecting", answer, 220)
	}
	banner, _, _ := strings.Cut(answer.text, "\n")
	f.r.Set(descFTPBanner, 1, f.shortBanner(strings.TrimLeft(banner[3:], " -")))
	f.done("greeting")
	return nil
}

// features is what a server answers before a login: with a list (RFC 2389) or by not knowing the command.
func (f *ftpTalk) features() error {
	answer, err := f.ask("asking for features", "FEAT", 211)
	if err != nil && answer.code < 500 {
		return err
	}
	f.done("features")
	return nil
}

// quit says goodbye. A server that just goes away has understood as well.
func (f *ftpTalk) quit() error {
	if err := f.say("QUIT"); err != nil {
		return err
	}
	err := f.talk.readLine()
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		return f.talk.readError("a reply to QUIT", err)
	}
	f.done("quit")
	return nil
}
