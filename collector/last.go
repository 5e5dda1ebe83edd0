// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"encoding/binary"
	"slices"
	"strings"

	"skywatch/internal/probe"
)

// leftOutDesc is beside those that every probe has, where samples were too many.
var leftOutDesc = &probe.Desc{Name: "probe_samples_left_out", Help: "Samples that were too many to be kept for a check; absent when all are here."}

// last is what a check, or one of its many targets, measured last. It is not changed once made, so it may be read without a lock.
type last struct {
	readings []reading // by name
	labels   string    // the values of all readings in order, each behind its length
}

// reading is a sample without its labels.
type reading struct {
	desc  *probe.Desc
	value float64
}

// lastsOf makes what is kept of a result: of its one target, or of each of many.
func lastsOf(r *probe.Result) []*last {
	if len(r.Parts) == 0 {
		return []*last{newLast(*r)}
	}
	kept := make([]*last, len(r.Parts))
	for i := range r.Parts {
		kept[i] = newLast(r.Parts[i])
	}
	return kept
}

func newLast(r probe.Result) *last {
	r = r.Keep(1)
	samples := make([]probe.Sample, 0, len(r.Samples)+5)
	add := func(d *probe.Desc, value float64, labels ...string) {
		samples = append(samples, probe.Sample{Desc: d, Value: value, Labels: labels})
	}
	eachSample(&r, add)
	if r.LeftOut > 0 {
		add(leftOutDesc, float64(r.LeftOut))
	}
	slices.SortStableFunc(samples, func(a, b probe.Sample) int { return strings.Compare(a.Desc.Name, b.Desc.Name) })
	l := &last{readings: make([]reading, len(samples))}
	var labels []byte
	for i, s := range samples {
		l.readings[i] = reading{s.Desc, s.Value}
		for j := range s.Desc.Labels {
			value := ""
			if j < len(s.Labels) {
				value = s.Labels[j]
			}
			labels = append(binary.AppendUvarint(labels, uint64(len(value))), value...)
		}
	}
	l.labels = string(labels)
	return l
}

// source is what one target of a check measured last, while it is written family by family.
type source struct {
	check, target string
	many          bool // target is a label
	last
}

// sources gives what all checks measured last, in the order of names, then of the configuration.
func (c *Checks) sources() []source {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]source, 0, len(c.all))
	for _, s := range c.all {
		if s.last != nil {
			all = append(all, source{check: s.counters.Check, last: *s.last})
		}
		for i := range s.targets {
			if t := &s.targets[i]; t.last != nil {
				all = append(all, source{check: s.counters.Check, target: t.target, many: true, last: *t.last})
			}
		}
	}
	return all
}

// take moves the readings of a name, which must come first, to the table.
func (s *source) take(name string, t *table) {
	for len(s.readings) > 0 && s.readings[0].desc.Name == name {
		d, first := s.readings[0].desc, len(t.pairs)
		t.label("check", s.check)
		if s.many {
			t.label("target", s.target)
		}
		for _, label := range d.Labels {
			t.label(s.exported(label, d.Labels), s.next())
		}
		t.row(d, s.readings[0].value, first)
		s.readings = s.readings[1:]
	}
}

// next takes the next value of a label.
func (s *source) next() string {
	n, size := uint64(0), 0
	for shift := 0; ; shift += 7 {
		b := s.labels[size]
		n, size = n|uint64(b&0x7f)<<shift, size+1
		if b < 0x80 {
			break
		}
	}
	value := s.labels[size : size+int(n)]
	s.labels = s.labels[size+int(n):]
	return value
}

// exported gives the name of a prober's own label beside ours. Prometheus renames in the same way what clashes with its own.
func (s *source) exported(label string, all []string) string {
	if label != "check" && (label != "target" || !s.many) {
		return label
	}
	for label = "exported_" + label; slices.Contains(all, label); {
		label = "exported_" + label
	}
	return label
}
