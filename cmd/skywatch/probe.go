// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"

	"skywatch/collector"
	"skywatch/internal/config"
	"skywatch/internal/probe"
	"skywatch/probes"
)

// probeCommand is `skywatch probe MODULE TARGET`.
func (p *program) probeCommand(app *kingpin.Application) {
	c := app.Command("probe", "Make one attempt of a module at a target, as /probe does, and print trace and metrics; the exit status is 0 on success.")
	module := c.Arg("module", "Name of a module.").Required().String()
	target := c.Arg("target", "Address.").Required().String()
	hostname := c.Flag("hostname", "What /probe takes as the parameter hostname.").PlaceHolder("NAME").String()
	credential := c.Flag("credential", "What /probe takes as the parameter credential.").PlaceHolder("NAME").String()
	params := c.Flag("param", "A parameter that the module lists under params; may be repeated.").PlaceHolder("NAME=VALUE").Strings()
	p.outputFlag(c)
	p.commands[c.FullCommand()] = func(ctx context.Context) error {
		t := probe.NewTarget(*target)
		t.Hostname, t.Credential = *hostname, *credential
		return p.probe(ctx, *module, t, *params)
	}
}

func (p *program) probe(ctx context.Context, module string, target probe.Target, params []string) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	c, err := p.single(cfg, module, target, params)
	if err != nil {
		return err
	}
	result, err := newRunner(p.proberLog(), nil).request(ctx, c)
	if err != nil {
		return err
	}
	if err := p.showProbe(result); err != nil {
		return err
	}
	if !result.Success() {
		return errShown
	}
	return nil
}

// single makes the check of a single attempt.
func (p *program) single(cfg *config.Config, module string, target probe.Target, params []string) (probe.Check, error) {
	m := cfg.Modules[module]
	if m == nil {
		return probe.Check{}, fmt.Errorf("probing with module %q: not configured in %q, want one of %s",
			module, cfg.Path, probe.Listed(slices.Sorted(maps.Keys(cfg.Modules))))
	}
	m, err := varied(m, params)
	if err != nil {
		return probe.Check{}, fmt.Errorf("probing with module %q: %w", module, err)
	}
	if checker, ok := m.Prober.(collector.HostnameChecker); ok {
		if err := checker.CheckHostname(target.Hostname); err != nil {
			return probe.Check{}, err
		}
	}
	if err := m.Permitted(target); err != nil {
		return probe.Check{}, notPermitted(m, err)
	}
	timeout, _ := collector.Timeout(0, p.offset(), m.Timeout, bool(p.exact())) // as a request without the scraper's header
	return probe.Check{Module: m, Target: target, Origin: probe.OriginCommand, Timeout: timeout, Attempts: 1}, nil
}

// notPermitted says in the words of the command line why a secret may not be sent, and how it may.
func notPermitted(m *probe.Module, err error) error {
	text := err.Error()
	said := fmt.Errorf("probing with module %q: %s", m.Name, strings.ToLower(text[:1])+text[1:])
	if refused := new(probe.Refused); errors.As(err, &refused) && refused.Address != "" {
		return hint(said, fmt.Sprintf("to allow it, name %q under allow of an entry of credentials, or configure a check that sends it there", refused.Address))
	}
	return said
}

// varied is the module as a request with these parameters would have it.
func varied(m *probe.Module, params []string) (*probe.Module, error) {
	parameters := url.Values{}
	for _, param := range params {
		if m.Vary == nil {
			return nil, fmt.Errorf("--param=%s: the module has no params, want a list of what may be set", param)
		}
		name, value, ok := strings.Cut(param, "=")
		if !ok {
			return nil, fmt.Errorf("--param=%s: no value, want NAME=VALUE", param)
		}
		if !slices.Contains(m.Params, name) {
			return nil, fmt.Errorf("--param=%s: not among the params of the module, want one of %s", param, probe.Listed(m.Params))
		}
		parameters.Add(name, value)
	}
	if len(parameters) == 0 {
		return m, nil
	}
	return m.Vary(parameters)
}

func (p *program) offset() time.Duration {
	return time.Duration(p.timeoutOffset * float64(time.Second))
}

func (p *program) showProbe(r probe.Result) error {
	if p.output == "json" {
		return asJSON(p.stdout, newOutcome(r))
	}
	_, err := fmt.Fprintf(p.stdout, "%s\n%s", r.Trace, collector.AppendText(nil, r))
	return err
}

// probeOptions is what all probers have in common; the configuration's directory is added as it is read.
func (p *program) probeOptions() probes.Options {
	return probes.Options{Compat: p.exact(), UserAgent: "skywatch/" + release(), Log: p.logger()}
}

// release is the version that was set when skywatch was built.
func release() string { return cmp.Or(version.Version, "unreleased") }

// logger is the log of the program.
func (p *program) logger() *slog.Logger {
	return slog.New(newSink(p.stderr, p.logFormat, level(p.logLevel)))
}

// proberLog takes what probers log. One line per failed probe is too much unless somebody asked for it; blackbox_exporter writes two.
func (p *program) proberLog() *slog.Logger {
	if !p.logProberSet && p.exact() == probes.Fixed {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(newSink(p.stderr, p.logFormat, level(p.logProber)))
}
