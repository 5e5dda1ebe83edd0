// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"math"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestReloadOn: a signal at second 10 puts the next automatic reload off.
func TestReloadOn(t *testing.T) {
	for _, test := range []struct {
		every time.Duration
		want  []float64 // seconds
	}{
		{0, []float64{10}},
		{30 * time.Second, []float64{10, 40, 70}},
		{4 * time.Second, []float64{4, 8, 10, 14, 18, 22, 26, 30, 34, 38, 42, 46, 50, 54, 58, 62, 66, 70, 74, 78}},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 80*time.Second)
			defer cancel()
			signals := make(chan os.Signal, 1)
			time.AfterFunc(10*time.Second, func() { signals <- os.Interrupt })
			var at []float64
			start := time.Now()
			if err := reloadOn(ctx, signals, test.every, func() { at = append(at, time.Since(start).Seconds()) }); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(test.want, at); diff != "" {
				t.Errorf("every %s: reloads (-want +got):\n%s", test.every, diff)
			}
		})
	}
}

func TestReloadEvery(t *testing.T) {
	for _, test := range []struct {
		on      bool
		seconds uint32
		want    time.Duration
	}{{false, 30, 0}, {true, 30, 30 * time.Second}, {true, 0, 0}, {true, math.MaxUint32, math.MaxUint32 * time.Second}} {
		p := program{autoReload: test.on, autoReloadInterval: test.seconds}
		if got := p.reloadEvery(); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}
