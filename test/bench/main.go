// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Command bench measures skywatch beside blackbox_exporter: the same module file, the same targets on loopback, the same scrapes, in
// turns within one run, so that whatever else the machine does falls on both. It prints what a probe costs each of them and the ratios,
// and ends with status 1 when a goal is missed. `make bench-compare` runs it; it imports nothing of skywatch's code.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// plan is what is measured.
type plan struct {
	skywatch, blackbox string // the binaries
	only               string // kind of probe; "" = all
	rounds             int
	probes             int // of each exporter in a round
}

// concurrencies are the numbers of scrapes under way at once.
var concurrencies = []int{1, 8, 64}

func main() {
	var p plan
	flag.StringVar(&p.skywatch, "skywatch", "bin/skywatch", "binary of skywatch")
	flag.StringVar(&p.blackbox, "blackbox", "prometheus-blackbox-exporter", "binary of blackbox_exporter")
	flag.StringVar(&p.only, "only", "", "kind of probe to measure, tcp or http; empty = both")
	flag.IntVar(&p.rounds, "rounds", 7, "turns of each exporter")
	flag.IntVar(&p.probes, "probes", 2000, "probes in each turn")
	flag.Parse()
	met, err := p.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if !met {
		os.Exit(1)
	}
}

// run measures everything and prints it. It tells whether all goals are met.
func (p plan) run() (met bool, err error) {
	dir, err := os.MkdirTemp("", "skywatch-bench-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	config := filepath.Join(dir, "blackbox.yml")
	if err := os.WriteFile(config, []byte(modules), 0o600); err != nil {
		return false, err
	}
	ours, err := start("skywatch", p.skywatch, config)
	if err != nil {
		return false, err
	}
	defer ours.stop()
	theirs, err := start("blackbox_exporter", p.blackbox, config)
	if err != nil {
		return false, err
	}
	defer theirs.stop()
	met = true
	for _, k := range kinds {
		if p.only != "" && p.only != k.name {
			continue
		}
		ok, err := p.compare(k, ours, theirs)
		if err != nil {
			return false, err
		}
		met = met && ok
	}
	ok, err := compareMemory(ours, theirs)
	return met && ok, err
}

// compare measures one kind of probe with growing concurrency.
func (p plan) compare(k kind, ours, theirs *exporter) (met bool, err error) {
	target, err := k.serve()
	if err != nil {
		return false, err
	}
	defer target.close()
	fmt.Printf("%s: %d turns of %d probes each\n%s", k.name, p.rounds, p.probes, tableHead)
	met = true
	for _, concurrency := range concurrencies {
		a, b, err := p.turns(k, target, concurrency, ours, theirs)
		if err != nil {
			return false, err
		}
		met = printRow(concurrency, a, b) && met
	}
	return met, nil
}

// turns lets the exporters probe one after the other, again and again; who begins alternates.
func (p plan) turns(k kind, t *target, concurrency int, ours, theirs *exporter) (a, b figures, err error) {
	for round := range p.rounds + 1 {
		order := []*exporter{ours, theirs}
		if round%2 == 1 {
			order[0], order[1] = theirs, ours
		}
		for _, e := range order {
			turn, err := measure(e, k, t, concurrency, p.probes)
			if err != nil {
				return a, b, fmt.Errorf("%s probes by %q: %w", k.name, e.name, err)
			}
			switch {
			case round == 0: // warms up
			case e == ours:
				a.add(turn)
			default:
				b.add(turn)
			}
		}
	}
	return a, b, nil
}
