// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"fmt"
	"slices"
	"strings"
)

// tracePart is the trace of one target of many.
type tracePart struct {
	target  string
	verdict Verdict
	trace   Trace
}

// combinedTrace joins the traces of many targets, those that fail first. It is empty if no trace is kept.
func combinedTrace(results []Result) Trace {
	var parts []tracePart
	for i := range results {
		if one := &results[i]; !one.Trace.Empty() {
			parts = append(parts, tracePart{one.Target, one.Verdict, one.Trace})
		}
	}
	if parts == nil {
		return Trace{}
	}
	slices.SortStableFunc(parts, func(a, b tracePart) int { return attention(a.verdict) - attention(b.verdict) })
	return Trace{&traceBuffer{parts: parts}}
}

// attention puts the verdicts in order, those that need it most first.
func attention(v Verdict) int { return slices.Index([]Verdict{Down, Inconclusive, Up}, v) }

// renderParts renders one target after the other, as far as there is room for a whole trace.
func (b *traceBuffer) renderParts() string {
	var text strings.Builder
	left := 0
	for _, p := range b.parts {
		head := fmt.Sprintf("target %s: %s\n", quoted(p.target), p.verdict)
		if text.Len() > 0 && (left > 0 || text.Len()+len(head)+p.trace.size() > traceHead+traceTail) {
			left++
			continue
		}
		text.WriteString(head)
		text.WriteString(p.trace.String())
	}
	if left > 0 {
		fmt.Fprintf(&text, "... %s of other targets left out ...\n", Count(left, "trace"))
	}
	return text.String()
}

// size is about the bytes of the text.
func (t Trace) size() int {
	if t.buffer == nil {
		return 0
	}
	t.buffer.mu.Lock()
	defer t.buffer.mu.Unlock()
	return t.buffer.headBytes + t.buffer.tailBytes + len(t.buffer.rendered)
}
