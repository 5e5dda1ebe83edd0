// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"math"
	"testing"

	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
)

func TestConfig(t *testing.T) {
	ok := DefaultConfig()
	if err := ok.Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	if err := yaml.Unmarshal([]byte("{path: x.db, max_size: 8MB, flush_interval: 5m, request_share: 0}"), &ok); err != nil {
		t.Fatal(err)
	}
	if want := (Config{"x.db", 8 << 20, probe.Duration(300e9), 0}); ok != want {
		t.Errorf("read %+v, want %+v", ok, want)
	}
	for want, change := range map[string]func(*Config){
		`reading "history.path": empty, want the name of a file`:      func(c *Config) { c.Path = "" },
		`reading "history.max_size": 512KiB, want 1MiB to 1TiB`:       func(c *Config) { c.MaxSize = 512 << 10 },
		`reading "history.max_size": 2TiB, want 1MiB to 1TiB`:         func(c *Config) { c.MaxSize = 2 << 40 },
		`reading "history.flush_interval": 500ms, want 1s to 1h0m0s`:  func(c *Config) { c.FlushInterval = 500e6 },
		`reading "history.flush_interval": 2h0m0s, want 1s to 1h0m0s`: func(c *Config) { c.FlushInterval = 7200e9 },
		`reading "history.request_share": -0.1, want 0 to 0.9`:        func(c *Config) { c.RequestShare = -0.1 },
		`reading "history.request_share": NaN, want 0 to 0.9`:         func(c *Config) { c.RequestShare = math.NaN() },
		`reading "history.request_share": 1, want 0 to 0.9`:           func(c *Config) { c.RequestShare = 1 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("%+v: %v, want %s", c, err, want)
		}
	}
}
