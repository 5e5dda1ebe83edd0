// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/go-kit/log"
)

// logTime is the form of times in the log.
const logTime = "2006-01-02T15:04:05.000Z07:00"

// sink is a slog.Handler that writes through a go-kit logger: time, level, source, msg, then the attributes.
type sink struct {
	out    log.Logger
	level  slog.Level
	prefix string // of open groups
	stored []any  // keys and values of WithAttrs
}

// newSink writes records of at least level in the given format.
func newSink(w io.Writer, format string, level slog.Level) *sink {
	out := log.NewLogfmtLogger(log.NewSyncWriter(w))
	if format == "json" {
		out = log.NewJSONLogger(log.NewSyncWriter(w))
	}
	return &sink{out: out, level: level}
}

// Enabled implements slog.Handler.
func (s *sink) Enabled(_ context.Context, level slog.Level) bool { return level >= s.level }

// Handle implements slog.Handler.
func (s *sink) Handle(_ context.Context, r slog.Record) error {
	pairs := make([]any, 0, 8+len(s.stored)+2*r.NumAttrs())
	pairs = append(pairs, "time", r.Time.UTC().Format(logTime), "level", r.Level.String())
	if r.PC != 0 {
		frame, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
		pairs = append(pairs, "source", fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line))
	}
	pairs = append(append(pairs, "msg", r.Message), s.stored...)
	r.Attrs(func(a slog.Attr) bool {
		pairs = appendAttr(pairs, s.prefix, a)
		return true
	})
	return s.out.Log(pairs...)
}

// WithAttrs implements slog.Handler.
func (s *sink) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *s
	with.stored = slices.Clone(s.stored)
	for _, a := range attrs {
		with.stored = appendAttr(with.stored, s.prefix, a)
	}
	return &with
}

// WithGroup implements slog.Handler.
func (s *sink) WithGroup(name string) slog.Handler {
	with := *s
	if name != "" {
		with.prefix += name + "."
	}
	return &with
}

func appendAttr(pairs []any, prefix string, a slog.Attr) []any {
	value := a.Value.Resolve()
	switch value.Kind() {
	case slog.KindGroup:
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range value.Group() {
			pairs = appendAttr(pairs, prefix, member)
		}
		return pairs
	case slog.KindTime:
		return append(pairs, prefix+a.Key, value.Time().UTC().Format(logTime))
	case slog.KindDuration:
		return append(pairs, prefix+a.Key, value.Duration().Round(time.Microsecond).String())
	case slog.KindAny:
		if a.Equal(slog.Attr{}) {
			return pairs
		}
		return append(pairs, prefix+a.Key, fmt.Sprint(value.Any()))
	}
	return append(pairs, prefix+a.Key, value.Any())
}

// level reads the value of a log flag; off is above all levels.
func level(name string) slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(name)); err != nil {
		return slog.Level(127)
	}
	return l
}
