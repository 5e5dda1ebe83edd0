// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// Checks exposes the series of all scheduled checks from one compact record each, and on an address of its own what they measured last. It is a prometheus.Collector and a probe.Observer.
type Checks struct {
	states func(check string) (record.CheckState, bool)
	missed func(check string) uint64 // nil = not exposed

	mu    sync.Mutex
	all   []*series // by name
	plain bool      // all configured label names are of the old alphabet
}

// series is what is held of a check.
type series struct {
	group, module, target string
	labels                map[string]string // the configuration's own, never written
	counters              record.Counters
	last                  *last          // of a check with one target; nil = nothing since the start
	targets               []targetSeries // of a check with many targets, in the order of the configuration
}

// NewChecks makes the series of no checks; Apply names them. states gives the state of a check, missed at how many of its ticks it was not
// started; nil = none is exposed.
func NewChecks(states func(check string) (record.CheckState, bool), missed func(check string) uint64) *Checks {
	if states == nil {
		states = func(string) (record.CheckState, bool) { return record.CheckState{}, false }
	}
	return &Checks{states: states, missed: missed, plain: true}
}

// find gives the place of a check in the order of names. The caller holds the lock.
func (c *Checks) find(name string) (int, bool) {
	return slices.BinarySearchFunc(c.all, name, func(s *series, name string) int { return strings.Compare(s.counters.Check, name) })
}

// Apply takes over the configured checks: new ones start at zero or with what was counted under a former name, vanished ones lose their
// series, the others go on counting.
func (c *Checks) Apply(checks []probe.Check) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all, plain := make([]*series, 0, len(checks)), true
	for i := range checks {
		s := &series{counters: record.Counters{Check: checks[i].Name}}
		if at, known := c.find(checks[i].Name); known {
			s = c.all[at]
		}
		c.inherit(s, checks[i].Was)
		s.describe(&checks[i])
		plain = plain && plainNames(s.labels)
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *series) int { return strings.Compare(a.counters.Check, b.counters.Check) })
	c.all, c.plain = all, plain
}

// inherit adds what was counted under former names. The caller holds the lock and drops the series of those names.
func (c *Checks) inherit(s *series, was []string) {
	for _, name := range was {
		if at, known := c.find(name); known && name != s.counters.Check {
			s.counters.Merge(c.all[at].counters)
		}
	}
}

func (s *series) describe(check *probe.Check) {
	module, target := "", check.Target.String()
	if check.Module != nil {
		module = check.Module.Name
	}
	if module != s.module || target != s.target {
		s.forget()
	}
	s.group, s.labels, s.module, s.target = check.Group, check.Labels, module, target
	s.targets = retarget(s.targets, check.Parts)
}

func plainNames(labels map[string]string) bool {
	for name := range labels {
		if !model.LegacyValidation.IsValidLabelName(name) {
			return false
		}
	}
	return true
}

// Seed adds what was counted before this process, so that counters go on after a restart. Targets of a check are added up. Call it
// once, before or after Apply; the next Apply forgets what belongs to no check.
func (c *Checks) Seed(counters []record.Counters) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = slices.Clone(c.all) // a scrape may be reading the old one
	for i := range counters {
		at, known := c.find(counters[i].Check)
		if !known {
			c.all = slices.Insert(c.all, at, &series{counters: record.Counters{Check: counters[i].Check}})
		}
		c.all[at].counters.Merge(counters[i])
	}
}

// Observe counts a result. Results of requests, aborted ones, and those of checks that are no longer configured change nothing.
func (c *Checks) Observe(_ context.Context, r probe.Result) {
	if r.Check == "" || r.Origin == probe.OriginRequest || r.Verdict == probe.Aborted {
		return
	}
	kept := lastsOf(&r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, known := c.find(r.Check); known {
		c.all[at].counters.Count(r.Verdict, r.Reason, r.Attempts, r.Start, r.Took)
		c.all[at].observe(&r, kept)
	}
}

// Describe names nothing: the labels of skywatch_check_info differ from check to check and change at a reload, which a registry
// takes from a collector without promises only.
func (c *Checks) Describe(chan<- *prometheus.Desc) {}

// Collect gives all series of all checks. The handler of NewMetricsHandler needs less memory for them.
func (c *Checks) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.list() {
		for i := range families {
			v := new(view)
			c.load(v, s, &families[i])
			families[i].each(v, func(m sample) { out <- metric{&families[i], m} })
		}
	}
}

// list gives the checks of this moment, in the order of names.
func (c *Checks) list() []*series {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[:len(c.all):len(c.all)]
}

// view is what a family needs of a check at one moment. It may be loaded again.
type view struct {
	series
	state   record.CheckState
	missed  func(check string) uint64
	buckets []record.Bucket
	aims    []targetSeries
}

// load copies what is held of a check, so that nothing is held up while it is written.
func (c *Checks) load(v *view, s *series, f *family) {
	c.mu.Lock()
	v.series, v.missed = *s, c.missed
	v.buckets = append(v.buckets[:0], s.counters.Durations.Buckets...)
	if v.aims = v.aims[:0]; f.ofTargets {
		v.aims = append(v.aims, s.targets...)
	}
	c.mu.Unlock()
	v.counters.Durations.Buckets, v.targets = v.buckets, v.aims
	if f.ofState {
		v.state, _ = c.states(v.counters.Check)
	}
}
