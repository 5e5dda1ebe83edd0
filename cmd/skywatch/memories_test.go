// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"fmt"
	"sync"
	"testing"
)

func TestMemoriesKeepThePairsUsedLast(t *testing.T) {
	m := newMemories(3)
	for _, target := range []string{"a", "b", "c"} {
		if err := m.of(pair{"web", target, ""}).Put("seen", []byte(target)); err != nil {
			t.Fatal(err)
		}
	}
	m.of(pair{"web", "a", ""})
	m.of(pair{"web", "d", ""}) // b was used longest ago
	for target, want := range map[string]string{"a": "a", "c": "c"} {
		if got, _ := m.of(pair{"web", target, ""}).Get("seen"); string(got) != want {
			t.Errorf("memory of %s has %q, want %q", target, got, want)
		}
	}
	if got, err := m.of(pair{"web", "b", ""}).Get("seen"); got != nil || err != nil {
		t.Error("memory of b was kept, want it forgotten")
	}
	if len(m.places) != 3 || m.recent.Len() != 3 {
		t.Errorf("%d and %d memories kept, want 3", len(m.places), m.recent.Len())
	}
}

func TestMemoriesAreOfModuleAndTarget(t *testing.T) {
	m := newMemories(10)
	if m.of(pair{"a", "bc", ""}) == m.of(pair{"ab", "c", ""}) || m.of(pair{"a", "b", ""}) != m.of(pair{"a", "b", ""}) {
		t.Error("memories are mixed up")
	}
}

func TestMemoriesAreSafe(t *testing.T) {
	m := newMemories(10)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 1000 {
				m.of(pair{"web", fmt.Sprint(i % 20), ""}).Delete("seen")
			}
		})
	}
	all.Wait()
	if m.recent.Len() != 10 {
		t.Errorf("%d memories kept, want 10", m.recent.Len())
	}
}
