// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skywatch/internal/config"
	"skywatch/internal/probe"
)

// counting is a prober that counts its probes of a target in both memories.
type counting struct{}

func (counting) Validate() error { return nil }

func (counting) Probe(_ context.Context, _ probe.Target, r *probe.Recorder) error {
	for name, memory := range map[string]probe.Store{"store": r.Store(), "cache": r.Cache()} {
		seen, _ := memory.Get("seen")
		if err := memory.Put("seen", append(seen, '+')); err != nil {
			return err
		}
		r.Fact(name, string(seen))
	}
	r.Log.Warn("counted")
	return nil
}

func countingCheck(name, target string) probe.Check {
	m := &probe.Module{Name: "count", Kind: "counting", Prober: counting{}}
	return probe.Check{Name: name, Module: m, Target: probe.NewTarget(target), Timeout: time.Minute}
}

func asked(t *testing.T, r *runner, c probe.Check) probe.Result {
	t.Helper()
	result, err := r.request(t.Context(), c)
	if err != nil {
		t.Error(err)
	}
	return result
}

func facts(r probe.Result) string {
	all := make(map[string]string)
	for _, f := range r.Facts {
		all[f.Key] = f.Value
	}
	return all["store"] + "|" + all["cache"]
}

func TestMemoriesOutliveTheirModule(t *testing.T) {
	ctx, r := t.Context(), newRunner(slog.New(slog.DiscardHandler), nil)
	for i, want := range []string{"|", "+|+", "++|++"} {
		if got := facts(asked(t, r, countingCheck("", "a"))); got != want { // a new module each time, as after a reload
			t.Errorf("request %d remembered %q, want %q", i, got, want)
		}
	}
	if got := facts(asked(t, r, countingCheck("", "b"))); got != "|" {
		t.Errorf("another target remembered %q, want nothing", got)
	}
	if got := facts(r.check(ctx, countingCheck("Shop", "a"), nil)); got != "|" {
		t.Errorf("a check remembered %q of requests, want nothing", got)
	}
}

func TestChecksRememberByTheirNames(t *testing.T) {
	var asked []string
	r := newRunner(slog.New(slog.DiscardHandler), func(check, target string) probe.Store {
		asked = append(asked, check+" "+target)
		return new(probe.MemoryStore)
	})
	ended := 0
	r.check(t.Context(), countingCheck("Shop", "user:secret@a"), func() { ended++ })
	if !slices.Equal(asked, []string{" ", "Shop a"}) || ended != 1 {
		t.Errorf("durable memories %q, ended %d times, want the shared one, [Shop a] and 1", asked, ended)
	}
}

// TestTargetsRememberSingly: each target of a check with many has memories of its own, apart from those of another check's same target.
func TestTargetsRememberSingly(t *testing.T) {
	stores := make(map[string]*probe.MemoryStore)
	var mu sync.Mutex
	r := newRunner(slog.New(slog.DiscardHandler), func(check, target string) probe.Store {
		mu.Lock()
		defer mu.Unlock()
		key := check + " " + target
		if stores[key] == nil {
			stores[key] = new(probe.MemoryStore)
		}
		return stores[key]
	})
	shops := func(name string) probe.Check {
		c := countingCheck(name, "")
		for _, target := range []string{"a", "b"} {
			c.Parts = append(c.Parts, probe.Part{Module: c.Module, Target: probe.NewTarget(target)})
		}
		return c
	}
	for i, want := range []string{"", "+", "++"} {
		ended := 0
		got := r.check(t.Context(), shops("Shops"), func() { ended++ })
		all := make(map[string]string)
		for _, f := range got.Facts {
			all[f.Key] = f.Value
		}
		if all["a store"] != want || all["b store"] != want || all["a cache"] != want || all["b cache"] != want || ended != 1 {
			t.Errorf("round %d remembered %q, ended %d times, want %q everywhere and 1", i, all, ended, want)
		}
	}
	for _, f := range r.check(t.Context(), shops("Others"), nil).Facts {
		if want := map[bool]string{true: "+++"}[strings.HasSuffix(f.Key, "cache")]; f.Value != want {
			t.Errorf("another check with the same module and targets has %q in %s, want %q", f.Value, f.Key, want)
		}
	}
}

func TestProbersLogWhereTheyAreToldTo(t *testing.T) {
	for name, want := range map[string]string{"warn": `msg=counted module=count target=a check=Shop`, "error": "", "off": ""} {
		var out bytes.Buffer
		r := newRunner(slog.New(newSink(&out, "logfmt", level(name))), nil)
		r.check(t.Context(), countingCheck("Shop", "a"), nil)
		if got := out.String(); (want == "") != (got == "") || want != "" && !strings.Contains(got, "msg=counted module=count target=a check=Shop") {
			t.Errorf("%s: logged %q, want %q", name, got, want)
		}
	}
}

func TestTimeoutOfASingleAttempt(t *testing.T) {
	for _, test := range []struct {
		module time.Duration
		offset float64
		compat string
		want   time.Duration
	}{
		{0, 0.5, "", 119500 * time.Millisecond},
		{9500 * time.Millisecond, 1, "", 9500 * time.Millisecond},
		{200 * time.Second, 0.5, "", 119500 * time.Millisecond},
		{5 * time.Second, 200, "", 5 * time.Second},
		{0, 200, "", 100 * time.Millisecond},
		{0, 200, "exact", 0},
	} {
		p := &program{timeoutOffset: test.offset, compat: test.compat}
		cfg := &config.Config{Modules: map[string]*probe.Module{"m": {Timeout: test.module}}}
		if c, err := p.single(cfg, "m", probe.NewTarget("localhost"), nil); err != nil || c.Timeout != test.want {
			t.Errorf("module %s, offset %v: %v, %s, want %s", test.module, test.offset, err, c.Timeout, test.want)
		}
	}
}
