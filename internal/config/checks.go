// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"skywatch/internal/probe"
)

// The bounds of a check.
const (
	maxNameBytes = 200
	maxAttempts  = 100
	minEvery     = time.Second
)

// checker makes checks of the entries, looking at what the other sections offer.
type checker struct {
	defaults  rules
	modules   map[string]*probe.Module
	override  func(module string, with func(any) error) (*probe.Module, error) // makes the variant of a module for one target
	notifiers map[string]bool
	names     map[string]string // taken, with what took them
}

// make checks an entry and completes it.
func (k *checker) make(c check) (probe.Check, error) {
	if err := k.claim(c); err != nil {
		return probe.Check{}, err
	}
	module := k.modules[c.Module]
	if module == nil {
		return probe.Check{}, k.noModule(c.Module)
	}
	made := probe.Check{
		Name: c.Name, Was: c.Was, Module: module, Origin: probe.OriginSchedule,
		Group: c.Group, Labels: c.Labels,
		Every:      time.Duration(given(c.Every, k.defaults.Every)),
		Attempts:   given(c.Attempts, k.defaults.Attempts),
		Timeout:    k.timeout(c, module),
		RetryDelay: time.Duration(given(c.RetryDelay, k.defaults.RetryDelay)),
	}
	if c.Notify != nil {
		made.Notify = append([]string{}, *c.Notify...)
	}
	return made, cmp.Or(k.aim(&made, c), checkRules(made), checkText("group", c.Group), checkLabels(c.Labels), k.checkNotify(made.Notify))
}

// checkRequestless refuses a module that needs what only a request gives.
func checkRequestless(m *probe.Module) error {
	p, ok := m.Prober.(interface{ CheckHostname(hostname string) error })
	if !ok {
		return nil
	}
	if err := p.CheckHostname(""); err != nil {
		return fmt.Errorf("module: %q works for requests only: %w", m.Name, err)
	}
	return nil
}

func given[T any](own *T, otherwise T) T {
	if own != nil {
		return *own
	}
	return otherwise
}

// timeout of one attempt: the check's own, else the module's, else the default.
func (k *checker) timeout(c check, m *probe.Module) time.Duration {
	switch {
	case c.Timeout != nil:
		return time.Duration(*c.Timeout)
	case m.Timeout > 0:
		return m.Timeout
	}
	return time.Duration(k.defaults.Timeout)
}

// claim takes the names of a check, present and former: no two checks may be heirs to the same past.
func (k *checker) claim(c check) error {
	if c.Name == "" {
		return errors.New("name: missing, want a unique name")
	}
	for i, name := range append([]string{c.Name}, c.Was...) {
		field := "name"
		if i > 0 {
			field = "was"
		}
		if err := checkText(field, name); err != nil {
			return err
		}
		if name == "." || name == ".." {
			return fmt.Errorf("%s: %q cannot be part of the URL of a page, want another name", field, name)
		}
		if owner, taken := k.names[name]; taken {
			return fmt.Errorf("%s: %q is taken by %s, want a unique name", field, name, owner)
		}
		k.names[name] = fmt.Sprintf("check %q", c.Name)
	}
	return nil
}

// checkText accepts what can be shown on one line everywhere: in a subject, a label, a page.
func checkText(field, text string) error {
	if len(text) > maxNameBytes {
		return fmt.Errorf("%s: %d bytes long, want at most %d", field, len(text), maxNameBytes)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("%s: %s has unprintable characters, want printable ones only", field, strconv.Quote(text))
	}
	if text != strings.TrimSpace(text) {
		return fmt.Errorf("%s: %q begins or ends with a space, want none there", field, text)
	}
	return nil
}

func (k *checker) noModule(name string) error {
	if name == "" {
		return errors.New("module: missing, want the name of a module")
	}
	known := slices.Sorted(maps.Keys(k.modules))
	if len(known) == 0 {
		return fmt.Errorf("module: %q is not configured, want it under modules", name)
	}
	return fmt.Errorf("module: %q is not configured, want one of %s", name, probe.Listed(known))
}

func checkRules(c probe.Check) error {
	switch {
	case c.Every < minEvery:
		return fmt.Errorf("every: %s, want at least %s", c.Every, minEvery)
	case c.Attempts < 1 || c.Attempts > maxAttempts:
		return fmt.Errorf("attempts: %d, want 1 to %d", c.Attempts, maxAttempts)
	case c.Timeout <= 0:
		return fmt.Errorf("timeout: %s, want more than 0s", c.Timeout)
	case c.RetryDelay < 0:
		return fmt.Errorf("retry_delay: %s, want 0s or more", c.RetryDelay)
	}
	return nil
}

var (
	labelName      = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	reservedLabels = []string{"check", "group", "module", "target", "instance", "job"}
)

func checkLabels(labels map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		switch {
		case !labelName.MatchString(name) || strings.HasPrefix(name, "__"):
			return fmt.Errorf("labels: %q is no label name, want letters, digits and _, no digit first, not __ first", name)
		case slices.Contains(reservedLabels, name):
			return fmt.Errorf("labels: %q is set by skywatch or Prometheus, want another name", name)
		}
		if err := checkText("labels: "+name, labels[name]); err != nil {
			return err
		}
	}
	return nil
}

func (k *checker) checkNotify(names []string) error {
	for i, name := range names {
		if !k.notifiers[name] {
			known := slices.Sorted(maps.Keys(k.notifiers))
			if len(known) == 0 {
				return fmt.Errorf("notify: %q is not configured, want it under notifiers", name)
			}
			return fmt.Errorf("notify: %q is not configured, want one of %s", name, probe.Listed(known))
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("notify: %q is given twice, want it once", name)
		}
	}
	return nil
}
