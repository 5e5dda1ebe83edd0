// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nosmtp || !nomailloop

package probes

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"skywatch/internal/probe"
)

// maxRecipients is how many recipients a module may have.
const maxRecipients = 20

// checkMailbox accepts an address that can stand in a command and in a header field as it is.
func checkMailbox(address string) error {
	at := strings.LastIndexByte(address, '@')
	bad := func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("<>(),;:\\\"[]", c) }
	if at < 1 || at > 64 || at == len(address)-1 || len(address) > 254 || strings.IndexFunc(address, bad) >= 0 {
		return fmt.Errorf("found %q, want an address such as watch@example.org", address)
	}
	return nil
}

// envelope says who sends and who is to get it.
func (c *smtpClient) envelope(from string, to []string) error {
	if _, err := c.ask("MAIL FROM:<" + from + ">"); err != nil {
		return err
	}
	c.done("mail")
	for _, recipient := range to {
		if _, err := c.ask("RCPT TO:<" + recipient + ">"); err != nil {
			return err
		}
	}
	c.done("rcpt")
	return nil
}

// rehearse asks whether a message would be taken, and sends none.
func (c *smtpClient) rehearse(from string, to []string) error {
	if err := c.envelope(from, to); err != nil {
		return err
	}
	decided := c.last
	_, err := c.ask("RSET")
	if err == nil {
		c.last = decided
	}
	return err
}

// errDoubtful is wrapped by the failure of a message that was sent whole, and of which the server then said neither yes nor no.
var errDoubtful = errors.New("the message may be on its way")

// deliver sends a message, and gives the reply by which the server takes the responsibility for it. Lines of the message end with CRLF.
func (c *smtpClient) deliver(from, to, message string) (smtpReply, error) {
	if err := c.envelope(from, []string{to}); err != nil {
		return c.last, err
	}
	reply, err := c.command("DATA", "DATA")
	if err != nil {
		return reply, err
	}
	if reply.code != 354 {
		return reply, c.refusal("sending DATA to", reply, "354")
	}
	stuffed := strings.ReplaceAll("\r\n"+message, "\r\n.", "\r\n..")[2:] // RFC 5321 section 4.5.2
	if err := c.inTurn("a message"); err != nil {
		return reply, err
	}
	if err := c.talk.write(stuffed + ".\r\n"); err != nil {
		return reply, err
	}
	if reply, err = c.read("a reply to the message"); err != nil {
		return reply, probe.Failf(probe.ReasonOf(err), "%w (%w)", err, errDoubtful)
	}
	c.last = reply
	if !c.last.fine() {
		return c.last, c.refusal("sending a message to", c.last, "2xx")
	}
	c.done("data")
	return c.last, nil
}

// newProbeMail writes the message that probes send (RFC 5322). It has the signed token, and says that nobody need answer (RFC 3834).
func newProbeMail(signer mailSigner, token, from, to string) string {
	var b strings.Builder
	_, domain, _ := strings.Cut(from, "@")
	now := time.Now()
	fmt.Fprintf(&b, "From: skywatch <%s>\r\nTo: %s\r\nSubject: skywatch probe %s\r\n", from, to, token)
	fmt.Fprintf(&b, "Date: %s\r\nMessage-ID: <%s@%s>\r\nAuto-Submitted: auto-generated\r\n", now.Format(time.RFC1123Z), token, domain)
	fmt.Fprintf(&b, "%s: %s\r\n", tokenHeader, signer.sign(to, token))
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n" +
		"skywatch sent this message to test the delivery of mail. It can be deleted.\r\n")
	return b.String()
}
