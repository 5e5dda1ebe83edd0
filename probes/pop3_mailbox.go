// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nopop3 || !nomailloop

package probes

import (
	"context"
	"fmt"
	"strings"
	"time"

	"skywatch/internal/probe"
)

// The bounds of what is read of a mailbox.
const (
	topBatch        = 5         // TOP commands sent before their replies are read, where the server takes several (PIPELINING)
	deleBatch       = 50        // the same of DELE, whose replies are short
	maxHeaderBytes  = 64 << 10  // kept of one header
	maxHeadersBytes = 400 << 10 // of headers read by one probe; no further batch is begun beyond that
)

// stat asks how many messages there are.
func (c *pop3Client) stat() error {
	doing := "counting the messages on " + c.quotedServer()
	answer, err := c.must(doing, "STAT", "their number and size")
	if err != nil {
		return err
	}
	if n, _ := fmt.Sscanf(answer.text, "%d %d", &c.messages, &c.octets); n != 2 {
		return probe.Failf(probe.ReasonProtocol, "%s: got %s, want their number and size", doing, c.r.Evidence(answer.line()))
	}
	return nil
}

// marked gives those messages that carry a token, newest first, of more than maxMarked messages the newest. It reads headers for half of
// the time that is left and up to a bound of bytes. The headers are not for the trace: they are of any letter.
func (c *pop3Client) marked(ctx context.Context) ([]markedMessage, error) {
	var all []markedMessage
	late, read := halfTime(ctx), 0
	lowest := c.messages - min(c.messages, maxMarked)
	c.r.Log.Debug("looking at the headers of messages, which are not shown", "messages", c.messages-lowest)
	c.hush(true)
	defer c.hush(false)
	c.allowLines(maxLine)
	defer c.allowLines(maxReplyLine)
	step := c.batch(topBatch)
	n := c.messages
	for n > lowest && !late() && read < maxHeadersBytes {
		last := n - min(n-lowest, step)
		for id := n; id > last; id-- {
			if err := c.say(fmt.Sprintf("TOP %d 0", id)); err != nil {
				return nil, err
			}
		}
		for ; n > last; n-- {
			header, size, err := c.header(n)
			if err != nil {
				return nil, err
			}
			read += size
			if m := mark(n, header); m.token != "" {
				all = append(all, m)
			}
		}
	}
	c.partial = n > 0
	return all, nil
}

// batch is how many commands may go out before their replies are read (RFC 2449, 6.6).
func (c *pop3Client) batch(most uint32) uint32 {
	if c.can("PIPELINING") {
		return most
	}
	return 1
}

// header reads the reply to TOP, and tells how many bytes that were.
func (c *pop3Client) header(id uint32) (text string, size int, err error) {
	want := fmt.Sprintf("the header of message %d", id)
	answer, err := c.reply(want)
	if err == nil && !answer.ok {
		err = probe.Failf(probe.ReasonResponse, "fetching %s from %q: refused with %s, want it", want, c.server, c.r.Evidence(answer.line()))
	}
	if err != nil {
		return "", 0, err
	}
	var header strings.Builder
	err = c.lines(want, func(line string) error {
		size += len(line) + 2
		if size <= maxHeaderBytes {
			header.WriteString(line)
			header.WriteString("\r\n")
		}
		return nil
	})
	return header.String(), size, err
}

// remove marks messages for deletion, which quit carries out.
func (c *pop3Client) remove(ctx context.Context, ids []uint32) error {
	_, err := c.delete(ctx, ids)
	return err
}

// delete is remove for half of the time that is left; it tells how many messages it came to.
func (c *pop3Client) delete(ctx context.Context, ids []uint32) (deleted int, err error) {
	late, step := halfTime(ctx), int(c.batch(deleBatch))
	for len(ids) > 0 && !late() {
		batch := ids[:min(len(ids), step)]
		ids = ids[len(batch):]
		for _, id := range batch {
			if err := c.say(fmt.Sprintf("DELE %d", id)); err != nil {
				return deleted, err
			}
		}
		for _, id := range batch {
			answer, err := c.reply("an answer to DELE")
			if err != nil {
				return deleted, err
			}
			if !answer.ok {
				return deleted, probe.Failf(probe.ReasonResponse, "deleting message %d on %q: refused with %s, want it deleted", id, c.server, c.r.Evidence(answer.line()))
			}
			deleted++
		}
	}
	return deleted, nil
}

// halfTime tells when half of the time that is left has passed: a mailbox too full for one probe is cleaned by several. Without a deadline
// it never does.
func halfTime(ctx context.Context) func() bool {
	deadline, ok := ctx.Deadline()
	if !ok {
		return func() bool { return false }
	}
	half := time.Now().Add(time.Until(deadline) / 2)
	return func() bool { return time.Now().After(half) }
}
