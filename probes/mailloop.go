// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomailloop

package probes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"skywatch/internal/probe"
)

func init() { register("mailloop", newMailloop, slices.Concat(serviceDescs, loopDescs)...) }

var (
	descLoop = phaseDesc("mailloop", "resolve, connect, tls, greeting, ehlo, auth, mail, rcpt, data and quit of the sending, "+
		"mailbox for the way into the mailbox, fetch for what happens there, waiting included")
	descLoopMailbox     = phaseDesc("mailloop_mailbox", "unused") // of links whose phases are not shown
	descLoopOutstanding = &probe.Desc{Name: "probe_mailloop_outstanding_messages", Help: "Messages that were sent and have not arrived yet."}
	descLoopOldest      = &probe.Desc{Name: "probe_mailloop_oldest_outstanding_age_seconds", Help: "Age of the oldest message that has not arrived yet, in seconds; 0 when there is none."}
	descLoopMessages    = &probe.Desc{Name: "probe_mailloop_messages", Labels: []string{"outcome"},
		Help: "Messages by outcome, counted since the loop began: sent, arrived, late, lost, junk, duplicate, foreign."}
	descLoopDelivery = &probe.Desc{Name: "probe_mailloop_delivery_duration_seconds", Help: "How long the newest message that this probe found took to arrive, in seconds."}
	descLoopHop      = &probe.Desc{Name: "probe_mailloop_hop_duration_seconds", Labels: []string{"hop", "by"},
		Help: "How long the newest message that this probe found took to get to each server on its way, in seconds."}
	descLoopJunk   = &probe.Desc{Name: "probe_mailloop_in_junk", Help: "Whether the newest message that this probe found was in the folder for junk."}
	descLoopStatus = newSMTPDescs("mailloop", "").status
	descLoopBanner = bannerDesc("mailloop")

	loopDescs = []*probe.Desc{descLoop, descLoopBanner, descLoopOutstanding, descLoopOldest, descLoopMessages, descLoopDelivery, descLoopHop, descLoopJunk, descLoopStatus}
)

// Mailloop sends a message and looks for it in the mailbox where it must arrive. What does not arrive while a probe lasts is looked for by
// the next ones.
type Mailloop struct {
	SMTPConfig    `yaml:",inline"`
	From          string         `yaml:"from"`
	To            string         `yaml:"to"` // whose mailbox it is
	Mailbox       LoopMailbox    `yaml:"mailbox"`
	TTL           probe.Duration `yaml:"ttl"`             // a message that has not arrived by then is lost
	Late          probe.Duration `yaml:"late"`            // one that takes longer is counted as late
	Wait          probe.Duration `yaml:"wait,omitempty"`  // for the own message at most; 0 = what the deadline leaves
	Poll          probe.Duration `yaml:"poll"`            // between two looks into the mailbox
	JunkIsFailure bool           `yaml:"junk_is_failure"` // whether a message that was taken for junk is a failure

	box LoopMailbox // Mailbox with the login that it is to have
}

func newMailloop(o Options) probe.Prober {
	return &Mailloop{
		SMTPConfig: newSMTPConfig(o),
		Mailbox:    LoopMailbox{Protocol: mailboxIMAP, ServiceConfig: newServiceConfig(o, 0, 0), Folder: "INBOX", Junk: "Junk"},
		TTL:        probe.Duration(time.Hour), Late: probe.Duration(5 * time.Minute), Poll: probe.Duration(time.Second),
	}
}

// Validate checks the module.
func (p *Mailloop) Validate() error {
	if err := p.SMTPConfig.validate(); err != nil {
		return err
	}
	if err := checkMailbox(p.From); err != nil {
		return fmt.Errorf("from: %w", err)
	}
	if err := checkMailbox(p.To); err != nil {
		return fmt.Errorf("to: %w", err)
	}
	if err := p.Mailbox.validate(); err != nil {
		return fmt.Errorf("mailbox: %w", err)
	}
	if p.ready.dialer.several != "" || p.Mailbox.ready.dialer.several != "" {
		return errors.New("addresses: found any or all, want first: a probe sends one message")
	}
	p.box = p.Mailbox
	if !p.Mailbox.ownLogin() {
		p.box.LoginConfig = p.LoginConfig
	}
	return p.validateTimes()
}

func (p *Mailloop) validateTimes() error {
	switch {
	case p.Late <= 0 || p.TTL <= p.Late:
		return fmt.Errorf("late: found %s with a ttl of %s, want it above 0 and below ttl", p.Late, p.TTL)
	case p.Poll < probe.Duration(10*time.Millisecond):
		return fmt.Errorf("poll: found %s, want at least 10ms", p.Poll)
	case p.Wait < 0:
		return fmt.Errorf("wait: found %s, want 0 or more", p.Wait)
	}
	return nil
}

// CheckTarget tells why no check can aim at t; nil when one can.
func (p *Mailloop) CheckTarget(t probe.Target) error {
	if err := p.SMTPConfig.CheckTarget(t); err != nil {
		return err
	}
	box, err := p.mailboxTarget(t)
	if err != nil {
		return err
	}
	return p.box.CheckTarget(box)
}

// Logins is that of Service: there are two servers.
func (p *Mailloop) Logins(t probe.Target) ([]probe.Login, error) {
	sending, err := p.SMTPConfig.Logins(t)
	if err != nil {
		return sending, err
	}
	box, err := p.mailboxTarget(t)
	if err != nil {
		return sending, err
	}
	fetching, err := p.box.Logins(box)
	for i := range fetching {
		fetching[i].Fixed = p.box.Server != ""
	}
	return append(sending, fetching...), err
}

// mailboxTarget is where the mailbox is; an error when nobody could log in there, so that no message is sent which nobody would fetch. A credential that the target picks is for both servers, unless the mailbox has a login of its own.
func (p *Mailloop) mailboxTarget(t probe.Target) (box probe.Target, err error) {
	if p.box.Server != "" {
		box = probe.NewTarget(p.box.Server)
	} else {
		host, _, err := p.address(context.Background(), t)
		if err != nil {
			return box, err
		}
		port := p.box.ready.plain
		if p.box.TLS == tlsImplicit {
			port = p.box.ready.secured
		}
		box = probe.NewTarget(joinHostPort(host, port))
		box.Hostname = t.Hostname
	}
	if !p.Mailbox.ownLogin() {
		box.Credential = t.Credential
	}
	if !p.box.wanted(box) {
		return box, probe.Failf(probe.ReasonConfig, "logging in to %q: no account given, want a username or a credential, to look into the mailbox", box.Raw())
	}
	return box, nil
}

// pointless tells whether nothing is to be done after a failure of the sending: a fault of ours, or an account that was just refused and
// would be again.
func (p *Mailloop) pointless(reason probe.Reason) bool {
	same := p.box.Username == p.Username && p.box.Credential == p.Credential
	return reason == probe.ReasonConfig || reason == probe.ReasonInternal || reason == probe.ReasonAuth && same
}

// Probe succeeds when the message was sent, the mailbox could be read, and no message is lost. That the own message has not arrived yet is no
// failure. The failure of the sending comes first, then messages that are lost, then the failure of the mailbox.
func (p *Mailloop) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	run, err := p.begin(t, r)
	if err != nil {
		return err
	}
	defer run.record()
	if run.before.Verdict != "" {
		return probe.Failf(probe.ReasonResponse, "%s", run.before.Verdict)
	}
	sending := run.send(ctx)
	if sending != nil && p.pointless(probe.ReasonOf(sending)) {
		return sending
	}
	// It ends a little early, so that a mailbox that does not answer leaves the failure of the sending as it is.
	fetching := within(ctx, 1, func(ctx context.Context) error { return run.fetch(ctx, sending != nil) })
	if sending != nil && run.sentBefore && run.ownArrived {
		r.Log.Info("the message arrived, although the server did not say that it took it")
		sending = nil
	}
	return run.first(sending, run.judge(), fetching)
}

// first gives the failure that comes first, and logs the others.
func (run *loopRun) first(sending, judged, fetching error) error {
	err := cmp.Or(sending, judged, fetching)
	if judged != nil && judged != err {
		run.r.Log.Warn("messages went astray too", "err", judged)
	}
	if fetching != nil && fetching != err {
		run.r.Log.Warn("the mailbox cannot be read either", "err", fetching)
	}
	if err == nil && !run.ownArrived {
		run.r.Log.Info("message has not arrived yet, later probes look for it", "token", run.own.String(), "outstanding", len(run.ledger.outstanding()))
	}
	return err
}
