// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"math"
	"os/exec"
	"testing"
	"time"
)

// TestFigures adds up turns of known cost.
func TestFigures(t *testing.T) {
	var f figures
	for _, cpu := range []time.Duration{100, 200, 600} {
		f.add(turn{probes: 1000, cpu: cpu * time.Millisecond, took: cpu * 10 * time.Millisecond, p99: cpu * time.Microsecond})
	}
	if got := f.cpu(); math.Abs(got-0.3) > 1e-9 {
		t.Errorf("%v CPU seconds per 1000 probes, want 0.3", got)
	}
	if got := f.rate(); got != 500 {
		t.Errorf("%v probes per second, want those of the turn in the middle, 500", got)
	}
	if got := f.p99(); got != 0.2 {
		t.Errorf("p99 is %v ms, want that of the turn in the middle, 0.2", got)
	}
}

// TestGoals tells figures that meet the goals from those that do not.
func TestGoals(t *testing.T) {
	at := func(cpu, p99 time.Duration) figures {
		return figures{{probes: 1000, cpu: cpu * time.Millisecond, took: time.Second, p99: p99 * time.Millisecond}}
	}
	for _, test := range []struct {
		ours figures
		met  bool
	}{
		{at(500, 10), true}, {at(510, 10), false}, {at(100, 11), false},
	} {
		if met := printRow(1, test.ours, at(1000, 10)); met != test.met {
			t.Errorf("%v is met: %t, want %t", test.ours, met, test.met)
		}
	}
}

// TestProcessFigures reads the time and memory of a process that computes for a while.
func TestProcessFigures(t *testing.T) {
	cmd := exec.Command("sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo ready; exec sleep 60")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	e := &exporter{name: "sh", cmd: cmd}
	if used, err := e.cpu(); err != nil || used <= 0 {
		t.Errorf("processor time %v, %v, want some", used, err)
	}
	peak, err := e.memory("VmHWM")
	if err != nil || peak <= 0 {
		t.Errorf("peak memory %d, %v, want some", peak, err)
	}
	if _, err := e.memory("VmNone"); err == nil {
		t.Error("a line that is not there: no error, want one")
	}
}

// TestTarget sees that the target tells when more connections were made than probes.
func TestTarget(t *testing.T) {
	target, err := kinds[0].serve()
	if err != nil {
		t.Fatal(err)
	}
	defer target.close()
	if err := target.expect(0); err != nil {
		t.Error(err)
	}
	target.served.Add(1)
	if err := target.expect(0); err == nil {
		t.Error("a connection too many: no error, want one")
	}
}
