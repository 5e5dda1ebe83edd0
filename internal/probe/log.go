// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

// traceHandler sends records to the trace of a run, and on to the daemon's log where that wants them.
type traceHandler struct {
	recorder *Recorder
	next     slog.Handler // nil = nowhere
	prefix   string       // of open groups
	attrs    []slog.Attr
}

func (h *traceHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *traceHandler) Handle(ctx context.Context, record slog.Record) error {
	if h.recorder.over() {
		return nil
	}
	attrs := append(make([]slog.Attr, 0, len(h.attrs)+record.NumAttrs()), h.attrs...)
	record.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, h.settle(a))
		return true
	})
	trace := h.recorder.trace
	trace.add(Line{At: time.Since(trace.start), Level: record.Level, Text: record.Message, Attrs: attrs})
	if h.next == nil || !h.next.Enabled(ctx, record.Level) {
		return nil
	}
	out := slog.NewRecord(record.Time, record.Level, trace.mask(record.Message), record.PC)
	for _, a := range attrs {
		out.AddAttrs(slog.String(a.Key, trace.mask(a.Value.String())))
	}
	return h.next.Handle(ctx, out)
}

// settle turns what may change after the call into text now; numbers and strings stay as they are.
func (h *traceHandler) settle(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	if kind := a.Value.Kind(); kind == slog.KindAny || kind == slog.KindGroup {
		a.Value = slog.StringValue(a.Value.String())
	}
	if h.prefix != "" {
		a.Key = h.prefix + a.Key
	}
	return a
}

func (h *traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = slices.Clone(h.attrs)
	for _, a := range attrs {
		with.attrs = append(with.attrs, h.settle(a))
	}
	return &with
}

func (h *traceHandler) WithGroup(name string) slog.Handler {
	with := *h
	with.prefix += name + "."
	return &with
}
