// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skywatch/internal/probetest"
)

// post is a mail system of a test: what it takes by SMTP turns up in a mailbox that IMAP and POP3 show.
type post struct {
	mu      sync.Mutex
	inbox   []string // messages; "" = deleted
	junk    []string
	held    []string
	taken   int    // messages that came by SMTP
	looks   int    // folders opened by IMAP
	hold    bool   // whether what comes is held
	toJunk  bool   // whether it goes to the folder for junk
	twice   bool   // whether each arrives twice
	lose    bool   // whether it is thrown away
	refuse  bool   // whether RCPT is refused
	mute    bool   // whether messages are taken without a word
	closed  bool   // whether the mailbox refuses all logins
	flagged bool   // whether somebody else has flagged a message for deletion, and there is no UIDPLUS
	renewed bool   // whether UIDVALIDITY changes all the time
	noJunk  string // refusal of the folder for junk; "" = there is one
}

// set changes what the system does.
func (p *post) set(change func(p *post)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// release delivers what was held.
func (p *post) release() {
	p.set(func(p *post) {
		p.hold = false
		p.inbox, p.held = append(p.inbox, p.held...), nil
	})
}

func (p *post) left() (inbox, junk int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	deleted := func(text string) bool { return text == "" }
	return len(slices.DeleteFunc(slices.Clone(p.inbox), deleted)), len(slices.DeleteFunc(slices.Clone(p.junk), deleted))
}

// take accepts a message; ok is false when nothing is to be said of it.
func (p *post) take(text string) (ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken++
	stamp := func(by string, after time.Duration) string {
		return "Received: from x by " + by + " with ESMTP id 1;\r\n\t" + time.Now().Add(after).Format(time.RFC1123Z) + "\r\n"
	}
	text = stamp("mx2.test", 3*time.Second) + stamp("mx1.test", 2*time.Second) + text
	to := &p.inbox
	switch {
	case p.lose:
		return !p.mute
	case p.hold:
		to = &p.held
	case p.toJunk:
		to = &p.junk
	}
	*to = append(*to, text)
	if p.twice {
		*to = append(*to, text)
	}
	return !p.mute
}

// say answers; a peer that is gone ends the conversation.
func say(c *probetest.Conn, lines ...string) error {
	_, err := io.WriteString(c, strings.Join(lines, "\r\n")+"\r\n")
	return err
}

// eachLine calls f for every command of a client until it leaves, or says so by giving false.
func eachLine(c *probetest.Conn, f func(line string) bool) {
	for {
		line, err := c.In.ReadString('\n')
		if err != nil || !f(strings.TrimSuffix(line, "\r\n")) {
			return
		}
	}
}

// smtp is the script of the mail server.
func (p *post) smtp() probetest.Step {
	return func(_ testing.TB, c *probetest.Conn) error {
		say(c, "220 mx1.test ESMTP")
		eachLine(c, func(line string) bool {
			switch verb, _, _ := strings.Cut(line, " "); verb {
			case "EHLO":
				say(c, "250-mx1.test", "250 AUTH PLAIN")
			case "AUTH":
				say(c, "235 2.7.0 ok")
			case "RCPT":
				p.mu.Lock()
				refuse := p.refuse
				p.mu.Unlock()
				if refuse {
					say(c, "451 4.7.1 later")
					return true
				}
				say(c, "250 ok")
			case "DATA":
				say(c, "354 go")
				var text strings.Builder
				eachLine(c, func(line string) bool { text.WriteString(line + "\r\n"); return line != "." })
				if !p.take(strings.TrimSuffix(text.String(), ".\r\n")) {
					return false
				}
				say(c, "250 2.0.0 taken")
			case "QUIT":
				say(c, "221 bye")
				return false
			default:
				say(c, "250 ok")
			}
			return true
		})
		return nil
	}
}

// header gives the header of a message as far as it is asked for.
func header(text string) string {
	head, _, _ := strings.Cut(text, "\r\n\r\n")
	return head + "\r\n\r\n"
}

// imap is the script of the mailbox server.
func (p *post) imap() probetest.Step {
	return func(_ testing.TB, c *probetest.Conn) error {
		say(c, "* OK ready")
		folder := &p.inbox
		eachLine(c, func(line string) bool {
			tag, command, _ := strings.Cut(line, " ")
			p.mu.Lock()
			defer p.mu.Unlock()
			done := func(lines ...string) { say(c, append(lines, tag+" OK done")...) }
			switch {
			case strings.HasPrefix(command, "CAPABILITY"):
				done("* CAPABILITY IMAP4rev1" + map[bool]string{false: " UIDPLUS"}[p.flagged])
			case strings.HasPrefix(command, "LOGIN") && p.closed:
				say(c, tag+" NO [UNAVAILABLE] come back later with box-pw")
			case strings.HasPrefix(command, "SELECT"):
				folder = &p.inbox
				p.looks++
				if strings.Contains(command, "Junk") && p.noJunk != "" {
					say(c, tag+" NO "+p.noJunk)
					return true
				}
				if strings.Contains(command, "Junk") {
					folder = &p.junk
				}
				validity := 1
				if p.renewed {
					validity = p.looks
				}
				done(fmt.Sprintf("* %d EXISTS", len(*folder)), fmt.Sprintf("* OK [UIDVALIDITY %d] valid", validity))
			case command == "UID SEARCH DELETED":
				done("* SEARCH 1000")
			case strings.HasPrefix(command, "UID SEARCH"):
				ids := ""
				for i, text := range *folder {
					if text != "" {
						ids += fmt.Sprintf(" %d", i+1)
					}
				}
				done("* SEARCH" + ids)
			case strings.HasPrefix(command, "UID FETCH"):
				for i, text := range *folder {
					if text != "" {
						head := header(text)
						say(c, fmt.Sprintf("* %d FETCH (UID %d BODY[HEADER.FIELDS (X-Skywatch-Token)] {%d}\r\n%s BODY[HEADER.FIELDS (Received Date)] {2}\r\n\r\n)",
							i+1, i+1, len(head), head))
					}
				}
				done()
			case strings.HasPrefix(command, "UID EXPUNGE"):
				for i := range *folder {
					if slices.Contains(ids(strings.Fields(command)[2]), i+1) {
						(*folder)[i] = ""
					}
				}
				done()
			case strings.HasPrefix(command, "LOGOUT"):
				done("* BYE")
				return false
			default:
				done()
			}
			return true
		})
		return nil
	}
}

// ids reads a set of numbers.
func ids(set string) (all []int) {
	for part := range strings.SplitSeq(set, ",") {
		var from, to int
		if n, _ := fmt.Sscanf(part, "%d:%d", &from, &to); n < 2 {
			to = from
		}
		for i := from; i <= to; i++ {
			all = append(all, i)
		}
	}
	return all
}

// pop3 is the script of the mailbox server of the other protocol.
func (p *post) pop3() probetest.Step {
	return func(_ testing.TB, c *probetest.Conn) error {
		say(c, "+OK ready")
		p.mu.Lock()
		all := slices.DeleteFunc(slices.Clone(p.inbox), func(text string) bool { return text == "" })
		p.mu.Unlock()
		var doomed []string
		eachLine(c, func(line string) bool {
			verb, argument, _ := strings.Cut(line, " ")
			var n int
			fmt.Sscan(argument, &n)
			switch verb {
			case "CAPA":
				say(c, "+OK", "USER", "TOP", ".")
			case "STAT":
				say(c, fmt.Sprintf("+OK %d 1000", len(all)))
			case "TOP":
				say(c, "+OK", strings.TrimSuffix(header(all[n-1]), "\r\n"), ".")
			case "DELE":
				doomed = append(doomed, all[n-1])
				say(c, "+OK")
			case "QUIT":
				p.set(func(p *post) {
					for _, text := range doomed {
						p.inbox[slices.Index(p.inbox, text)] = ""
					}
				})
				say(c, "+OK bye")
				return false
			default:
				say(c, "+OK")
			}
			return true
		})
		return nil
	}
}
