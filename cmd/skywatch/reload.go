// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// reload takes over a changed configuration file; not before the first one is in force.
func (d *daemon) reload() error {
	if err := d.ready(); err != nil {
		return err
	}
	return d.live.Reload()
}

// reloadUnasked reads the configuration again at every SIGHUP and, if that is wanted, at intervals.
func (d *daemon) reloadUnasked(ctx context.Context) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	if !d.waitOpened(ctx) {
		return nil
	}
	var due <-chan time.Time
	if d.autoReload && d.autoReloadInterval > 0 {
		ticker := time.NewTicker(time.Duration(d.autoReloadInterval) * time.Second)
		defer ticker.Stop()
		due = ticker.C
	}
	for {
		select {
		case <-hangups:
		case <-due:
		case <-ctx.Done():
			return nil
		}
		if err := d.reload(); err != nil {
			d.log.Error("configuration stays as it was", "err", err)
		}
	}
}
