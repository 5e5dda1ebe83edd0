// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap

package probes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"skywatch/internal/probe"
)

func init() { register("imap", newIMAP, slices.Concat(serviceDescs, imapDescs)...) }

var (
	descIMAP           = phaseDesc("imap", "resolve, connect, tls, greeting, auth, select, search, delete, noop, logout")
	descIMAPBanner     = bannerDesc("imap")
	descIMAPCapability = capabilityDesc("imap")
	descIMAPMessages   = &probe.Desc{Name: "probe_imap_messages", Help: "Messages in the folder when it was opened."}
	descIMAPFound      = &probe.Desc{Name: "probe_imap_search_messages", Help: "Messages that the search found."}
	descIMAPDeleted    = &probe.Desc{Name: "probe_imap_deleted_messages", Help: "Messages that the probe deleted."}

	imapDescs = []*probe.Desc{descIMAP, descIMAPBanner, descIMAPCapability, descIMAPMessages, descIMAPFound, descIMAPDeleted}
)

// imapInbox is the folder that every mailbox has.
const imapInbox = "INBOX"

// IMAP logs in, opens a folder, and may search and delete in it. Without a login it goes no further than the capabilities.
type IMAP struct {
	ServiceConfig `yaml:",inline"`
	MailboxConfig `yaml:",inline"`
	Auth          string `yaml:"auth"`             // authLogin, authPlain, authCRAMMD5 or authXOAUTH2
	Folder        string `yaml:"folder"`           // to open
	Search        string `yaml:"search,omitempty"` // keys as in RFC 9051, 6.4.4; "" = none
}

func newIMAP(o Options) probe.Prober {
	return &IMAP{ServiceConfig: newServiceConfig(o, 143, 993), MailboxConfig: defaultMailboxConfig, Auth: authLogin, Folder: imapInbox}
}

// Validate checks the module.
func (p *IMAP) Validate() error {
	if err := errors.Join(p.ServiceConfig.validate(), p.MailboxConfig.validate(), validateIMAPAuth(p.Auth)); err != nil {
		return err
	}
	if p.Folder == "" {
		return errors.New("folder: empty, want a name such as INBOX")
	}
	if err := validateSearch(p.Search); err != nil {
		return fmt.Errorf("search: %w", err)
	}
	return nil
}

// Probe succeeds when the login and the work in the folder do.
func (p *IMAP) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	return p.ready.dialer.each(ctx, r, func(ctx context.Context, r *probe.Recorder) error { return p.attempt(ctx, t, r) })
}

// attempt probes one address.
func (p *IMAP) attempt(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	c, err := openIMAP(ctx, &p.ServiceConfig, t, descIMAP, 0, r)
	if err != nil {
		return err
	}
	defer c.close()
	r.Set(descIMAPBanner, 1, c.banner)
	l, err := c.login()
	if err != nil {
		return err
	}
	if l != nil {
		if err := c.logIn(l, p.Auth); err != nil {
			return err
		}
	}
	recordCapabilities(r, descIMAPCapability, c.caps)
	found := func() error { return nil }
	if l != nil || c.known {
		if found, err = p.work(ctx, c, l, r); err != nil {
			return err
		}
	} else if p.Search != "" || p.Folder != imapInbox || p.needsLogin() {
		return probe.Failf(probe.ReasonConfig, "logging in to %q: no account given, want a username or a credential, to look into the mailbox", c.server)
	}
	if _, err := c.must("calling "+c.quotedServer(), "NOOP", "an answer", nil); err != nil {
		return err
	}
	c.done("noop")
	return errors.Join(c.logout(), found())
}

// work is what is done in the folder. found judges the number of messages once all is done.
func (p *IMAP) work(ctx context.Context, c *imapClient, l *login, r *probe.Recorder) (found func() error, err error) {
	messages, err := c.openFolder(p.Folder, p.Delete == deleteNone)
	if err != nil {
		return nil, err
	}
	r.Set(descIMAPMessages, float64(messages))
	c.done("select")
	count, what := messages, "messages"
	if p.Search != "" {
		if count, err = c.count(p.Search); err != nil {
			return nil, err
		}
		what = "messages that the search finds"
		r.Set(descIMAPFound, float64(count))
		c.done("search")
	}
	if p.Delete != deleteNone {
		deleted, err := p.clean(ctx, c, l, messages, r)
		if err != nil {
			return nil, err
		}
		r.Set(descIMAPDeleted, float64(deleted))
		c.done("delete")
	}
	return func() error { return p.expects(count, what, c.where(p.Folder)) }, nil
}

// clean deletes what is to be deleted, and tells how many messages that were.
func (p *IMAP) clean(ctx context.Context, c *imapClient, l *login, messages uint32, r *probe.Recorder) (int, error) {
	if p.Delete == deleteAll {
		uids, err := c.oldest(min(messages, maxDeleted))
		if err != nil {
			return 0, err
		}
		return c.delete(uids, true)
	}
	marked, err := c.marked(ctx)
	if err != nil {
		return 0, err
	}
	own, err := p.mine(marked, l, r)
	if err != nil {
		return 0, err
	}
	return c.delete(own, false)
}

// validateSearch refuses what would be another command than a search, or one that cannot be put into one line.
func validateSearch(keys string) error {
	depth, quoted := 0, false
	for i := 0; i < len(keys); i++ {
		switch c := keys[i]; {
		case c < 0x20 || c > 0x7e:
			return fmt.Errorf("found %q, want printable ASCII characters", keys)
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			return fmt.Errorf("found %q, want no literals: a text goes in quotes", keys)
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return fmt.Errorf("found %q, want balanced parentheses", keys)
			}
		}
	}
	if depth != 0 || quoted {
		return fmt.Errorf("found %q, want balanced quotes and parentheses", keys)
	}
	if word, _, _ := strings.Cut(keys, " "); strings.EqualFold(word, "RETURN") {
		return fmt.Errorf("found %q, want no RETURN: the number of messages is what comes back", keys)
	}
	return nil
}
