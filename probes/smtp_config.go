// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nosmtp || !nomailloop

package probes

import (
	"context"
	"fmt"
	"os"
	"strings"

	"skywatch/internal/probe"
)

// The standard ports of SMTP.
const (
	portSMTP        = 25
	portSubmission  = 587 // RFC 6409
	portSubmissions = 465 // RFC 8314
)

// SMTPConfig is how to get to a mail server and log in there, embedded inline in the probers that speak SMTP.
type SMTPConfig struct {
	ServiceConfig `yaml:",inline"`
	EHLO          string `yaml:"ehlo,omitempty"` // name that the client gives itself; "" = that of this machine
	Auth          string `yaml:"auth,omitempty"` // name of a SASL mechanism; "" = the best one that the server offers
}

// newSMTPConfig has the defaults.
func newSMTPConfig(o Options) SMTPConfig {
	c := SMTPConfig{ServiceConfig: newServiceConfig(o, portSMTP, portSubmissions)}
	c.ready.login = portSubmission
	return c
}

// validate checks the keys. It is for use in Validate.
func (c *SMTPConfig) validate() error {
	if err := c.ServiceConfig.validate(); err != nil {
		return err
	}
	if c.EHLO != "" && !isHostName(c.EHLO) {
		return fmt.Errorf("ehlo: found %q, want a host name or an address literal such as [192.0.2.1]", c.EHLO)
	}
	if c.Auth != "" && findSASL(c.Auth) == nil {
		return fmt.Errorf("auth: found %q, want plain, login, cram-md5 or xoauth2", c.Auth)
	}
	return nil
}

// hello is the name that the client gives itself. RFC 5321 section 4.1.4 wants one that means something; localhost is better than none.
func (c *SMTPConfig) hello() string {
	if c.EHLO != "" {
		return c.EHLO
	}
	if name, err := os.Hostname(); err == nil && isHostName(name) {
		return name
	}
	return "localhost"
}

// begin connects to the target and waits for the greeting. The caller ends the client.
func (c *SMTPConfig) begin(ctx context.Context, t probe.Target, descs smtpDescs, r *probe.Recorder) (*smtpClient, error) {
	l, err := c.open(ctx, t, descs.phases, 0, r)
	if err != nil {
		return nil, err
	}
	client := &smtpClient{textLink: l.text(), config: c, descs: descs}
	if err := client.greet(); err != nil {
		client.end()
		return nil, err
	}
	return client, nil
}

// isHostName tells whether a name can stand after EHLO: a domain or an address literal, as one word.
func isHostName(name string) bool {
	return name != "" && len(name) <= 255 && strings.IndexFunc(name, func(c rune) bool {
		return !isAlphanumeric(c) && !strings.ContainsRune("-._:[]", c)
	}) < 0
}

// isKeyword tells whether a word can be the name of an extension (RFC 5321 section 4.1.1.1, ehlo-keyword).
func isKeyword(word string) bool {
	return word != "" && len(word) <= 64 && strings.IndexFunc(word, func(c rune) bool { return !isAlphanumeric(c) && c != '-' }) < 0
}

func isAlphanumeric(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// smtpDescs are the metrics of a client of SMTP. Only phases must be there, nil ones are not set.
type smtpDescs struct{ phases, banner, status, extension, size *probe.Desc }

// newSMTPDescs declares the metrics of a prober.
func newSMTPDescs(name, phases string) smtpDescs {
	return smtpDescs{
		phases: phaseDesc(name, phases),
		banner: bannerDesc(name),
		status: &probe.Desc{Name: "probe_" + name + "_status_info", Labels: []string{"code", "enhanced"},
			Help: "Reply code and enhanced status code of the reply that decided the outcome."},
		extension: &probe.Desc{Name: "probe_" + name + "_extension_info", Labels: []string{"extension"}, Help: "An extension that the server offers."},
		size:      &probe.Desc{Name: "probe_" + name + "_size_limit_bytes", Help: "Size of the largest message that the server takes, in bytes."},
	}
}

// all gives those that are declared.
func (d smtpDescs) all() []*probe.Desc {
	var all []*probe.Desc
	for _, desc := range []*probe.Desc{d.phases, d.banner, d.status, d.extension, d.size} {
		if desc != nil {
			all = append(all, desc)
		}
	}
	return all
}
