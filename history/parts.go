// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"slices"

	"skywatch/internal/record"
)

// recordPart is what one transaction commits of a call of Record: what happened to a check, the deliveries of it and the state after it.
type recordPart struct {
	transitions []record.Transition
	traces      [][]byte // of the transitions, once packed
	deliveries  []record.Delivery
	states      []record.CheckState
	bytes       int64 // of rows that lie side by side
	single      int64 // pages of what lies anywhere: large traces, states, entries in the index of names
}

// mostTogether is how many transitions of one check are kept in one part. A check with more, one that flapped while the store took no
// writes, has its state in the last.
const mostTogether = 8

// partsOf sorts what Record is given by check.
func partsOf(states []record.CheckState, ts []record.Transition, ds []record.Delivery) (parts []*recordPart) {
	ofCheck, ofTransition := map[string]*recordPart{}, map[int64]*recordPart{}
	begin := func() *recordPart {
		p := &recordPart{}
		parts = append(parts, p)
		return p
	}
	for _, t := range ts {
		p := ofCheck[t.Check]
		if p == nil || len(p.transitions) == mostTogether {
			p = begin()
		}
		p.transitions = append(p.transitions, t)
		p.bytes += transitionBytes(t)
		p.single += 2
		ofCheck[t.Check], ofTransition[t.ID] = p, p
	}
	for _, d := range ds {
		p := ofTransition[d.Transition]
		if p == nil { // of an earlier transition
			p = begin()
			p.single += 2
		}
		p.deliveries = append(p.deliveries, d)
		p.bytes += 2 * int64(len(d.Notifier)+16)
	}
	for _, st := range states {
		p := ofCheck[st.Check]
		if p == nil {
			p = begin()
		}
		p.states = append(p.states, st)
		p.bytes += 16
		p.single += statePages([]record.CheckState{st})
	}
	return parts
}

// transitionBytes is what a transition takes without its trace.
func transitionBytes(t record.Transition) int64 {
	n := 2*len(t.Check) + len(t.Group) + len(t.Module) + len(t.Target) + len(t.Err) + len(t.Note) + 160
	for _, c := range t.Changes {
		n += len(c.Key) + len(c.Was) + len(c.Is) + 32
	}
	return int64(n + failingBytes(t.Failing))
}

// failingBytes is what the failing targets of a transition take.
func failingBytes(f *record.Failing) int {
	if f == nil {
		return 0
	}
	n := 120
	for _, one := range f.First {
		n += len(one.Target) + len(one.Err) + 40
	}
	for _, name := range slices.Concat(f.New, f.Recovered) {
		n += len(name) + 4
	}
	return n
}

// pack compresses the traces of a part that has none yet; the oldest go where they do not fit.
func (p *recordPart) pack(packer *packer, limit int64) {
	for _, t := range p.transitions {
		p.traces = append(p.traces, packer.pack(fitText(t.Trace, traceTextBytes)))
	}
	p.single += p.tracePages()
	p.dropTraces(limit)
}

// dropTraces removes traces, the oldest first, until the part dirties at most so many pages.
func (p *recordPart) dropTraces(limit int64) {
	for i := range p.traces {
		if p.pages() <= limit {
			return
		}
		p.single -= p.tracePages()
		p.traces[i] = nil
		p.single += p.tracePages()
	}
}

// smallTrace is the size up to which several traces share a page.
const smallTrace = 1300

func (p *recordPart) tracePages() (pages int64) {
	small := 0
	for _, trace := range p.traces {
		if len(trace) > smallTrace {
			pages += overflowPages(len(trace)) + 1
		} else {
			small += len(trace)
		}
	}
	return pages + (int64(small)+pageFill-1)/pageFill
}

// pages is a careful count of the pages that the part dirties.
func (p *recordPart) pages() int64 { return reservePages + p.single + p.bytes/pageFill }

// add takes in another part.
func (p *recordPart) add(other *recordPart) {
	p.transitions, p.traces = append(p.transitions, other.transitions...), append(p.traces, other.traces...)
	p.deliveries, p.states = append(p.deliveries, other.deliveries...), append(p.states, other.states...)
	p.bytes += other.bytes
	p.single += other.single
}
