// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/alecthomas/kingpin/v2"

	"skywatch/alerting"
	"skywatch/history"
	"skywatch/internal/config"
)

// summaryCommand is `skywatch summary [--send]`.
func (p *program) summaryCommand(app *kingpin.Application) {
	c := app.Command("summary", "Print the daily summary as it would be sent now.")
	send := c.Flag("send", "Let the running daemon send it, instead of printing it.").Bool()
	p.outputFlag(c)
	p.commands[c.FullCommand()] = func(ctx context.Context) error {
		cfg, err := p.load()
		if err != nil {
			return err
		}
		if *send {
			return p.sendSummary(ctx, cfg)
		}
		return p.printSummary(ctx, cfg)
	}
}

func (p *program) sendSummary(ctx context.Context, cfg *config.Config) error {
	_, err := ask(ctx, cfg.History.Path, http.MethodPost, "summary")
	if errors.Is(err, errNoDaemon) {
		return hint(fmt.Errorf("sending the summary: %w, want a running one", err), "skywatch serve starts it; it alone may send")
	}
	if err != nil {
		return fmt.Errorf("sending the summary: %w", err)
	}
	fmt.Fprintln(p.stdout, "the summary is on its way")
	return nil
}

func (p *program) printSummary(ctx context.Context, cfg *config.Config) error {
	s, err := askSummary(ctx, cfg)
	if errors.Is(err, errNoDaemon) {
		s, err = readSummary(ctx, cfg)
	}
	if err != nil {
		return fmt.Errorf("making the summary: %w", err)
	}
	if p.output == "json" {
		return asJSON(p.stdout, s)
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n\n%s", s.Subject, s.Text)
	return err
}

func askSummary(ctx context.Context, cfg *config.Config) (s summary, err error) {
	answer, err := ask(ctx, cfg.History.Path, http.MethodGet, "summary")
	if err != nil {
		return summary{}, err
	}
	return s, json.Unmarshal(answer, &s)
}

// readSummary makes the summary from the file, without a daemon.
func readSummary(ctx context.Context, cfg *config.Config) (s summary, err error) {
	store, err := history.OpenReadOnly(ctx, history.Options{Config: cfg.History, Location: cfg.Location})
	if err != nil {
		return summary{}, err
	}
	defer store.Close()
	alerter := alerting.New(alerting.Options{Journal: store, Reader: store})
	if err := alerter.Apply(cfg.Alerting, cfg.Location, cfg.Checks); err != nil {
		return summary{}, err
	}
	s.Subject, s.Text, err = alerter.Summary(ctx)
	return s, err
}
