// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"errors"
)

// part runs until its context ends, and returns when everything it started has ended.
type part func(ctx context.Context) error

// inOrder runs all parts at once until ctx ends or one of them returns. Then it ends them one after the other: the next is told only when
// the one before it has returned, so that what feeds another part ends before it.
func inOrder(ctx context.Context, parts ...part) error {
	lasting := context.WithoutCancel(ctx)
	first := make(chan struct{}, len(parts))
	ends := make([]func() error, len(parts))
	for i, run := range parts {
		within, cancel := context.WithCancel(lasting)
		result := make(chan error, 1)
		go func() {
			result <- run(within)
			first <- struct{}{}
		}()
		ends[i] = func() error {
			cancel()
			return <-result
		}
	}
	select {
	case <-ctx.Done():
	case <-first:
	}
	var errs []error
	for _, end := range ends {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}
