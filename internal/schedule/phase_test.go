// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package schedule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// patterns are ways in which people number their checks.
var patterns = map[string]func(i int) string{
	"counted":       func(i int) string { return fmt.Sprintf("Website-%d", i) },
	"padded":        func(i int) string { return fmt.Sprintf("host%04d", i) },
	"only numbers":  func(i int) string { return fmt.Sprint(i) },
	"urls":          func(i int) string { return fmt.Sprintf("https://shop%d.example.org/health", i) },
	"addresses":     func(i int) string { return fmt.Sprintf("10.0.%d.%d:443", i/256, i%256) },
	"long prefix":   func(i int) string { return strings.Repeat("x", 180) + fmt.Sprint(i) },
	"long suffix":   func(i int) string { return fmt.Sprint(i) + strings.Repeat("x", 180) },
	"repeated":      func(i int) string { return strings.Repeat("a", i) },
	"middle":        func(i int) string { return fmt.Sprintf("dc1-rack%d-switch", i) },
	"hexadecimal":   func(i int) string { return fmt.Sprintf("node-%x", i*4096) },
	"steps of 60":   func(i int) string { return fmt.Sprintf("n%d", i*60) },
	"two alphabets": func(i int) string { return fmt.Sprintf("Überwachung-%c%c", 'а'+rune(i%32), 'a'+rune(i/32)) },
	"service list": func(i int) string {
		return fmt.Sprintf("customer %d %s", i/4, []string{"web", "mail", "dns", "db"}[i%4])
	},
}

// most is the largest number of values in any span of a second, wrapping at every.
func most(phases []time.Duration, every time.Duration) int {
	slices.Sort(phases)
	for _, p := range phases[:len(phases):len(phases)] {
		phases = append(phases, p+every)
	}
	top, from := 0, 0
	for to, p := range phases {
		for p-phases[from] >= time.Second {
			from++
		}
		top = max(top, to-from+1)
	}
	return top
}

func TestPhasesAreSpread(t *testing.T) {
	for name, pattern := range patterns {
		t.Run(name, func(t *testing.T) {
			for _, prefix := range []string{"", "a", "Kunde Müller / ", "prod.eu-central-1."} {
				var phases []time.Duration
				for i := range 1000 {
					phases = append(phases, phase(prefix+pattern(i+1), time.Minute))
				}
				if got := most(phases, time.Minute); got > 40 {
					t.Errorf("prefix %q: %d of 1000 checks start in one second, want at most 40", prefix, got)
				}
			}
		})
	}
}

func TestPhasesAreSpreadForRandomPatterns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.StringN(0, 20, 60).Draw(t, "before")
		after := rapid.StringN(0, 20, 60).Draw(t, "after")
		step := rapid.IntRange(1, 1<<20).Draw(t, "step")
		var phases []time.Duration
		for i := range 1000 {
			phases = append(phases, phase(before+fmt.Sprint(i*step)+after, time.Minute))
		}
		// 40 is exceeded by chance once in some thousand patterns, even if each phase were drawn by lot; 60 never in practice.
		if got := most(phases, time.Minute); got > 60 {
			t.Errorf("%d of 1000 checks start in one second, want at most 60", got)
		}
	})
}

// A phase must never change from one version to the next.
func TestPhaseIsFixed(t *testing.T) {
	for _, test := range []struct {
		name  string
		every time.Duration
		want  time.Duration
	}{
		{"Webmail", time.Minute, fixedWebmail},
		{"Webmail", time.Second, fixedWebmail % time.Second},
		{"", time.Hour, fixedEmpty},
	} {
		if got := phase(test.name, test.every); got != test.want {
			t.Errorf("phase(%q, %s) = %d, want %d", test.name, test.every, got, test.want)
		}
	}
}

const (
	fixedWebmail time.Duration = 4628808457
	fixedEmpty   time.Duration = 581633026203
)

func TestNextTick(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		every := time.Duration(rapid.Int64Range(int64(time.Second), int64(100*24*time.Hour)).Draw(t, "every"))
		now := time.Duration(rapid.Int64Range(0, 1<<62).Draw(t, "now"))
		p := phase(rapid.String().Draw(t, "name"), every)
		tick := nextTick(now, p, every)
		if tick < now || tick-now >= every || now > p && (tick-p)%every != 0 {
			t.Errorf("next tick after %d is %d with phase %d of %d", now, tick, p, every)
		}
	})
}
