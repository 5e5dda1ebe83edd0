// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"skywatch/internal/probe"
)

// line is a fixed record.
func line(level slog.Level, msg string, attrs ...slog.Attr) slog.Record {
	r := slog.NewRecord(time.Date(2026, 3, 29, 1, 2, 3, 4_000_000, time.FixedZone("", 3600)), level, msg, 0)
	r.AddAttrs(attrs...)
	return r
}

func TestLogLines(t *testing.T) {
	attrs := []slog.Attr{
		slog.String("check", "two words"), slog.Duration("took", 1500*time.Microsecond+7), slog.Any("err", errors.New(`say "no"`)),
		slog.Any("password", probe.Secret("hidden")), slog.Time("at", time.Unix(0, 0)), slog.Group("tls", slog.Int("version", 3)), slog.Attr{},
	}
	for format, want := range map[string]string{
		"logfmt": `time=2026-03-29T00:02:03.004Z level=WARN msg="check is down" module=web group.check="two words" group.took=1.5ms ` +
			`group.err="say \"no\"" group.password=<secret> group.at=1970-01-01T00:00:00.000Z group.tls.version=3` + "\n",
		"json": `{"group.at":"1970-01-01T00:00:00.000Z","group.check":"two words","group.err":"say \"no\"","group.password":"<secret>",` +
			`"group.tls.version":3,"group.took":"1.5ms","level":"WARN","module":"web","msg":"check is down","time":"2026-03-29T00:02:03.004Z"}` + "\n",
	} {
		var out bytes.Buffer
		h := newSink(&out, format, slog.LevelInfo).WithAttrs([]slog.Attr{slog.String("module", "web")}).WithGroup("group").WithGroup("")
		if err := h.Handle(context.Background(), line(slog.LevelWarn, "check is down", attrs...)); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%s:\n%swant\n%s", format, out.String(), want)
		}
	}
}

func TestLogNamesItsSource(t *testing.T) {
	var out bytes.Buffer
	slog.New(newSink(&out, "logfmt", slog.LevelInfo)).Info("here")
	if !bytes.Contains(out.Bytes(), []byte(" source=log_test.go:")) {
		t.Errorf("%swant the source", out.String())
	}
}

func TestLogLevels(t *testing.T) {
	ctx := context.Background()
	for name, want := range map[string][]bool{ // debug, info, error
		"debug": {true, true, true}, "info": {false, true, true}, "error": {false, false, true}, "off": {false, false, false},
	} {
		s := newSink(nil, "logfmt", level(name))
		for i, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelError} {
			if s.Enabled(ctx, l) != want[i] {
				t.Errorf("%s: level %s enabled: %v, want %v", name, l, !want[i], want[i])
			}
		}
	}
}
