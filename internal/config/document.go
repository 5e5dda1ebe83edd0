// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"time"

	"skywatch/alerting"
	"skywatch/history"
	"skywatch/internal/lockout"
	"skywatch/internal/probe"
	"skywatch/probes"
)

// document is the file as written, with defaults where it is silent.
type document struct {
	TimeZone    string             `yaml:"time_zone"`
	Modules     probes.Modules     `yaml:"modules"`
	Credentials probes.Credentials `yaml:"credentials"`
	Defaults    rules              `yaml:"check_defaults"`
	Checks      []check            `yaml:"checks"`
	Alerting    alerting.Config    `yaml:",inline"` // notifiers, alerting, summary
	History     history.Config     `yaml:"history"`
	Schedule    scheduling         `yaml:"schedule"`
	LoginGuard  lockout.Config     `yaml:"login_guard"`
}

// rules is how a check is tried.
type rules struct {
	Every      probe.Duration `yaml:"every"`
	Attempts   int            `yaml:"attempts"`
	Timeout    probe.Duration `yaml:"timeout"`
	RetryDelay probe.Duration `yaml:"retry_delay"`
}

// check is an entry of `checks`; a nil rule is that of check_defaults.
type check struct {
	Name       string            `yaml:"name"`
	Was        []string          `yaml:"was,omitempty"`
	Module     string            `yaml:"module"`
	Target     target            `yaml:"target,omitempty"`
	Targets    []aim             `yaml:"targets,omitempty"`
	Credential string            `yaml:"credential,omitempty"` // instead of the module's own
	Group      string            `yaml:"group,omitempty"`
	Labels     map[string]string `yaml:"labels,omitempty"`
	Notify     *[]string         `yaml:"notify,omitempty"`
	Every      *probe.Duration   `yaml:"every,omitempty"`
	Attempts   *int              `yaml:"attempts,omitempty"`
	Timeout    *probe.Duration   `yaml:"timeout,omitempty"`
	RetryDelay *probe.Duration   `yaml:"retry_delay,omitempty"`
}

// target is an address that hides the password in it when it is shown.
type target string

// picking gives the target of a check that picks a credential; "" = none.
func (t target) picking(credential string) probe.Target {
	made := probe.NewTarget(string(t))
	made.Credential = credential
	return made
}

// MarshalYAML gives the address without user name and password.
func (t target) MarshalYAML() (any, error) { return probe.NewTarget(string(t)).String(), nil }

type scheduling struct {
	Concurrency int `yaml:"concurrency"`
}

func defaults() document {
	return document{
		Defaults: rules{
			Every: probe.Duration(time.Minute), Attempts: 5,
			Timeout: probe.Duration(4 * time.Second), RetryDelay: probe.Duration(time.Second),
		},
		Alerting:   alerting.DefaultConfig(),
		History:    history.DefaultConfig(),
		Schedule:   scheduling{Concurrency: probe.DefaultConcurrency},
		LoginGuard: lockout.DefaultConfig(),
	}
}
