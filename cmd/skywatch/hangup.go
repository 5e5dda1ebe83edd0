// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// reloadOnHangup reads the configuration again at every SIGHUP.
func (d *daemon) reloadOnHangup(ctx context.Context) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	if !d.waitOpened(ctx) {
		return nil
	}
	for {
		select {
		case <-hangups:
			if err := d.reload(); err != nil {
				d.log.Error("configuration stays as it was", "err", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}
