// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"skywatch/internal/probe"
)

// Config is what alerting is told by the configuration file.
type Config struct {
	Notifiers []NotifierConfig `yaml:"notifiers,omitempty"`
	Policy    Policy           `yaml:"alerting"`
	Summary   SummaryConfig    `yaml:"summary,omitempty"`
}

// DefaultConfig has no notifiers and no summary.
func DefaultConfig() Config { return Config{Policy: DefaultPolicy()} }

// Policy is the pace of telling.
type Policy struct {
	GroupWait probe.Duration `yaml:"group_wait"` // transitions within it share a message
	RetryMin  probe.Duration `yaml:"retry_min"`  // pause after the first failed attempt
	RetryMax  probe.Duration `yaml:"retry_max"`  // longest pause, and that after a refusal for good
	Expire    probe.Duration `yaml:"expire"`     // when a message is given up
}

// DefaultPolicy is that of an absent section.
func DefaultPolicy() Policy {
	return Policy{
		GroupWait: probe.Duration(10 * time.Second),
		RetryMin:  probe.Duration(5 * time.Second),
		RetryMax:  probe.Duration(15 * time.Minute),
		Expire:    probe.Duration(7 * 24 * time.Hour),
	}
}

// UnmarshalYAML starts from the defaults.
func (p *Policy) UnmarshalYAML(unmarshal func(any) error) error {
	type plain Policy
	*p = DefaultPolicy()
	return unmarshal((*plain)(p))
}

func (p Policy) validate() error {
	switch {
	case p.GroupWait < 0 || p.GroupWait > probe.Duration(time.Hour):
		return fmt.Errorf("alerting: group_wait %q: out of range, want 0s to 1h", p.GroupWait)
	case p.RetryMin < probe.Duration(100*time.Millisecond):
		return fmt.Errorf("alerting: retry_min %q: too short, want at least 100ms", p.RetryMin)
	case p.RetryMax < p.RetryMin || p.RetryMax > probe.Duration(24*time.Hour):
		return fmt.Errorf("alerting: retry_max %q: out of range, want retry_min (%s) to 24h", p.RetryMax, p.RetryMin)
	case p.Expire < p.RetryMax:
		return fmt.Errorf("alerting: expire %q: too short, want at least retry_max (%s)", p.Expire, p.RetryMax)
	}
	return nil
}

// SummaryConfig says when the daily summary goes to whom. Without At there is none.
type SummaryConfig struct {
	At     string   `yaml:"at,omitempty"`     // local time, "15:04"
	Notify []string `yaml:"notify,omitempty"` // notifier names; nil = all
}

const (
	summaryTime    = "15:04"
	defaultSummary = "07:00"
)

// UnmarshalYAML starts from the default time.
func (s *SummaryConfig) UnmarshalYAML(unmarshal func(any) error) error {
	type plain SummaryConfig
	s.At = defaultSummary
	return unmarshal((*plain)(s))
}

func (s SummaryConfig) validate(names []string) error {
	if s.At == "" {
		return nil
	}
	if _, err := time.Parse(summaryTime, s.At); err != nil {
		return fmt.Errorf("summary: at %q: not understood, want a local time such as %q", s.At, defaultSummary)
	}
	for _, name := range s.Notify {
		if !slices.Contains(names, name) {
			return fmt.Errorf("summary: notify %q: no such notifier, want one of %q", name, names)
		}
	}
	return nil
}

// Names lists the notifiers.
func (c *Config) Names() []string {
	names := make([]string, len(c.Notifiers))
	for i, n := range c.Notifiers {
		names[i] = n.Name
	}
	return names
}

// SetDirectory makes the file names relative to a directory, that of the configuration file.
func (c *Config) SetDirectory(dir string) {
	for _, n := range c.Notifiers {
		if e := n.Email; e != nil {
			e.PasswordFile, e.TLSConfig.CAFile = within(dir, e.PasswordFile), within(dir, e.TLSConfig.CAFile)
		}
	}
}

func within(dir, file string) string {
	if file == "" || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}

// Validate checks everything, and that the secret files can be read. Errors name the field.
func (c *Config) Validate() error {
	seen := make(map[string]bool)
	for i, n := range c.Notifiers {
		if n.Name == "" {
			return fmt.Errorf("notifiers: number %d has no name, want a name", i+1)
		}
		if seen[n.Name] {
			return fmt.Errorf("notifier %q: defined twice, want one of each name", n.Name)
		}
		seen[n.Name] = true
		if err := n.validate(); err != nil {
			return fmt.Errorf("notifier %q: %w", n.Name, err)
		}
	}
	if err := c.Policy.validate(); err != nil {
		return err
	}
	return c.Summary.validate(c.Names())
}

// NotifierConfig is a named notifier of exactly one kind.
type NotifierConfig struct {
	Name  string       `yaml:"name"`
	Email *EmailConfig `yaml:"email,omitempty"`
	Log   *LogConfig   `yaml:"log,omitempty"`
}

// LogConfig makes a notifier that writes the messages to the log. It has no settings.
type LogConfig struct{}

func (n NotifierConfig) validate() error {
	switch {
	case n.Email != nil && n.Log != nil:
		return fmt.Errorf("has both email and log, want one of them")
	case n.Email != nil:
		return n.Email.validate()
	case n.Log == nil:
		return fmt.Errorf("has no kind, want email: {...} or log: {}")
	}
	return nil
}

// domain is the right part of the notifier's Message-IDs.
func (n NotifierConfig) domain() string {
	if n.Email != nil {
		return n.Email.domain()
	}
	return "localhost"
}
