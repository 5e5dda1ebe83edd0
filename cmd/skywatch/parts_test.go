// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPartsEndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended []string
		named := func(name string, takes time.Duration) part {
			return func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(takes)
				ended = append(ended, name)
				return nil
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		err := inOrder(ctx, named("schedule", 3*time.Second), named("alerting", 2*time.Second), named("history", time.Second))
		if diff := cmp.Diff([]string{"schedule", "alerting", "history"}, ended); err != nil || diff != "" {
			t.Errorf("%v; order (-want +got):\n%s", err, diff)
		}
		if took := time.Since(start) - time.Minute; took != 6*time.Second {
			t.Errorf("the end took %s, want 6s: one after the other", took)
		}
	})
}

func TestFailureOfOnePartEndsAll(t *testing.T) {
	broken := errors.New("address in use")
	ended := 0
	wait := func(ctx context.Context) error {
		<-ctx.Done()
		ended++
		return nil
	}
	if err := inOrder(t.Context(), wait, func(context.Context) error { return broken }, wait); !errors.Is(err, broken) || ended != 2 {
		t.Errorf("got %v with %d others ended, want the failure and 2", err, ended)
	}
}
