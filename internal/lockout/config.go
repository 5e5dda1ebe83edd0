// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package lockout

import (
	"fmt"
	"time"

	"skywatch/internal/probe"
)

// Config is the `login_guard:` section of the configuration.
type Config struct {
	Max      int            `yaml:"auth_failures_max"` // refusals in a row before logins pause; 0 = they never do
	PauseMin probe.Duration `yaml:"pause_min"`         // first pause of checks, and the pace of requests
	PauseMax probe.Duration `yaml:"pause_max"`         // longest pause of checks; each one is twice as long as the one before
}

// The bounds of a Config.
const (
	maxFailures = 100
	minPause    = probe.Duration(time.Second)
	maxPause    = probe.Duration(7 * 24 * time.Hour)
)

// DefaultConfig is what holds where the configuration is silent.
func DefaultConfig() Config {
	return Config{Max: 3, PauseMin: probe.Duration(15 * time.Minute), PauseMax: probe.Duration(6 * time.Hour)}
}

// Validate tells what is wrong with the section.
func (c Config) Validate() error {
	switch {
	case c.Max < 0 || c.Max > maxFailures:
		return fmt.Errorf("login_guard: auth_failures_max: %d, want 1 to %d, or 0 to pause never", c.Max, maxFailures)
	case c.PauseMin < minPause || c.PauseMin > maxPause:
		return fmt.Errorf("login_guard: pause_min: %s, want %s to %s", c.PauseMin, minPause, maxPause)
	case c.PauseMax < c.PauseMin || c.PauseMax > maxPause:
		return fmt.Errorf("login_guard: pause_max: %s, want pause_min (%s) to %s", c.PauseMax, c.PauseMin, maxPause)
	}
	return nil
}

// pause is how long checks pause after so many refusals in a row; 0 = they do not.
func (c Config) pause(refusals int) time.Duration {
	if c.Max == 0 || refusals < c.Max {
		return 0
	}
	pause := time.Duration(c.PauseMin)
	for range refusals - c.Max {
		if pause *= 2; pause >= time.Duration(c.PauseMax) {
			break
		}
	}
	return min(pause, time.Duration(c.PauseMax))
}

// pace is how long after the last refusal a request may try again.
func (c Config) pace(refusals int) time.Duration {
	return min(c.pause(refusals), time.Duration(c.PauseMin))
}

// together is how many logins may be under way at the same time: so many that, if all of them are refused, the count is full.
func (c Config) together(refusals int) int { return max(c.Max-refusals, 1) }
