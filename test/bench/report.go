// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"fmt"
	"slices"
	"time"
)

// The goals, against blackbox_exporter.
const (
	goalCPU    = 0.5      // of its processor time for a probe
	goalP99    = 1.0      // of its 99th percentile
	goalMemory = 32 << 10 // KiB of peak resident set
)

// figures are the turns of one exporter.
type figures []turn

func (f *figures) add(t turn) { *f = append(*f, t) }

// cpu is the processor time of a thousand probes, over all turns since the kernel counts in coarse ticks.
func (f figures) cpu() float64 {
	var cpu time.Duration
	probes := 0
	for _, t := range f {
		cpu += t.cpu
		probes += t.probes
	}
	return cpu.Seconds() / float64(probes) * 1000
}

// rate is the median of the turns' probes per second.
func (f figures) rate() float64 {
	return f.median(func(t turn) float64 { return float64(t.probes) / t.took.Seconds() })
}

// p99 is the median of the turns' 99th percentiles, in milliseconds.
func (f figures) p99() float64 {
	return f.median(func(t turn) float64 { return float64(t.p99) / float64(time.Millisecond) })
}

func (f figures) median(of func(turn) float64) float64 {
	var all []float64
	for _, t := range f {
		all = append(all, of(t))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

const tableHead = `            CPU seconds per 1000 probes      probes per second                p99, ms
  at once   skywatch blackbox  ratio         skywatch blackbox  ratio         skywatch blackbox  ratio
`

// printRow prints one comparison and tells whether its goals are met.
func printRow(concurrency int, ours, theirs figures) (met bool) {
	cpu, p99 := ours.cpu()/theirs.cpu(), ours.p99()/theirs.p99()
	fmt.Printf("  %7d   %8.3f %8.3f %6.2f %-6s  %8.0f %8.0f %6.2f %-6s  %8.2f %8.2f %6.2f %s\n", concurrency,
		ours.cpu(), theirs.cpu(), cpu, verdict(cpu <= goalCPU),
		ours.rate(), theirs.rate(), ours.rate()/theirs.rate(), "",
		ours.p99(), theirs.p99(), p99, verdict(p99 <= goalP99))
	return cpu <= goalCPU && p99 <= goalP99
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}

// compareMemory prints the resident sets and tells whether the goal is met.
func compareMemory(ours, theirs *exporter) (met bool, err error) {
	var peak [2]int
	for i, e := range []*exporter{ours, theirs} {
		if peak[i], err = e.memory("VmHWM"); err != nil {
			return false, err
		}
	}
	met = peak[0] <= goalMemory
	fmt.Printf("peak RSS, MiB: skywatch %.1f, blackbox %.1f, ratio %.2f; at most %d: %s\n", float64(peak[0])/1024, float64(peak[1])/1024,
		float64(peak[0])/float64(peak[1]), goalMemory/1024, verdict(met))
	fmt.Printf("goals: CPU ratio at most %.2f, p99 ratio at most %.2f\n", goalCPU, goalP99)
	return met, nil
}
