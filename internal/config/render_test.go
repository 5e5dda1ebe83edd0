// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// manyChecks is a file of n checks.
func manyChecks(n int) string {
	var text strings.Builder
	text.WriteString("modules: {tcp: {prober: tcp}}\nchecks:\n")
	for i := range n {
		fmt.Fprintf(&text, "  - {name: check %d, module: tcp, target: 'host%d.example:443', labels: {team: ops}}\n", i, i)
	}
	return text.String()
}

// TestRenderedOnce: however many ask at the same time, all get the same bytes.
func TestRenderedOnce(t *testing.T) {
	c, err := loadText(t, manyChecks(100))
	if err != nil {
		t.Fatal(err)
	}
	texts := make([][]byte, 20)
	var all sync.WaitGroup
	for i := range texts {
		all.Go(func() {
			var err error
			if texts[i], err = c.YAML(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, text := range texts {
		if len(text) == 0 || &text[0] != &texts[0][0] {
			t.Fatal("a text of its own was rendered, want one for all")
		}
	}
}

func TestEveryGivenSectionIsRendered(t *testing.T) {
	c := mustLoad(t, "testdata/full.yml")
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	for key := range c.given {
		if !strings.Contains("\n"+string(text), "\n"+key+":") {
			t.Errorf("section %q is missing in\n%s", key, text)
		}
	}
}

// TestLongListIsOne though it is rendered in parts.
func TestLongListIsOne(t *testing.T) {
	for _, n := range []int{maxAtOnce - 1, maxAtOnce, maxAtOnce + 1, 2*maxAtOnce + 1} {
		c, err := loadText(t, manyChecks(n))
		if err != nil {
			t.Fatal(err)
		}
		text, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := loadText(t, string(text))
		if err != nil || len(again.Checks) != n || again.Checks[n-1].Name != c.Checks[n-1].Name {
			t.Errorf("%d checks are shown as what loads with %v and %d", n, err, len(again.Checks))
		}
	}
	c, err := loadText(t, "modules: {}\nchecks: []\n")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := c.YAML(); err != nil || string(text) != "modules: {}\nchecks: []\n" {
		t.Errorf("no checks are shown with %v as %s", err, text)
	}
}

func BenchmarkYAML(b *testing.B) {
	c := &Config{given: map[string]bool{"checks": true}}
	for i := range 10_000 {
		c.doc.Checks = append(c.doc.Checks, check{Name: fmt.Sprint("check ", i), Module: "tcp", Target: "host.example:443"})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.render(); err != nil {
			b.Fatal(err)
		}
	}
}
