// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/probes"
)

func mustLoad(t *testing.T, path string) *Config {
	t.Helper()
	c, err := Load(path, probes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// loadText loads a configuration of its own directory.
func loadText(t *testing.T, text string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "skywatch.yml")
	write(t, path, text)
	return Load(path, probes.Options{})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestChecksAreComplete(t *testing.T) {
	c := mustLoad(t, "testdata/full.yml")
	web, port := c.Modules["web"], c.Modules["port"]
	want := []probe.Check{
		{
			Name: "Web", Was: []string{"Old web"}, Module: web, Target: probe.NewTarget("https://user:hidden-in-target@example.org"),
			Origin: probe.OriginSchedule, Group: "Sites", Labels: map[string]string{"team": "ops"}, Notify: []string{"mail"},
			Every: 30 * time.Second, Attempts: 2, Timeout: 2 * time.Second, RetryDelay: 500 * time.Millisecond, // the module's timeout
		},
		{
			Name: "SSH", Module: port, Target: probe.NewTarget("localhost:22"), Origin: probe.OriginSchedule, Notify: []string{},
			Every: time.Minute, Attempts: 1, Timeout: time.Second, // all its own
		},
		{
			Name: "Mail", Module: port, Target: probe.NewTarget("localhost:25"), Origin: probe.OriginSchedule,
			Every: 30 * time.Second, Attempts: 2, Timeout: 3 * time.Second, RetryDelay: 500 * time.Millisecond, // the defaults
		},
	}
	same := cmp.Options{cmp.Comparer(func(a, b *probe.Module) bool { return a == b }), cmp.Comparer(func(a, b probe.Target) bool { return a == b })}
	if diff := cmp.Diff(want, c.Checks, same); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
}

func TestSectionsArriveWhereTheyBelong(t *testing.T) {
	c := mustLoad(t, "testdata/full.yml")
	got := []any{
		c.Location.String(), c.Concurrency, c.History.Path, c.History.MaxSize, c.History.FlushInterval,
		c.Alerting.Names(), c.Alerting.Notifiers[0].Email.PasswordFile, c.Alerting.Policy.GroupWait, c.Alerting.Policy.RetryMin, c.Alerting.Summary.At,
	}
	want := []any{
		"Asia/Kathmandu", 7, "testdata/data/ring.db", probe.Bytes(8 << 20), probe.Duration(time.Minute),
		[]string{"mail", "inline", "log"}, "testdata/secret.txt", probe.Duration(time.Second), probe.Duration(5 * time.Second), "06:30",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sections (-want +got):\n%s", diff)
	}
}

func TestDefaultsOfASilentFile(t *testing.T) {
	c, err := loadText(t, "modules: {tcp: {prober: tcp}}\nchecks: [{name: a, module: tcp, target: 'localhost:1'}]\nhistory:\n")
	if err != nil {
		t.Fatal(err)
	}
	a := c.Checks[0]
	if a.Every != time.Minute || a.Attempts != 5 || a.Timeout != 4*time.Second || a.RetryDelay != time.Second || a.Notify != nil {
		t.Errorf("check %+v, want 60s, 5 attempts of 4s, 1s apart, for all notifiers", a)
	}
	if c.Location != time.Local || c.Concurrency != 64 || filepath.Base(c.History.Path) != "skywatch.db" || filepath.Dir(c.History.Path) != filepath.Dir(c.Path) {
		t.Errorf("zone %s, concurrency %d, history %q, want Local, 64 and skywatch.db beside the file", c.Location, c.Concurrency, c.History.Path)
	}
}

func TestBlackboxFileLoadsUnchanged(t *testing.T) {
	c := mustLoad(t, "testdata/blackbox.yml")
	if len(c.Modules) != 5 || c.Modules["http_post_2xx"].Timeout != 5*time.Second {
		t.Errorf("modules %v, want the five of the file", c.Modules)
	}
	text, err := c.YAML()
	if err != nil || !strings.HasPrefix(string(text), "modules:\n    http_2xx:\n        prober: http\n") || strings.Contains(string(text), "history") {
		t.Errorf("rendered with %v as\n%s\nwant its own section only", err, text)
	}
}

func TestFormsOfAGoodFile(t *testing.T) {
	for name, text := range map[string]string{
		"json":          `{"modules": {"tcp": {"prober": "tcp", "timeout": "5s"}}, "checks": [{"name": "a", "module": "tcp", "target": "localhost:1"}]}`,
		"no modules":    "modules: {}\n",
		"null modules":  "modules:\n",
		"anchors":       "modules:\n  a: &a {prober: tcp, timeout: 1s}\n  b:\n    <<: *a\n    timeout: 2s\n",
		"two documents": "modules: {}\n---\nmodules: 7\n",
		"long units":    "check_defaults: {every: 1d}\n",
		"zone":          "time_zone: UTC\n",
	} {
		if _, err := loadText(t, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRenderingHidesSecrets(t *testing.T) {
	text, err := mustLoad(t, "testdata/full.yml").YAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"time_zone: Asia/Kathmandu", "every: 30s", "retry_max: 15m0s", "max_size: 8MiB", "target: https://example.org", "notify: []"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "hidden-in") {
		t.Errorf("a secret shows in\n%s", text)
	}
}

func TestRenderingLoadsAgain(t *testing.T) {
	first := mustLoad(t, "testdata/blackbox.yml")
	text, err := first.YAML()
	if err != nil {
		t.Fatal(err)
	}
	second, err := loadText(t, string(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	again, err := second.YAML()
	if diff := cmp.Diff(string(text), string(again)); err != nil || diff != "" {
		t.Errorf("second rendering: %v (-first +second):\n%s", err, diff)
	}
}

func TestUnreadableFile(t *testing.T) {
	_, err := Load("testdata/no-such-file.yml", probes.Options{})
	if want := `reading configuration "testdata/no-such-file.yml": no such file or directory, want a readable file`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := Load("testdata", probes.Options{}); err == nil || err.Error() != `reading configuration "testdata": is a directory, want a readable file` {
		t.Errorf("got %v, want that it is a directory", err)
	}
}

func TestOneModuleIsShownForDebugging(t *testing.T) {
	text, err := probes.ModuleYAML(mustLoad(t, "testdata/full.yml").Modules["web"], "")
	if err != nil || !strings.HasPrefix(string(text), "prober: http\ntimeout: 2s\nhttp:\n  ") || strings.Contains(string(text), "hidden") {
		t.Errorf("%v and\n%s\nwant the module, indented by two, without its password", err, text)
	}
}

func TestLongListsAreCutInMessages(t *testing.T) {
	var text strings.Builder
	text.WriteString("modules:\n")
	for i := range 30 {
		fmt.Fprintf(&text, "  m%02d: {prober: tcp}\n", i)
	}
	text.WriteString("checks: [{name: a, module: x, target: 'localhost:1'}]\n")
	_, err := loadText(t, text.String())
	if want := `module: "x" is not configured, want one of "m00", "m01", "m02", "m03", "m04", "m05", "m06", "m07", "m08", "m09", "m10", "m11", "m12", "m13", "m14", "m15", "m16", "m17", "m18", "m19" or 10 more`; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want ... %s", err, want)
	}
}

func TestLabelsArePrintable(t *testing.T) {
	for labels, want := range map[string]string{
		`{team: "a\nb"}`:   `labels: team: "a\nb" has unprintable characters, want printable ones only`,
		`{__name: x}`:      `labels: "__name" is no label name, want letters, digits and _, no digit first, not __ first`,
		`{"1a": x}`:        `labels: "1a" is no label name, want letters, digits and _, no digit first, not __ first`,
		`{job: x, a_1: y}`: `labels: "job" is set by skywatch or Prometheus, want another name`,
	} {
		_, err := loadText(t, "modules: {m: {prober: tcp}}\nchecks: [{name: a, module: m, target: 'h:1', labels: "+labels+"}]\n")
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want ... %s", labels, err, want)
		}
	}
}
