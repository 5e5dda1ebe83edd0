// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nosmtp

package probes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"skywatch/internal/probe"
)

func init() { register("smtp", newSMTP, slices.Concat(serviceDescs, smtpMetrics.all())...) }

// smtpMetrics are what the smtp prober sets besides what link does.
var smtpMetrics = newSMTPDescs("smtp", "resolve, connect, tls, greeting, ehlo, auth, noop, mail, rcpt, data, quit")

// The forms of `send`.
const (
	sendRcpt    = "rcpt"    // up to the recipients, which delivers nothing
	sendMessage = "message" // a whole message to each recipient
)

// SMTP speaks to a mail server up to its answer to the recipients, or sends a message.
type SMTP struct {
	SMTPConfig `yaml:",inline"`
	From       string   `yaml:"from,omitempty"` // "" = no mail is begun
	To         []string `yaml:"to,omitempty"`
	Send       string   `yaml:"send"` // sendRcpt or sendMessage
	Require    []string `yaml:"require,omitempty,flow"`
}

func newSMTP(o Options) probe.Prober { return &SMTP{SMTPConfig: newSMTPConfig(o), Send: sendRcpt} }

// Validate checks the module.
func (p *SMTP) Validate() error {
	if err := p.SMTPConfig.validate(); err != nil {
		return err
	}
	if err := p.validateEnvelope(); err != nil {
		return err
	}
	for i, extension := range p.Require {
		if !isKeyword(extension) {
			return fmt.Errorf("require: found %q, want the name of an extension such as STARTTLS", extension)
		}
		p.Require[i] = strings.ToUpper(extension)
	}
	return nil
}

func (p *SMTP) validateEnvelope() error {
	if p.Send != sendRcpt && p.Send != sendMessage {
		return fmt.Errorf("send: found %q, want %s or %s", p.Send, sendRcpt, sendMessage)
	}
	switch {
	case p.From == "" && len(p.To) == 0:
		if p.Send == sendMessage {
			return errors.New("send: message without from and to, want both")
		}
		return nil
	case p.From == "":
		return errors.New("to without from, want both or none")
	case len(p.To) == 0:
		return errors.New("from without to, want both or none")
	case len(p.To) > maxRecipients:
		return fmt.Errorf("to: found %d addresses, want at most %d", len(p.To), maxRecipients)
	}
	if err := checkMailbox(p.From); err != nil {
		return fmt.Errorf("from: %w", err)
	}
	for _, to := range p.To {
		if err := checkMailbox(to); err != nil {
			return fmt.Errorf("to: %w", err)
		}
	}
	return nil
}

// Probe succeeds when the server agrees to everything that the module has it asked.
func (p *SMTP) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	return p.ready.dialer.each(ctx, r, func(ctx context.Context, r *probe.Recorder) error { return p.attempt(ctx, t, r) })
}

// attempt probes one address.
func (p *SMTP) attempt(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	c, err := p.SMTPConfig.begin(ctx, t, smtpMetrics, r)
	if err != nil {
		return err
	}
	defer c.end()
	if err := c.prepare(ctx, p.Require); err != nil {
		return err
	}
	if err := p.converse(c); err != nil {
		return err
	}
	c.quit()
	return nil
}

// converse does what is to be done after the login.
func (p *SMTP) converse(c *smtpClient) error {
	switch {
	case p.From == "":
		return c.noop()
	case p.Send == sendRcpt:
		return c.rehearse(p.From, p.To)
	}
	signer, err := mailSignerOf(c.r)
	if err != nil {
		return err
	}
	for _, to := range p.To { // each its own, with a token that is signed for that mailbox
		if _, err := c.deliver(p.From, to, newProbeMail(signer, newToken(), p.From, to)); err != nil {
			return err
		}
	}
	return nil
}
