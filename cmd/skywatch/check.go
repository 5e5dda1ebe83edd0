// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"skywatch/internal/config"
	"skywatch/internal/lockout"
	"skywatch/internal/probe"
)

// checkCommand is `skywatch check [NAME...]`.
func (p *program) checkCommand(app *kingpin.Application) {
	c := app.Command("check", "Run checks once, now, and print their traces; the exit status is 0 when all are up. Nothing is stored or sent.")
	names := c.Arg("name", "Checks to run (default all).").Strings()
	p.outputFlag(c)
	p.commands[c.FullCommand()] = func(ctx context.Context) error { return p.check(ctx, *names) }
}

func (p *program) check(ctx context.Context, names []string) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	checks, err := chosen(cfg, names)
	if err != nil {
		return err
	}
	results := p.runAll(ctx, checks, cfg)
	if err := p.showResults(results); err != nil {
		return err
	}
	if slices.ContainsFunc(results, func(r probe.Result) bool { return !r.Success() }) {
		return errShown
	}
	return nil
}

// chosen finds the named checks; all without a name.
func chosen(cfg *config.Config, names []string) ([]probe.Check, error) {
	if len(cfg.Checks) == 0 {
		return nil, hint(fmt.Errorf("running checks: configuration %q has none, want at least one under checks", cfg.Path),
			"skywatch probe MODULE TARGET makes a single attempt without a check")
	}
	if len(names) == 0 {
		return cfg.Checks, nil
	}
	var checks []probe.Check
	for _, name := range names {
		i := slices.IndexFunc(cfg.Checks, func(c probe.Check) bool { return c.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("running check %q: not configured in %q, want one of %s", name, cfg.Path, probe.Listed(checkNames(cfg.Checks)))
		}
		checks = append(checks, cfg.Checks[i])
	}
	return checks, nil
}

func checkNames(checks []probe.Check) []string {
	names := make([]string, len(checks))
	for i, c := range checks {
		names[i] = c.Name
	}
	return names
}

// runAll runs checks side by side and gives their results in the order of the checks.
// Its guard of logins begins with nothing: it knows of no daemon, but does not have a wrong secret refused by all checks that share it.
func (p *program) runAll(ctx context.Context, checks []probe.Check, cfg *config.Config) []probe.Result {
	r := newRunner(p.proberLog(), nil)
	r.guard = lockout.New(lockout.Options{Config: cfg.LoginGuard, Location: func() *time.Location { return cfg.Location }, Address: oneSpelling})
	results := make([]probe.Result, len(checks))
	slots := make(chan struct{}, cfg.Concurrency)
	var all sync.WaitGroup
	for i, c := range checks {
		c.Origin = probe.OriginCommand
		slots <- struct{}{}
		all.Go(func() {
			results[i] = r.check(ctx, c, nil)
			<-slots
		})
	}
	all.Wait()
	return results
}

func (p *program) showResults(results []probe.Result) error {
	if p.output == "json" {
		outcomes := make([]outcome, len(results))
		for i, r := range results {
			outcomes[i] = newOutcome(r)
		}
		return asJSON(p.stdout, outcomes)
	}
	rows := [][]string{{"CHECK", "VERDICT", "REASON", "ATTEMPTS", "TOOK", "MODULE", "TARGET"}}
	for _, r := range results {
		rows = append(rows, p.showResult(r)...)
	}
	return table(p.stdout, rows...)
}

// showResult prints the traces of a result, one for each target, and gives its rows of the table: below that of a check with many targets
// stand those of its targets.
func (p *program) showResult(r probe.Result) [][]string {
	if r.Parts == nil {
		fmt.Fprintf(p.stdout, "%s (%s at %s)\n%s\n", r.Check, r.Module, r.Target, r.Trace)
		return [][]string{row(r.Check, r, r.Target)}
	}
	rows := [][]string{row(r.Check, r, probe.Count(len(r.Parts), "target"))}
	for _, one := range r.Parts {
		fmt.Fprintf(p.stdout, "%s (%s at %s)\n%s\n", one.Check, one.Module, one.Target, one.Trace)
		rows = append(rows, row("", one, one.Target))
	}
	return rows
}

func row(check string, r probe.Result, target string) []string {
	return []string{check, r.Verdict.String(), dash(r.Reason.String()), strconv.Itoa(r.Attempts), probe.Took(r.Took), r.Module, target}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// load reads the configuration for a command.
func (p *program) load() (*config.Config, error) {
	cfg, err := config.Load(p.configPath(), p.probeOptions())
	return cfg, p.explain(err)
}

// explain adds what helps a user who has no configuration yet.
func (p *program) explain(err error) error {
	if _, missing := os.Stat(p.configPath()); err != nil && p.configFile == "" && errors.Is(missing, fs.ErrNotExist) {
		return hint(err, "name one with --config.file, or run in the directory of "+strings.Join(configFiles, " or "))
	}
	return err
}
