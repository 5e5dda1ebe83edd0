// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

// talkative is a result with lines of all levels.
func talkative(t *testing.T) *probed {
	m := &probe.Module{Name: "m", Kind: "tcp", Prober: funcProber(func(_ context.Context, _ probe.Target, r *probe.Recorder) error {
		r.Log.Debug("detail")
		r.Log.Info("redirected", "to", "b")
		r.Log.Warn("odd")
		return probe.Failf(probe.ReasonResponse, "asking %q: said no, want yes", "a")
	})}
	result := probe.Run(t.Context(), probe.Check{Module: m, Target: probe.NewTarget("a"), Timeout: time.Minute}, probe.Env{})
	return &probed{Result: result, module: m}
}

func handlerOf(level slog.Level) func(io.Writer) slog.Handler {
	return func(w io.Writer) slog.Handler {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
	}
}

func TestDebugShowsTheLevelsWanted(t *testing.T) {
	const (
		detail = "level=DEBUG msg=detail module=m target=a\n"
		info   = "level=INFO msg=redirected module=m target=a to=b\n"
		warn   = "level=WARN msg=odd module=m target=a\n"
		failed = "level=ERROR msg=failed module=m target=a reason=response err=\"asking \\\"a\\\": said no, want yes\"\n"
	)
	for _, test := range []struct {
		name  string
		level slog.Level
		exact bool
		want  string
	}{
		{"debug", slog.LevelDebug, false, detail + info + warn + failed},
		{"info", slog.LevelInfo, false, info + warn + failed + "(1 more of a lower level; --log.prober=debug shows all)\n"},
		{"info, exact", slog.LevelInfo, true, info + warn + failed},
		{"error", slog.LevelError, true, failed},
		{"off", 127, true, ""},
		{"off, said", 127, false, "(4 more of a lower level; --log.prober=debug shows all)\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := string(Debug{Log: handlerOf(test.level), Exact: test.exact}.text(talkative(t)))
			log, _, _ := strings.Cut(strings.TrimPrefix(text, "Logs for the probe:\n"), "\n\n\nMetrics that would have been returned:\n")
			if diff := cmp.Diff(test.want, log); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDebugSaysWhatWasNotKept(t *testing.T) {
	m := &probe.Module{Name: "m", Kind: "tcp", Prober: funcProber(func(_ context.Context, _ probe.Target, r *probe.Recorder) error {
		for range 100 {
			r.Log.Info(strings.Repeat("x", 1000))
		}
		return nil
	})}
	p := &probed{Result: probe.Run(t.Context(), probe.Check{Module: m, Target: probe.NewTarget("a"), Timeout: time.Minute}, probe.Env{}), module: m}
	if text := string(Debug{}.text(p)); !strings.Contains(text, " from the middle were not kept)\n") {
		t.Error("lines are missing without a word")
	}
}

// TestDebugLayout holds the page against the one that users of blackbox_exporter know.
func TestDebugLayout(t *testing.T) {
	p := talkative(t)
	p.Took = 0
	d := Debug{Log: handlerOf(slog.LevelError), Exact: true, Module: func(*probe.Module, string) ([]byte, error) { return []byte("prober: tcp\n"), nil }}
	want := "Logs for the probe:\n" +
		"level=ERROR msg=failed module=m target=a reason=response err=\"asking \\\"a\\\": said no, want yes\"\n" +
		"\n\n\nMetrics that would have been returned:\n" + string(AppendText(nil, p.Result)) +
		"\n\n\nModule configuration:\nprober: tcp\n"
	if diff := cmp.Diff(want, string(d.text(p))); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	d.Module = func(*probe.Module, string) ([]byte, error) { return nil, errors.New("odd") }
	if text := string(d.text(p)); !strings.HasSuffix(text, "\nModule configuration:\ncannot be shown: odd\n") {
		t.Errorf("page ends with %q", text[len(text)-60:])
	}
}
