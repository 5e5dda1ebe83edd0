// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"os"
	"time"
)

// reload takes over a changed configuration file; not before the first one is in force.
func (d *daemon) reload() error {
	if err := d.ready(); err != nil {
		return err
	}
	return d.live.Reload()
}

// reloadUnasked reads the configuration again at every SIGHUP, those from before the history was open included, and, if that is wanted, at intervals.
func (d *daemon) reloadUnasked(ctx context.Context) error {
	if !d.waitOpened(ctx) {
		return nil
	}
	return reloadOn(ctx, d.hangups, d.reloadEvery(), func() {
		if err := d.reload(); err != nil {
			d.log.Error("configuration stays as it was", "err", err)
		}
	})
}

// reloadEvery is the interval of reloads that nobody asks for; 0 = there are none.
func (p *program) reloadEvery() time.Duration {
	if !p.autoReload {
		return 0
	}
	return time.Duration(p.autoReloadInterval) * time.Second
}

// reloadOn calls reload for every signal, and when there was none for the time of every (0 = never).
func reloadOn(ctx context.Context, signals <-chan os.Signal, every time.Duration, reload func()) error {
	var due <-chan time.Time
	for {
		if every > 0 {
			due = time.After(every)
		}
		select {
		case <-signals:
		case <-due:
		case <-ctx.Done():
			return nil
		}
		reload()
	}
}
