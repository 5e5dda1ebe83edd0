// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"skywatch/internal/config"
	"skywatch/internal/probe"
)

// configCommand is `skywatch config check`.
func (p *program) configCommand(app *kingpin.Application) {
	c := app.Command("config", "Work on the configuration.").
		Command("check", "Read the configuration, say whether it is good, and how long each check may take.")
	p.outputFlag(c)
	p.commands[c.FullCommand()] = func(context.Context) error { return p.checkConfig() }
}

// plan is a check as `config check` shows it.
type plan struct {
	Check    string  `json:"check"`
	Module   string  `json:"module"`
	Target   string  `json:"target"` // "" with many
	Every    float64 `json:"every_seconds"`
	Attempts int     `json:"attempts"`
	Timeout  float64 `json:"timeout_seconds"`
	Worst    float64 `json:"worst_case_seconds"`
	Skips    bool    `json:"may_skip_ticks"`

	Targets []string `json:"targets,omitempty"` // of a check with many
}

func (p *program) checkConfig() error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	if p.output == "json" {
		plans := make([]plan, len(cfg.Checks))
		for i, c := range cfg.Checks {
			plans[i] = plan{
				c.Name, c.Module.Name, c.Target.String(), c.Every.Seconds(), c.Attempts, c.Timeout.Seconds(),
				c.WorstCase().Seconds(), c.WorstCase() > c.Every, targetsOf(c),
			}
		}
		return asJSON(p.stdout, plans)
	}
	return p.showPlans(cfg)
}

func (p *program) showPlans(cfg *config.Config) error {
	fmt.Fprintf(p.stdout, "configuration %q is good: %s, %s, %s\n", cfg.Path,
		probe.Count(len(cfg.Modules), "module"), probe.Count(len(cfg.Checks), "check"), probe.Count(len(cfg.Alerting.Notifiers), "notifier"))
	if len(cfg.Checks) == 0 {
		return nil
	}
	rows := [][]string{{"CHECK", "EVERY", "ATTEMPTS", "TIMEOUT", "WORST CASE", "NOTE"}}
	for _, c := range cfg.Checks {
		rows = append(rows, []string{c.Name, c.Every.String(), strconv.Itoa(c.Attempts), c.Timeout.String(), c.WorstCase().String(), notes(c)})
	}
	return table(p.stdout, rows...)
}

// targetsOf gives the targets of a check with many.
func targetsOf(c probe.Check) (targets []string) {
	for _, p := range c.Parts {
		targets = append(targets, p.Target.String())
	}
	return targets
}

// notes tells what is worth knowing of a check.
func notes(c probe.Check) string {
	var all []string
	if n := len(c.Parts); n > probe.PartsAtOnce {
		all = append(all, fmt.Sprintf("%d targets, %d at a time", n, probe.PartsAtOnce))
	} else if n > 0 {
		all = append(all, probe.Count(n, "target"))
	}
	if text := skips(c); text != "" {
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// skips tells what a check that may take longer than its interval does.
func skips(c probe.Check) string {
	if c.WorstCase() <= c.Every {
		return ""
	}
	return "a failure may skip up to " + probe.Count(int((c.WorstCase()-1)/c.Every), "tick")
}
