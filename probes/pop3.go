// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nopop3

package probes

import (
	"context"
	"errors"
	"slices"

	"skywatch/internal/probe"
)

func init() { register("pop3", newPOP3, slices.Concat(serviceDescs, pop3Descs)...) }

var (
	descPOP3           = phaseDesc("pop3", "resolve, connect, tls, greeting, auth, select, delete, logout")
	descPOP3Banner     = bannerDesc("pop3")
	descPOP3Capability = capabilityDesc("pop3")
	descPOP3Messages   = &probe.Desc{Name: "probe_pop3_messages", Help: "Messages in the mailbox at the login."}
	descPOP3Bytes      = &probe.Desc{Name: "probe_pop3_mailbox_size_bytes", Help: "Size of all messages in the mailbox at the login, in bytes."}
	descPOP3Deleted    = &probe.Desc{Name: "probe_pop3_deleted_messages", Help: "Messages that the probe deleted."}

	pop3Descs = []*probe.Desc{descPOP3, descPOP3Banner, descPOP3Capability, descPOP3Messages, descPOP3Bytes, descPOP3Deleted}
)

// POP3 logs in, counts the messages, and may delete some. Without a login it goes no further than the capabilities.
type POP3 struct {
	ServiceConfig `yaml:",inline"`
	MailboxConfig `yaml:",inline"`
	Auth          string `yaml:"auth"` // authUser or authAPOP
}

func newPOP3(o Options) probe.Prober {
	return &POP3{ServiceConfig: newServiceConfig(o, 110, 995), MailboxConfig: defaultMailboxConfig, Auth: authUser}
}

// Validate checks the module.
func (p *POP3) Validate() error {
	return errors.Join(p.ServiceConfig.validate(), p.MailboxConfig.validate(), validatePOP3Auth(p.Auth))
}

// Probe succeeds when the login and the work in the mailbox do.
func (p *POP3) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	return p.ready.dialer.each(ctx, r, func(ctx context.Context, r *probe.Recorder) error { return p.attempt(ctx, t, r) })
}

// attempt probes one address.
func (p *POP3) attempt(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	c, err := openPOP3(ctx, &p.ServiceConfig, t, descPOP3, 0, r)
	if err != nil {
		return err
	}
	defer c.close()
	r.Set(descPOP3Banner, 1, c.banner)
	recordCapabilities(r, descPOP3Capability, c.caps)
	l, err := c.login()
	if err != nil {
		return err
	}
	if l == nil {
		if p.needsLogin() {
			return probe.Failf(probe.ReasonConfig, "logging in to %q: no account given, want a username or a credential, to look into the mailbox", c.server)
		}
		return c.quit()
	}
	if err := c.logIn(l, p.Auth); err != nil {
		return err
	}
	if err := p.work(ctx, c, l, r); err != nil {
		return err
	}
	if err := c.quit(); err != nil {
		return err
	}
	return p.expects(c.messages, "messages", "the mailbox on "+c.quotedServer())
}

// work is what is done in the mailbox.
func (p *POP3) work(ctx context.Context, c *pop3Client, l *login, r *probe.Recorder) error {
	if err := c.stat(); err != nil {
		return err
	}
	r.Set(descPOP3Messages, float64(c.messages))
	r.Set(descPOP3Bytes, float64(c.octets))
	c.done("select")
	if p.Delete == deleteNone {
		return nil
	}
	ids, err := p.doomed(ctx, c, l, r)
	if err != nil {
		return err
	}
	deleted, err := c.delete(ctx, ids)
	if err != nil {
		return err
	}
	r.Set(descPOP3Deleted, float64(deleted))
	c.done("delete")
	return nil
}

// doomed tells which messages are to be deleted: of all, the oldest ones.
func (p *POP3) doomed(ctx context.Context, c *pop3Client, l *login, r *probe.Recorder) ([]uint32, error) {
	if p.Delete == deleteAll {
		var ids []uint32
		for id := uint32(1); id <= min(c.messages, maxDeleted); id++ {
			ids = append(ids, id)
		}
		return ids, nil
	}
	marked, err := c.marked(ctx)
	if err != nil {
		return nil, err
	}
	return p.mine(marked, l, r)
}
