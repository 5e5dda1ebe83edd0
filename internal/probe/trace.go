// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// The bounds of a trace, in bytes of its text: the first lines and the last lines are kept, what lies between is counted.
const (
	traceHead = 32 << 10
	traceTail = 32 << 10
	traceLine = 8 << 10 // of the text, and of each attribute
)

// Line is one record of a trace.
type Line struct {
	At    time.Duration // since the start of the first attempt
	Level slog.Level
	Text  string
	Attrs []slog.Attr
}

func (l Line) size() int {
	n := 24 + len(l.Text)
	for _, a := range l.Attrs {
		n += len(a.Key) + 2
		if a.Value.Kind() == slog.KindString {
			n += len(a.Value.String())
		} else {
			n += 16
		}
	}
	return n
}

// Trace is the timed, line-by-line record of what a probe did; secrets are never in its text. It is rendered only when read.
// The zero value is empty. A Trace is a value: copies share the lines, which no longer change.
type Trace struct{ buffer *traceBuffer }

// TextTrace makes a trace of an already rendered text, as read back from a store.
func TextTrace(text string) Trace {
	if text == "" {
		return Trace{}
	}
	return Trace{&traceBuffer{rendered: text}}
}

// Empty tells whether nothing was recorded.
func (t Trace) Empty() bool {
	return t.buffer == nil || t.buffer.rendered == "" && len(t.buffer.head) == 0 && t.buffer.parts == nil
}

// String renders the trace, one line each, masked: offset in seconds, then the text, then attributes as key=value.
func (t Trace) String() string {
	if t.buffer == nil {
		return ""
	}
	if t.buffer.parts != nil {
		return t.buffer.renderParts()
	}
	return t.buffer.render()
}

// Lines gives the records that were kept, in order, unmasked text excluded: attributes and text are masked copies.
// A trace made by TextTrace or of many targets has none.
func (t Trace) Lines() []Line {
	if t.buffer == nil {
		return nil
	}
	return t.buffer.lines()
}

// Dropped tells how many lines between the first and the last ones were not kept.
func (t Trace) Dropped() int {
	if t.buffer == nil {
		return 0
	}
	t.buffer.mu.Lock()
	defer t.buffer.mu.Unlock()
	return t.buffer.dropped
}

// traceBuffer collects lines. It is shared by the attempts of one run.
type traceBuffer struct {
	start    time.Time
	rendered string
	parts    []tracePart // of a check with many targets; nothing else then

	mu        sync.Mutex
	head      []Line
	headBytes int
	tail      []Line
	tailBytes int
	dropped   int
	secrets   []Secret
	masker    *masker
}

func (b *traceBuffer) add(l Line) {
	if l.size() > traceLine {
		b.shorten(&l)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	size := l.size()
	if b.tail == nil && b.headBytes+size <= traceHead {
		b.head = append(b.head, l)
		b.headBytes += size
		return
	}
	b.tail = append(b.tail, l)
	b.tailBytes += size
	for b.tailBytes > traceTail && len(b.tail) > 1 {
		b.tailBytes -= b.tail[0].size()
		b.tail[0] = Line{}
		b.tail = b.tail[1:]
		b.dropped++
	}
}

// shorten bounds a line. It masks first: a cut must not leave half a secret.
func (b *traceBuffer) shorten(l *Line) {
	cut := func(s string) string {
		if s = b.mask(s); len(s) <= traceLine {
			return s
		}
		return fmt.Sprintf("%s... (%d more bytes)", s[:traceLine], len(s)-traceLine)
	}
	l.Text = cut(l.Text)
	for i, a := range l.Attrs {
		if a.Value.Kind() == slog.KindString {
			l.Attrs[i].Value = slog.StringValue(cut(a.Value.String()))
		}
	}
}

func (b *traceBuffer) hide(secrets ...Secret) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, secret := range secrets {
		if secret != "" && !slices.Contains(b.secrets, secret) { // a masker is not cheap to make
			b.secrets = append(b.secrets, secret)
			b.masker = nil
		}
	}
}

// mask replaces every spelling of every known secret.
func (b *traceBuffer) mask(s string) string {
	b.mu.Lock()
	if b.masker == nil && len(b.secrets) > 0 {
		b.masker = newMasker(b.secrets)
	}
	masker := b.masker
	b.mu.Unlock()
	if masker == nil {
		return s
	}
	return masker.replace(s)
}

func (b *traceBuffer) lines() []Line {
	b.mu.Lock()
	all := make([]Line, 0, len(b.head)+len(b.tail))
	all = append(append(all, b.head...), b.tail...)
	b.mu.Unlock()
	for i := range all {
		all[i].Text = b.mask(all[i].Text)
		attrs := make([]slog.Attr, len(all[i].Attrs))
		for j, a := range all[i].Attrs {
			attrs[j] = slog.String(a.Key, b.mask(a.Value.String()))
		}
		all[i].Attrs = attrs
	}
	return all
}

func (b *traceBuffer) render() string {
	if b.rendered != "" {
		return b.rendered
	}
	lines := b.lines()
	b.mu.Lock()
	head, dropped := len(b.head), b.dropped
	b.mu.Unlock()
	var text strings.Builder
	for i, l := range lines {
		if i == head && dropped > 0 {
			fmt.Fprintf(&text, "          ... %d lines left out ...\n", dropped)
		}
		fmt.Fprintf(&text, "%8.3fs %s", l.At.Seconds(), l.Text)
		for _, a := range l.Attrs {
			fmt.Fprintf(&text, " %s=%s", a.Key, quoteIfNeeded(a.Value.String()))
		}
		text.WriteByte('\n')
	}
	return text.String()
}

func quoteIfNeeded(s string) string {
	if s == "" || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == '"' || c == '=' || c == 0x7f }) {
		return fmt.Sprintf("%q", s)
	}
	return s
}
