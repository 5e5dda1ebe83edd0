// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

func testRandom(seed int64) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 1)) }

func loadStates(t testing.TB, s *Store) []record.CheckState {
	t.Helper()
	saved, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return saved.States
}

// States that only grew older are written once an hour and at the end; all others with the next flush.
func TestKeptStatesAreWrittenLazily(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	st := record.CheckState{Check: "a", State: record.Up, Since: clock.Now(), LastSeen: clock.Now()}
	at := func(d time.Duration) record.CheckState {
		st.LastSeen = clock.step(d)
		s.Keep([]record.CheckState{st})
		return st
	}
	look := func(want record.CheckState) {
		t.Helper()
		if diff := cmp.Diff([]record.CheckState{want}, loadStates(t, s)); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	}
	first := at(time.Minute)
	if got := loadStates(t, s); got != nil {
		t.Errorf("states %v before the flush", got)
	}
	flushNow(t, s)
	look(first)
	at(time.Minute)
	flushNow(t, s)
	look(first)
	st.Facts = []probe.Fact{{Key: "address", Value: "1"}}
	second := at(time.Minute)
	flushNow(t, s)
	look(second)
	third := at(2 * time.Hour)
	flushNow(t, s)
	look(third)
	last := at(time.Minute)
	s = reopenStore(t, s)
	look(last)
}

// TestMemoryUnread: who could not read what is there, since the disk was too slow, is told so, and not that nothing is there.
func TestMemoryUnread(t *testing.T) {
	s := openStore(t, testOptions(t, newTestClock()))
	m := s.Memory("a", "t")
	must(t, m.Put("k", []byte("1")))
	must(t, s.acquire(t.Context())) // as a call does that waits for the disk
	s.patience = time.Millisecond
	if got, err := m.Get("k"); got != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %q, %v of a store that has no time", got, err)
	}
	s.patience = time.Minute
	s.release()
	if got, err := m.Get("k"); string(got) != "1" || err != nil {
		t.Errorf("got %q, %v, want what was there", got, err)
	}
}

func TestMemory(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	m := s.Memory("a", "t")
	if got, err := m.Get("k"); got != nil || err != nil {
		t.Error("an unknown key has a value")
	}
	must(t, m.Put("k", []byte("1")))
	must(t, m.Put("k", []byte("2")))
	must(t, s.Memory("a", "other").Put("k", []byte("3")))
	s = reopenStore(t, s)
	m = s.Memory("a", "t")
	if got, err := m.Get("k"); err != nil || string(got) != "2" {
		t.Errorf("after a restart: %q, %v", got, err)
	}
	if err := m.Put("k", make([]byte, probe.StoreValueBytes+1)); err == nil || !strings.Contains(err.Error(), "want at most 4096") {
		t.Errorf("a large value: %v", err)
	}
	must(t, m.Delete("k"))
	must(t, m.Delete("k"))
	if got, err := m.Get("k"); got != nil || err != nil {
		t.Error("a deleted key has a value")
	}
	for i := range probe.StoreKeys {
		must(t, m.Put(string(rune('A'+i)), nil))
	}
	if err := m.Put("more", nil); err == nil || !strings.Contains(err.Error(), "want at most 64") {
		t.Errorf("a key too many: %v", err)
	}
	must(t, m.Put("A", []byte("again")))
	var err error
	for i := 0; i < 100 && err == nil; i++ {
		err = s.Memory("b", string(rune('A'+i))).Put("k", make([]byte, 4096))
	}
	if err == nil || !strings.Contains(err.Error(), "the memories of all checks") {
		t.Errorf("the share of all memories: %v", err)
	}
}
