// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTraceText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res := record(t, func(r *Recorder) error {
			r.Log.Info("start", "n", 7, "text", "two words", "empty", "")
			time.Sleep(250 * time.Millisecond)
			r.Log.WithGroup("tls").Debug("next", "version", slog.GroupValue(slog.String("a", "b")))
			return Failf(ReasonResponse, "not so")
		})
		want := "   0.000s start n=7 text=\"two words\" empty=\"\"\n" +
			"   0.250s next tls.version=\"[a=b]\"\n" +
			"   0.250s failed reason=response err=\"not so\"\n"
		if got := res.Trace.String(); got != want {
			t.Errorf("trace\n%s\nwant\n%s", got, want)
		}
	})
}

func TestTraceKeepsHeadAndTail(t *testing.T) {
	const lines = 10000
	res := record(t, func(r *Recorder) error {
		for i := range lines {
			r.Log.Info(fmt.Sprintf("line %d.", i))
		}
		return nil
	})
	text := res.Trace.String()
	if len(text) > traceHead+traceTail+100 {
		t.Errorf("trace of %d bytes, want at most %d", len(text), traceHead+traceTail)
	}
	kept := len(res.Trace.Lines())
	if got := res.Trace.Dropped(); got != lines-kept {
		t.Errorf("%d lines dropped, want %d", got, lines-kept)
	}
	for _, want := range []string{"line 0.", "line 100.", "line 9999.", fmt.Sprintf("... %d lines left out ...", lines-kept)} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is not in the trace once", want)
		}
	}
}

func TestTraceBoundsLine(t *testing.T) {
	res := record(t, func(r *Recorder) error {
		for range 20 {
			r.Log.Info("got", "text", strings.Repeat("x", traceLine-4)+"hunter22"+strings.Repeat("x", 1<<20))
		}
		return nil
	}, "hunter22")
	text := res.Trace.String()
	if len(text) > traceHead+traceTail+2*traceLine {
		t.Errorf("trace of %d bytes, want about %d", len(text), traceHead+traceTail)
	}
	if strings.Contains(text, "hunt") || !strings.Contains(text, "more bytes)") {
		t.Error("the cut left half a secret or is not shown")
	}
}

func TestTraceOfText(t *testing.T) {
	if !(Trace{}).Empty() || !TextTrace("").Empty() || TextTrace("x").Empty() {
		t.Error("Empty is wrong")
	}
	if got := TextTrace("a\nb\n").String(); got != "a\nb\n" {
		t.Errorf("got %q", got)
	}
	if (Trace{}).String() != "" || (Trace{}).Lines() != nil || (Trace{}).Dropped() != 0 || len(TextTrace("x").Lines()) != 0 {
		t.Error("an empty trace has text")
	}
}

// TestTraceGoesToLogToo checks what the daemon's log gets: masked, and only what it wants.
func TestTraceGoesToLogToo(t *testing.T) {
	var log strings.Builder
	next := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	c := checkOf(fakeProber(func(_ context.Context, _ Target, r *Recorder) error {
		r.Log.Debug("detail")
		r.Log.Warn("redirected", "to", "https://hunter22@host")
		return nil
	}))
	c.Module.Secrets = []Secret{"hunter22"}
	res := Run(t.Context(), c, Env{Log: next})
	if want := "level=WARN msg=redirected to=https://<secret>@host\n"; log.String() != want {
		t.Errorf("log %q, want %q", log.String(), want)
	}
	if !strings.Contains(res.Trace.String(), "detail") {
		t.Error("the trace lacks what the log did not want")
	}
}
