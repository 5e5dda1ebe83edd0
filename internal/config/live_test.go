// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"skywatch/probes"
)

const (
	good  = "modules: {one: {prober: tcp}}\n"
	other = "modules: {two: {prober: tcp}}\n"
	bad   = "modules: {two: {prober: tpc}}\n"
)

type scene struct {
	*Live
	path string
	reg  *prometheus.Registry
}

func newScene(t *testing.T, o probes.Options) scene {
	t.Helper()
	s := scene{path: filepath.Join(t.TempDir(), "skywatch.yml"), reg: prometheus.NewRegistry()}
	write(t, s.path, good)
	live, err := NewLive(s.path, o, s.reg)
	if err != nil {
		t.Fatal(err)
	}
	s.Live = live
	return s
}

// gauges gives the values by name.
func (s scene) gauges(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, f := range families {
		values[f.GetName()] = f.Metric[0].Gauge.GetValue()
	}
	return values
}

func (s scene) wantModule(t *testing.T, name string) {
	t.Helper()
	if _, ok := s.Current().Modules[name]; !ok {
		t.Errorf("modules in force: %v, want %q", s.Current().Modules, name)
	}
}

func TestReloadSwapsOrKeeps(t *testing.T) {
	s := newScene(t, probes.Options{})
	s.wantModule(t, "one")
	write(t, s.path, bad)
	err := s.Reload()
	if err == nil || !strings.Contains(err.Error(), `prober "tpc" is not valid`) {
		t.Errorf("reload of a bad file gave %v", err)
	}
	s.wantModule(t, "one")
	if got := s.gauges(t)["skywatch_config_last_reload_successful"]; got != 0 {
		t.Errorf("last reload successful is %v after a bad file, want 0", got)
	}
	write(t, s.path, good)
	if err := s.Reload(); err != nil {
		t.Errorf("reload of the old content: %v", err)
	}
	write(t, s.path, other)
	if err := s.Reload(); err != nil {
		t.Errorf("reload of a good file: %v", err)
	}
	s.wantModule(t, "two")
	if got := s.gauges(t)["blackbox_exporter_config_last_reload_successful"]; got != 1 {
		t.Errorf("last reload successful is %v after a good file, want 1", got)
	}
}

func TestGaugesHaveBothNames(t *testing.T) {
	g := newScene(t, probes.Options{}).gauges(t)
	for _, name := range []string{"config_last_reload_successful", "config_last_reload_success_timestamp_seconds"} {
		if ours, theirs := g["skywatch_"+name], g["blackbox_exporter_"+name]; ours == 0 || ours != theirs {
			t.Errorf("%s: %v and %v, want equal values", name, ours, theirs)
		}
	}
}

func TestUnchangedContentMovesTheTimestampInExactModeOnly(t *testing.T) {
	for _, test := range []struct {
		compat probes.Compat
		want   float64 // seconds
	}{{probes.Fixed, 0}, {probes.Exact, 60}} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene(t, probes.Options{Compat: test.compat})
			applied := 0
			s.OnApply(func(*Config) error { applied++; return nil })
			const name = "skywatch_config_last_reload_success_timestamp_seconds"
			before := s.gauges(t)[name]
			time.Sleep(time.Minute)
			if err := s.Reload(); err != nil || applied != 0 {
				t.Errorf("reload gave %v and applied %d times, want nothing done", err, applied)
			}
			if moved := s.gauges(t)[name] - before; moved != test.want {
				t.Errorf("compat %v: timestamp moved by %v, want %v", test.compat, moved, test.want)
			}
		})
	}
}

func TestHistoryPathNeedsARestart(t *testing.T) {
	s := newScene(t, probes.Options{})
	write(t, s.path, other+"history: {path: elsewhere.db}\n")
	err := s.Reload()
	if err == nil || !strings.Contains(err.Error(), "restart needed") {
		t.Errorf("reload gave %v, want restart needed", err)
	}
	s.wantModule(t, "one")
}

func TestRefusedConfigurationIsNotInForce(t *testing.T) {
	s := newScene(t, probes.Options{})
	var saw []string
	refuse := errors.New("not now")
	s.OnApply(func(c *Config) error {
		saw = append(saw, s.Current().Modules["one"].Name)
		return refuse
	})
	write(t, s.path, other)
	if err := s.Reload(); !errors.Is(err, refuse) {
		t.Errorf("reload gave %v, want the refusal", err)
	}
	s.wantModule(t, "one")
	refuse = nil
	if err := s.Reload(); err != nil {
		t.Errorf("reload gave %v, want the same file to be tried again", err)
	}
	s.wantModule(t, "two")
	if diff := cmp.Diff([]string{"one", "one"}, saw); diff != "" {
		t.Errorf("in force while applying (-want +got):\n%s", diff)
	}
}

func TestReloadsWhileRead(t *testing.T) {
	s := newScene(t, probes.Options{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				if err := s.Reload(); err != nil || len(s.Current().Modules) != 1 {
					t.Errorf("reload: %v", err)
				}
			}
		})
	}
	all.Wait()
}

func TestBadFileAtStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "skywatch.yml")
	write(t, path, bad)
	if _, err := NewLive(path, probes.Options{}, prometheus.NewRegistry()); err == nil {
		t.Error("a bad file was taken at start")
	}
	if _, err := NewLive(path+".missing", probes.Options{}, prometheus.NewRegistry()); err == nil {
		t.Error("a missing file was taken at start")
	}
}
