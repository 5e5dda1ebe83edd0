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

// guarded makes a probe whose logins the guard watches. The error is that of a login it held up: before the probe, of which there is no
// result then, or in the middle.
func (r *runner) guarded(ctx context.Context, c probe.Check, env probe.Env) (probe.Result, *lockout.Hold) {
	service, ok := c.Module.Prober.(probes.Service)
	if !ok || r.guard == nil {
		return withoutSecrets(r.run(ctx, c, env)), nil
	}
	logins, _ := service.Logins(c.Target) // an error is that of the target, which the probe will say itself
	pass, hold := r.guard.Begin(c, logins)
	if hold != nil {
		return probe.Result{}, hold
	}
	env.Gate = pass
	result := withoutSecrets(r.run(ctx, c, env))
	if hold = pass.End(); result.Verdict != probe.Down || result.Reason != probe.ReasonAuth {
		hold = nil
	}
	return result, hold
}

// withoutSecrets takes from a result the secrets that were sent: they go no further.
func withoutSecrets(result probe.Result) probe.Result {
	result.Logins = nil
	return result
}

// tooSoon is what a request is told whose login was held up.
func tooSoon(hold *lockout.Hold) error {
	text := hold.Error()
	return &probe.Refused{Cause: probe.RefusedPace, Text: strings.ToUpper(text[:1]) + text[1:], After: hold.After}
}

// heldUp is the result of a check whose login was held up: no word on the service. It was made up to that point (made), or not at all.
func (r *runner) heldUp(ctx context.Context, c probe.Check, env probe.Env, made probe.Result, hold *lockout.Hold) probe.Result {
	if made.Attempts == 0 {
		module := *c.Module
		module.Prober = idle{fmt.Errorf("checking %q: %w", c.Name, hold)}
		c.Module, c.Attempts = &module, 1
		made = r.run(ctx, c, env)
		made.Attempts = 0
	}
	if made.Verdict == probe.Down {
		made.Verdict = probe.Inconclusive
	}
	return made
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
