// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap || !nopop3

package probes

import (
	"errors"
	"fmt"
	"slices"

	"skywatch/internal/probe"
)

// The forms of `delete` of a mailbox.
const (
	deleteNone = "none" // the mailbox is only read
	deleteOwn  = "own"  // messages whose token this skywatch signed for the mailbox
	deleteAll  = "all"  // every message
)

// maxDeleted is how many messages a probe deletes; the next one goes on.
const maxDeleted = 1000

// MailboxConfig is what the probers that read a mailbox do in it, embedded inline.
type MailboxConfig struct {
	Delete      string  `yaml:"delete"`                 // deleteNone, deleteOwn or deleteAll
	Mailbox     string  `yaml:"mailbox,omitempty"`      // address that the messages to delete were sent to; "" = the username
	MinMessages *uint32 `yaml:"min_messages,omitempty"` // fewer are a failure; nil = no bound
	MaxMessages *uint32 `yaml:"max_messages,omitempty"` // more are a failure; nil = no bound
}

// defaultMailboxConfig is what a module has that says nothing.
var defaultMailboxConfig = MailboxConfig{Delete: deleteNone}

// validate checks the keys. It is for use in Validate.
func (c *MailboxConfig) validate() error {
	if !slices.Contains([]string{deleteNone, deleteOwn, deleteAll}, c.Delete) {
		return fmt.Errorf("delete: found %q, want %s, %s or %s", c.Delete, deleteNone, deleteOwn, deleteAll)
	}
	if c.Mailbox != "" && c.Delete != deleteOwn {
		return errors.New("mailbox: only used with delete: own, want that too")
	}
	if c.MinMessages != nil && c.MaxMessages != nil && *c.MinMessages > *c.MaxMessages {
		return fmt.Errorf("min_messages %d is above max_messages %d, want a range", *c.MinMessages, *c.MaxMessages)
	}
	return nil
}

// Warnings tells what is worth a line when the module is loaded.
func (c *MailboxConfig) Warnings() []string {
	if c.Delete == deleteAll {
		return []string{"delete: all removes every message of the mailbox, whoever sent it; delete: own removes those of skywatch alone"}
	}
	return nil
}

// needsLogin tells whether there is anything to do that only an owner of the mailbox can.
func (c *MailboxConfig) needsLogin() bool {
	return c.Delete != deleteNone || c.MinMessages != nil || c.MaxMessages != nil
}

// expects compares a number of messages with the bounds. what says which they are, where with their server.
func (c *MailboxConfig) expects(n uint32, what, where string) error {
	switch {
	case c.MinMessages != nil && n < *c.MinMessages:
		return probe.Failf(probe.ReasonResponse, "counting %s in %s: found %d, want at least %d", what, where, n, *c.MinMessages)
	case c.MaxMessages != nil && n > *c.MaxMessages:
		return probe.Failf(probe.ReasonResponse, "counting %s in %s: found %d, want at most %d", what, where, n, *c.MaxMessages)
	}
	return nil
}

// mine leaves those messages whose token this skywatch signed for the mailbox, which is that of the login (nil = nobody) if none is given.
func (c *MailboxConfig) mine(all []markedMessage, l *login, r *probe.Recorder) ([]uint32, error) {
	signer, err := mailSignerOf(r)
	if err != nil {
		return nil, err
	}
	mailbox := c.Mailbox
	if mailbox == "" && l != nil {
		mailbox = l.username
	}
	var ids []uint32
	for _, m := range all {
		if _, ok := signer.verify(mailbox, m.token); ok {
			ids = append(ids, m.id)
		}
	}
	if foreign := len(all) - len(ids); foreign > 0 {
		r.Log.Info("messages with a token that is not ours are left alone", "messages", foreign, "mailbox", mailbox)
	}
	return ids, nil
}
