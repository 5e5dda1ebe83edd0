// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"errors"
	"fmt"
	"net"

	"skywatch/internal/probe"
	"skywatch/probes"
)

// reach is where secrets may go without an `allow`: where configured checks send them. The zero value has no checks.
type reach struct {
	credentials map[string]addresses // by name
	modules     map[string]addresses // of the secrets written in them, by name
}

// addresses are host:port in canonical form.
type addresses map[string]bool

func (a addresses) with(address string) addresses {
	if a == nil {
		a = make(addresses)
	}
	if canonical, err := probes.CanonicalAddress(address); err == nil {
		a[canonical] = true
	}
	return a
}

func (a addresses) has(address string) bool {
	canonical, err := probes.CanonicalAddress(address)
	return err == nil && a[canonical]
}

// Permit is the rule for the secrets of service modules that requests ask for, see probe.Module: a named credential goes where its `allow`
// says, or else where configured checks send it. So does a secret that is written in a module. Either also goes to a server that the
// module itself names, if the configuration as it stands in the file sends it there. m is a module of c, or a variant of one. An error is a
// *probe.Refused.
func (c *Config) Permit(m *probe.Module, t probe.Target) error {
	if t.Credential != "" && c.doc.Credentials.Find(t.Credential) == nil {
		return &probe.Refused{Cause: probe.RefusedRequest, Text: fmt.Sprintf("Unknown credential %q", t.Credential)}
	}
	logins, err := logins(m, t)
	if err != nil {
		return &probe.Refused{Cause: probe.RefusedRequest, Text: err.Error()}
	}
	if err := takes(m, t, logins); err != nil {
		return &probe.Refused{Cause: probe.RefusedRequest, Text: err.Error()}
	}
	for _, l := range logins {
		if err := c.permit(m, t, l); err != nil {
			return err
		}
	}
	return nil
}

// logins asks a module's prober which secrets it would send. What it says of the target may hold a piece of a password.
func logins(m *probe.Module, t probe.Target) ([]probe.Login, error) {
	service, ok := m.Prober.(probes.Service)
	if !ok {
		return nil, nil
	}
	all, err := service.Logins(t)
	if err != nil {
		return nil, errors.New(probe.Mask(err.Error(), t.Secrets()...))
	}
	return all, nil
}

// takes refuses a credential that the module has no use for: whoever picks it expects a login.
func takes(m *probe.Module, t probe.Target, logins []probe.Login) error {
	for _, l := range logins {
		if l.Credential == t.Credential {
			return nil
		}
	}
	if t.Credential == "" {
		return nil
	}
	return fmt.Errorf("module %q takes no credential, want one whose prober logs in", m.Name)
}

func (c *Config) permit(m *probe.Module, t probe.Target, l probe.Login) error {
	fixed := c.fixed(m, t, l)
	if !c.covers(m, l, l.Address, fixed) {
		return notAllowed(m, l, "target", t.String())
	}
	if t.Hostname == "" || fixed {
		return nil
	}
	_, port, _ := net.SplitHostPort(l.Address) // covers has read it
	if !c.covers(m, l, net.JoinHostPort(t.Hostname, port), false) {
		return notAllowed(m, l, "hostname", t.Hostname) // it decides whose certificate is good
	}
	return nil
}

func (c *Config) covers(m *probe.Module, l probe.Login, address string, fixed bool) bool {
	if l.Credential == "" {
		return fixed || c.reach.modules[m.Name].has(address)
	}
	if allow := c.doc.Credentials.Find(l.Credential).Allow; len(allow) > 0 {
		return probes.Allowed(allow, address)
	}
	return fixed || c.reach.credentials[l.Credential].has(address)
}

// fixed tells whether the module as it stands in the file, without parameters of a request, sends the same secret to the same server, which
// it names itself.
func (c *Config) fixed(m *probe.Module, t probe.Target, l probe.Login) bool {
	configured := c.Modules[m.Name]
	if !l.Fixed || configured == nil {
		return false
	}
	t.Credential, t.Hostname = "", ""
	all, err := logins(configured, t)
	if err != nil {
		return false
	}
	for _, own := range all {
		if own.Fixed && own.Credential == l.Credential && own.Address == l.Address && own.Secret == l.Secret {
			return true
		}
	}
	return false
}

func notAllowed(m *probe.Module, l probe.Login, what, asked string) error {
	name := l.Credential
	if name == "" {
		name = m.Name
	}
	return &probe.Refused{Cause: probe.RefusedTarget, Text: fmt.Sprintf("Credential %q is not allowed for %s %q", name, what, asked), Address: l.Address}
}

// reachOf takes in where a check sends secrets, to each of its targets.
func (c *Config) reachOf(made probe.Check) error {
	i := 0
	for m, t := range made.Each() {
		err := c.reachFor(m, t)
		switch {
		case err != nil && len(made.Parts) > 0:
			return &targetError{i, fmt.Errorf("targets: %w", err)}
		case err != nil:
			return err
		}
		i++
	}
	return nil
}

// reachFor takes in where a probe of a check sends secrets, and refuses one that is not allowed there. m is the check's module or a variant of it.
func (c *Config) reachFor(m *probe.Module, t probe.Target) error {
	if t.Credential != "" && c.doc.Credentials.Find(t.Credential) == nil {
		return fmt.Errorf("credential: %q is not configured, want it under credentials", t.Credential)
	}
	all, err := logins(m, t)
	if err != nil {
		return err
	}
	if err := takes(m, t, all); err != nil {
		return fmt.Errorf("credential: %w", err)
	}
	for _, l := range all {
		if err := c.reachWith(m, t, l); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) reachWith(m *probe.Module, t probe.Target, l probe.Login) error {
	r := &c.reach
	if l.Credential == "" {
		if !l.Fixed && c.ownSecret(m, t, l) {
			r.modules = put(r.modules, m.Name, l.Address)
		}
		return nil
	}
	if allow := c.doc.Credentials.Find(l.Credential).Allow; len(allow) > 0 && !probes.Allowed(allow, l.Address) {
		return fmt.Errorf("target: %q: credential %q is not allowed there, want %q under its allow", t, l.Credential, l.Address)
	}
	r.credentials = put(r.credentials, l.Credential, l.Address)
	return nil
}

func put(all map[string]addresses, name, address string) map[string]addresses {
	if all == nil {
		all = make(map[string]addresses)
	}
	all[name] = all[name].with(address)
	return all
}

// ownSecret tells whether a secret is the one that is written in the module, not one that a check brings along for its own target.
func (c *Config) ownSecret(m *probe.Module, t probe.Target, l probe.Login) bool {
	configured := c.Modules[m.Name]
	if configured == m {
		return true
	}
	all, err := logins(configured, t)
	if err != nil {
		return false
	}
	for _, own := range all {
		if own.Credential == "" && own.Secret == l.Secret && own.Username == l.Username && l.Secret != "" { // two files that cannot be read yet are not the same
			return true
		}
	}
	return false
}
