// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"math"
	"os"
	"strings"
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

// TestChangedHistoryWarns until the settings are again those that the store runs with.
func TestChangedHistoryWarns(t *testing.T) {
	const warning = "changed history settings take effect after a restart"
	d := newTestDaemon(t, "modules: {}\nhistory: {flush_interval: 1m}\n")
	d.remembering(t)
	for i, step := range []struct {
		text string
		want int // warnings so far
	}{
		{"modules: {}\nhistory: {flush_interval: 2m}\n", 1},
		{"modules: {a: {prober: tcp}}\nhistory: {flush_interval: 2m}\n", 2},
		{"modules: {}\nhistory: {flush_interval: 1m}\n", 2},
	} {
		if err := os.WriteFile(d.live.Current().Path, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.reload(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(d.stderr.String(), warning); got != step.want {
			t.Errorf("step %d: %d warnings, want %d\n%s", i, got, step.want, d.stderr)
		}
	}
}
