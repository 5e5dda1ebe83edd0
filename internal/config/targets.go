// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"cmp"
	"errors"
	"fmt"

	"skywatch/internal/probe"
)

// maxTargets bounds the targets of one check.
const maxTargets = 1000

// aim is an entry of the `targets` of a check.
type aim struct {
	Target target   `yaml:"target"`
	With   *partial `yaml:"with,omitempty"` // over the section of the module's prober
}

// targetError is what is wrong with one of the targets of a check.
type targetError struct {
	index int
	err   error
}

func (e *targetError) Error() string { return e.err.Error() }

func (e *targetError) Unwrap() error { return e.err }

// aim points a check at its target, or at each of its targets.
func (k *checker) aim(made *probe.Check, c check) error {
	switch n := len(c.Targets); {
	case c.Targets == nil:
		made.Target = c.Target.picking(c.Credential)
		return cmp.Or(checkRequestless(made.Module), checkAddress(made.Target), checkTarget(made.Module, made.Target))
	case c.Target != "":
		return errors.New("both target and targets given, want one of them")
	case n == 0:
		return fmt.Errorf("targets: empty, want 1 to %d", maxTargets)
	case n > maxTargets:
		return fmt.Errorf("targets: %d of them, want at most %d", n, maxTargets)
	}
	seen := make(map[string]bool, len(c.Targets))
	for i, entry := range c.Targets {
		p, err := k.part(made.Module, entry, c.Credential)
		if name := p.Target.String(); err == nil && seen[name] {
			err = fmt.Errorf("targets: %q is given twice, want it once", p.Target)
		}
		if err != nil {
			return &targetError{i, err}
		}
		seen[p.Target.String()] = true
		made.Parts = append(made.Parts, p)
	}
	return nil
}

// part makes one target of many.
func (k *checker) part(m *probe.Module, entry aim, credential string) (probe.Part, error) {
	p := probe.Part{Module: m, Target: entry.Target.picking(credential)}
	if err := checkAddress(p.Target); err != nil {
		return p, fmt.Errorf("targets: %w", err)
	}
	if entry.With != nil {
		variant, err := k.override(m.Name, entry.With.unmarshal)
		if err != nil {
			return p, fmt.Errorf("targets: %q: with: %w", p.Target, err)
		}
		p.Module, entry.With.prober = variant, variant.Prober
	}
	if err := cmp.Or(checkRequestless(p.Module), checkTarget(p.Module, p.Target)); err != nil {
		return p, fmt.Errorf("targets: %q: %w", p.Target, err)
	}
	return p, nil
}
