// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"fmt"
	"strings"

	"skywatch/internal/lockout"
	"skywatch/internal/probe"
	"skywatch/probes"
)

// enter lets the guard watch the logins of a probe. It tells why one that will be made is held up; then there is no need for the probe.
func (r *runner) enter(c *probe.Check, env *probe.Env) *lockout.Hold {
	service, ok := c.Module.Prober.(probes.Service)
	if !ok || r.guard == nil {
		return nil
	}
	logins, _ := service.Logins(c.Target) // an error is that of the target, which the probe will say itself
	pass, hold := r.guard.Begin(*c, logins)
	if hold == nil {
		env.Gate = pass
	}
	return hold
}

// leave ends the watch, and takes from a result the secrets that were sent: they go no further. It tells why a login was held up in the
// middle of the probe, if that is why it failed.
func leave(gate probe.Gate, result *probe.Result) *lockout.Hold {
	result.Logins = nil
	pass, ok := gate.(*lockout.Pass)
	if !ok {
		return nil
	}
	hold := pass.End()
	if result.Verdict != probe.Down || result.Reason != probe.ReasonAuth {
		return nil
	}
	return hold
}

// tooSoon is what a request is told whose login was held up.
func tooSoon(hold *lockout.Hold) error {
	text := hold.Error()
	return &probe.Refused{Cause: probe.RefusedPace, Text: strings.ToUpper(text[:1]) + text[1:], After: hold.After}
}

// notMade is the result of a check whose login is held up: no connection, no attempt, and no word on the service.
func notMade(ctx context.Context, c probe.Check, env probe.Env, hold *lockout.Hold) probe.Result {
	module := *c.Module
	module.Prober = idle{fmt.Errorf("checking %q: %w", c.Name, hold)}
	c.Module, c.Attempts = &module, 1
	result := probe.Run(ctx, c, env)
	complain(env.Log, &result)
	result.Attempts = 0
	if result.Verdict == probe.Down {
		result.Verdict = probe.Inconclusive
	}
	return result
}

// idle is the prober of a check that is not made.
type idle struct{ why error }

// Validate has nothing to check.
func (idle) Validate() error { return nil }

// Probe says why there is none.
func (h idle) Probe(context.Context, probe.Target, *probe.Recorder) error {
	return probe.Failf(probe.ReasonAuth, "%w", h.why)
}

// oneSpelling gives the canonical form of a server's address; one without is left as it is.
func oneSpelling(address string) string {
	if canonical, err := probes.CanonicalAddress(address); err == nil {
		return canonical
	}
	return address
}
