// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"math"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// reloadWhenDue reads the configuration again at every SIGHUP and, where that is wanted, every so often.
func (d *daemon) reloadWhenDue(ctx context.Context) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	if !d.waitOpened(ctx) {
		return nil
	}
	return reloadOn(ctx, hangups, d.reloadEvery(), func() {
		if err := d.reload(); err != nil {
			d.log.Error("configuration stays as it was", "err", err)
		}
	})
}

// reloadEvery is the interval of automatic reloads; 0 = there are none.
func (p *program) reloadEvery() time.Duration {
	if !p.autoReload {
		return 0
	}
	return time.Duration(min(p.autoReloadSeconds, math.MaxInt32)) * time.Second
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
