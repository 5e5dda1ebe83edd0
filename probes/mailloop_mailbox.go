// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomailloop

package probes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"skywatch/internal/probe"
)

// The protocols by which a mailbox is read.
const (
	mailboxIMAP = "imap"
	mailboxPOP3 = "pop3"
)

// mailbox is where messages arrive, with a login that was accepted.
type mailbox interface {
	// look gives the messages that carry a token, whoever made it; one that was given before need not be given again. whole tells whether
	// these are all there are; otherwise more may turn up once these are removed.
	look(ctx context.Context) (found []loopMessage, whole bool, err error)
	// remove deletes messages that the last look gave, and tells which are gone for good: all, or as many as there was time for.
	remove(ctx context.Context, messages []loopMessage) ([]loopMessage, error)
	// close ends the connection.
	close()
}

// loopMessage is a message with a token.
type loopMessage struct {
	markedMessage
	junk bool // whether it is in the folder for unwanted mail
}

// LoopMailbox is `mailbox` of mailloop: how to get at the messages.
type LoopMailbox struct {
	Protocol      string `yaml:"protocol"`         // mailboxIMAP or mailboxPOP3
	Server        string `yaml:"server,omitempty"` // host or host:port; "" = the host that takes the mail, at the standard port
	ServiceConfig `yaml:",inline"`
	Auth          string `yaml:"auth,omitempty"` // as in the prober of the protocol; "" = its default
	Folder        string `yaml:"folder"`         // of IMAP
	Junk          string `yaml:"junk"`           // of IMAP; "" = none
}

// validate checks the keys. It is for use in Validate.
func (c *LoopMailbox) validate() error {
	if err := c.ServiceConfig.validate(); err != nil {
		return err
	}
	switch c.Protocol {
	case mailboxIMAP:
		c.ready.plain, c.ready.secured = 143, 993
		if c.Auth == "" {
			c.Auth = authLogin
		}
		if err := validateIMAPAuth(c.Auth); err != nil {
			return err
		}
	case mailboxPOP3:
		c.ready.plain, c.ready.secured = 110, 995
		if c.Auth == "" {
			c.Auth = authUser
		}
		if err := validatePOP3Auth(c.Auth); err != nil {
			return err
		}
	default:
		return fmt.Errorf("protocol: found %q, want %s or %s", c.Protocol, mailboxIMAP, mailboxPOP3)
	}
	if c.Folder == "" {
		return errors.New("folder: empty, want a name such as INBOX")
	}
	if c.Junk == c.Folder || strings.EqualFold(c.Folder, "INBOX") && strings.EqualFold(c.Junk, "INBOX") { // RFC 9051, 5.1
		return fmt.Errorf("junk: found %q, which is the folder too, want another or \"\"", c.Junk)
	}
	if c.Server == "" {
		return nil
	}
	if err := c.CheckTarget(probe.NewTarget(c.Server)); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	return nil
}

// ownLogin tells whether an account is given here; otherwise it is that of the sending.
func (c *LoopMailbox) ownLogin() bool { return c.wanted(probe.Target{}) }

// open connects and logs in.
func (c *LoopMailbox) open(ctx context.Context, t probe.Target, r *probe.Recorder) (mailbox, error) {
	if c.Protocol == mailboxPOP3 {
		box := &pop3Box{config: c, target: t, r: r}
		return box, box.connect(ctx)
	}
	client, err := openIMAP(ctx, &c.ServiceConfig, t, descLoopMailbox, 0, r)
	if err != nil {
		return nil, err
	}
	l, err := loopLogin(client.link)
	if err == nil {
		err = client.logIn(l, c.Auth)
	}
	if err != nil {
		client.close()
		return nil, err
	}
	return &imapBox{client: client, config: c, shown: make(map[string]bool)}, nil
}

// loopLogin is link.login where there must be one.
func loopLogin(l *link) (*login, error) {
	who, err := l.login()
	if err == nil && who == nil {
		err = probe.Failf(probe.ReasonConfig, "logging in to %q: no account given, want a username or a credential, to look into the mailbox", l.server)
	}
	return who, err
}

// imapBox is a mailbox of one or two folders. It shows each message once, and no more than maxMarked on a connection, however often it is
// looked at: what stays in the mailbox shall not use up the bytes that a server may send.
type imapBox struct {
	client *imapClient
	config *LoopMailbox
	noJunk bool            // whether there is no folder for unwanted mail
	shown  map[string]bool // by folder and UID
}

func (b *imapBox) look(context.Context) (all []loopMessage, whole bool, err error) {
	all, whole, err = b.lookInto(b.config.Folder, false)
	if err != nil || b.config.Junk == "" || b.noJunk {
		return all, whole, err
	}
	junk, wholeJunk, err := b.lookInto(b.config.Junk, true)
	if noSuchFolder(err) {
		b.client.r.Log.Warn("no folder for junk", "folder", b.config.Junk, "err", err)
		b.noJunk = true
		return all, whole, nil
	}
	return append(all, junk...), whole && wholeJunk, err
}

// lookInto selects a folder, anew each time, which is when a server tells of what has arrived.
func (b *imapBox) lookInto(folder string, junk bool) ([]loopMessage, bool, error) {
	if _, err := b.client.openFolder(folder, false); err != nil {
		return nil, false, err
	}
	uids, err := b.client.markedUIDs()
	if err != nil {
		return nil, false, err
	}
	key := func(uid uint32) string { return fmt.Sprint(uid, folder) }
	uids = slices.DeleteFunc(uids, func(uid uint32) bool { return b.shown[key(uid)] })
	room := max(0, maxMarked-len(b.shown))
	whole := len(uids) <= room
	uids = uids[max(0, len(uids)-room):]
	for _, uid := range uids {
		b.shown[key(uid)] = true
	}
	marked, err := b.client.headers(uids)
	return loopMessages(marked, junk), whole, err
}

func loopMessages(marked []markedMessage, junk bool) (all []loopMessage) {
	for _, m := range marked {
		all = append(all, loopMessage{m, junk})
	}
	return all
}

func (b *imapBox) remove(ctx context.Context, messages []loopMessage) (removed []loopMessage, err error) {
	for _, folder := range []string{b.config.Folder, b.config.Junk} {
		var here []loopMessage
		var ids []uint32
		for _, m := range messages {
			if m.junk == (folder == b.config.Junk) {
				here, ids = append(here, m), append(ids, m.id)
			}
		}
		if len(ids) == 0 {
			continue
		}
		if b.client.folder != folder {
			if _, err := b.client.openFolder(folder, false); err != nil {
				return removed, err
			}
		}
		gone, err := b.client.delete(ids, false)
		if err != nil {
			return removed, err
		}
		if gone == len(ids) {
			removed = append(removed, here...)
		}
	}
	return removed, nil
}

func (b *imapBox) close() {
	b.client.done("fetch") // or logout would seem to have taken so long
	if err := b.client.logout(); err != nil {
		b.client.r.Log.Debug("LOGOUT is not answered", "err", err)
	}
	b.client.close()
}

// pop3Box is a mailbox of POP3, which shows what was there at the login, and deletes at the end of a session. Each look and each removal is
// thus followed by another session.
type pop3Box struct {
	config *LoopMailbox
	target probe.Target
	r      *probe.Recorder
	client *pop3Client // nil between sessions
	looked bool        // whether this session has shown what it can
}

func (b *pop3Box) connect(ctx context.Context) error {
	client, err := openPOP3(ctx, &b.config.ServiceConfig, b.target, descLoopMailbox, 0, b.r)
	if err != nil {
		return err
	}
	l, err := loopLogin(client.link)
	if err == nil {
		err = client.logIn(l, b.config.Auth)
	}
	if err == nil {
		err = client.stat()
	}
	if err != nil {
		client.close()
		return err
	}
	b.client = client
	return nil
}

func (b *pop3Box) look(ctx context.Context) ([]loopMessage, bool, error) {
	if b.looked {
		if err := b.finish(); err != nil {
			return nil, false, err
		}
	}
	if b.client == nil {
		if err := b.connect(ctx); err != nil {
			return nil, false, err
		}
	}
	marked, err := b.client.marked(ctx)
	if err != nil {
		return nil, false, err
	}
	b.looked = true
	whole := !b.client.partial
	if len(marked) == 0 { // the mailbox may be locked while somebody looks at it
		err = b.finish()
	}
	return loopMessages(marked, false), whole, err
}

func (b *pop3Box) remove(ctx context.Context, messages []loopMessage) ([]loopMessage, error) {
	var ids []uint32
	for _, m := range messages {
		ids = append(ids, m.id)
	}
	deleted, err := b.client.delete(ctx, ids)
	if err != nil {
		return nil, err
	}
	return messages[:deleted], b.finish()
}

// finish ends a session, in which deletions are carried out.
func (b *pop3Box) finish() error {
	client := b.client
	b.client, b.looked = nil, false
	if client == nil {
		return nil
	}
	defer client.close()
	client.done("fetch") // as in imapBox.close
	return client.quit()
}

func (b *pop3Box) close() {
	if err := b.finish(); err != nil {
		b.r.Log.Debug("QUIT is not answered", "err", err)
	}
}
