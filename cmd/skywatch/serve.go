// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"log/slog"
	"math"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"skywatch/alerting"
	"skywatch/collector"
	"skywatch/history"
	"skywatch/internal/config"
	"skywatch/internal/lockout"
	"skywatch/internal/probe"
	"skywatch/internal/record"
	"skywatch/internal/schedule"
	"skywatch/internal/web"
)

// What history offers is what alerting and web ask for.
var (
	_ alerting.Journal = (*history.Store)(nil)
	_ alerting.Reader  = (*history.Store)(nil)
	_ web.Reader       = (*history.Store)(nil)
	_ probe.Observer   = (*history.Store)(nil)
	_ probe.Observer   = (*alerting.Alerter)(nil)
	_ probe.Observer   = (*collector.Checks)(nil)
)

// daemon is what `skywatch serve` is made of.
type daemon struct {
	*program
	log       *slog.Logger
	place     place
	registry  *prometheus.Registry
	live      *config.Live
	store     *history.Store
	alerter   *alerting.Alerter
	checks    *collector.Checks
	recent    *collector.Recent
	runner    *runner
	guard     *lockout.Guard
	scheduler *schedule.Scheduler
	hangups   <-chan os.Signal
	listeners []net.Listener
	opened    chan struct{} // closed once the history was tried and the checks are known
}

// serve is `skywatch [serve]`.
func (p *program) serve(ctx context.Context) error {
	if p.configCheck {
		return p.checkConfig()
	}
	p.frugal()
	at, err := p.place()
	if err != nil {
		return err
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // before anything that takes time: until then the signal kills
	defer signal.Stop(hangups)
	log := p.logger()
	d, err := p.newDaemon(log)
	if err != nil {
		return p.explain(err)
	}
	d.place, d.hangups = at, hangups
	if d.listeners, err = web.Listen(p.web); err != nil {
		return err
	}
	log.Info("starting", "version", release(), "config", d.live.Current().Path, "checks", len(d.live.Current().Checks))
	if err := inOrder(ctx, d.schedule, d.answer, d.answerCommands, d.reloadUnasked, d.alert, d.remember); err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}

// newDaemon makes all parts; none runs yet and no file but the configuration was touched.
func (p *program) newDaemon(log *slog.Logger) (*daemon, error) {
	d := &daemon{program: p, log: log, registry: newRegistry(), opened: make(chan struct{})}
	var err error
	if d.live, err = config.NewLive(p.configPath(), p.probeOptions(), d.registry); err != nil {
		return nil, err
	}
	c := d.live.Current()
	running := c.History // as the store is made; no reload changes that
	d.checks = collector.NewChecks(
		func(check string) (record.CheckState, bool) { return d.alerter.State(check) },
		func(check string) uint64 { return d.scheduler.Missed(check) },
	)
	d.store = history.New(history.Options{
		Config: c.History, Location: c.Location, Log: log, Registerer: d.registry, Past: d.checks.Seed,
	})
	d.alerter = alerting.New(alerting.Options{
		Journal: d.store, Reader: d.store, Log: log, Registerer: d.registry, Version: release(),
	})
	d.checks.Apply(c.Checks)
	d.recent = collector.NewRecent(int(min(p.historyLimit, math.MaxInt32)), p.debug())
	d.runner = newRunner(p.proberLog(), d.store.Memory)
	d.guard = d.newGuard(c.LoginGuard)
	d.runner.guard = d.guard
	d.scheduler = schedule.New(schedule.Options{
		Run: d.runner.check, Observers: []probe.Observer{d.alerter, d.checks, d.store}, Concurrency: c.Concurrency, Registerer: d.registry,
	})
	registerStrays(d.registry, &d.runner.strays)
	d.live.OnApply(func(c *config.Config) error {
		if err := d.apply(c); err != nil {
			return err
		}
		d.adopt(c.Checks)
		if c.History != running {
			log.Warn("changed history settings take effect after a restart")
		}
		return nil
	})
	return d, nil
}

// newGuard makes the guard of logins. What it knows lies in the history, under the name that no check has.
func (d *daemon) newGuard(c lockout.Config) *lockout.Guard {
	return lockout.New(lockout.Options{
		Config: c, Log: d.log, Location: d.location, Registerer: d.registry,
		Memory:  func(name string) probe.Store { return d.store.Memory("", name) },
		Stored:  func() bool { return d.store.Err() == nil },
		Address: oneSpelling,
	})
}

// apply takes over a new configuration; only the first step can refuse it.
func (d *daemon) apply(c *config.Config) error {
	if err := d.alerter.Apply(c.Alerting, c.Location, c.Checks); err != nil {
		return err
	}
	d.checks.Apply(c.Checks)
	d.guard.Apply(c.LoginGuard)
	d.scheduler.Limit(c.Concurrency)
	d.scheduler.Apply(c.Checks)
	d.log.Info("configuration is in force", "path", c.Path, "modules", len(c.Modules), "checks", len(c.Checks))
	return nil
}

// remember owns the history. It brings back what the last process knew before anything new comes in.
func (d *daemon) remember(ctx context.Context) error {
	d.recall(ctx)
	if err := d.apply(d.live.Current()); err != nil {
		close(d.opened)
		return err
	}
	close(d.opened)
	forgetStart()
	return d.store.Run(ctx)
}

// recall opens the history. When that fails the store says so itself, in the log and on every page, and tries again later.
func (d *daemon) recall(ctx context.Context) {
	d.store.Open(ctx)
	d.adopt(d.live.Current().Checks)
}

// adoptPatience bounds how long a disk that does not answer can hold up a start or a reload.
const adoptPatience = 10 * time.Second

// adopt hands the past of renamed checks to their new names; what cannot be stored now the store does later.
func (d *daemon) adopt(checks []probe.Check) {
	was := map[string][]string{}
	for _, c := range checks {
		if len(c.Was) > 0 {
			was[c.Name] = c.Was
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), adoptPatience)
	defer cancel()
	if err := d.store.Adopt(ctx, was); err != nil {
		d.log.Warn("history of renamed checks is carried over later", "err", err)
	}
}

func (d *daemon) schedule(ctx context.Context) error {
	if !d.waitOpened(ctx) {
		return nil
	}
	err := d.scheduler.Run(ctx)
	d.log.Info("stopping")
	return err
}

func (d *daemon) alert(ctx context.Context) error {
	if !d.waitOpened(ctx) {
		return nil
	}
	return d.alerter.Run(ctx)
}

// waitOpened tells whether the daemon was opened before ctx ended.
func (d *daemon) waitOpened(ctx context.Context) bool {
	select {
	case <-d.opened:
		return true
	case <-ctx.Done():
		return false
	}
}

// answer serves HTTP; it does not wait for the history.
func (d *daemon) answer(ctx context.Context) error {
	return web.Serve(ctx, d.handler(), d.listeners, d.web, d.log)
}

// location is the zone in force.
func (d *daemon) location() *time.Location { return d.live.Current().Location }
