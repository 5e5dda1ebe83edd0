// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
	"skywatch/internal/record"
)

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "8"); err != nil { // each runs a whole store; the command line may ask for more
		panic(err)
	}
	probetest.Main(m)
}

// testClock is a wall clock that tests move.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func newTestClock() *testClock {
	return &testClock{now: time.Date(2026, 3, 28, 10, 0, 0, 0, time.UTC)}
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) step(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// testOptions are those of a small store in a directory of its own.
func testOptions(t testing.TB, clock *testClock) Options {
	c := DefaultConfig()
	c.Path, c.MaxSize = filepath.Join(t.TempDir(), "skywatch.db"), 4<<20
	return Options{Config: c, Now: clock.Now, Location: time.UTC, Log: slog.New(slog.DiscardHandler)}
}

// openStore opens a store that the test closes at its end.
func openStore(t testing.TB, o Options) *Store { return openOn(t, o, newEngine()) }

// newPatient makes a store that waits for the disk, whatever else the machine does.
func newPatient(o Options, eng engine) *Store {
	s := newStore(o, eng)
	s.patience = time.Minute
	return s
}

func openOn(t testing.TB, o Options, eng engine) *Store {
	t.Helper()
	s := newPatient(o, eng)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// flushNow commits what waits.
func flushNow(t testing.TB, s *Store) {
	t.Helper()
	if err := s.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func up(check string, at time.Time) probe.Result {
	return probe.Result{Check: check, Module: "http_2xx", Prober: "http", Target: "http://" + check, Origin: probe.OriginSchedule, Start: at,
		Took: 12 * time.Millisecond, Timeout: 4 * time.Second, Attempts: 1, Verdict: probe.Up}
}

func down(check string, at time.Time, text string) probe.Result {
	r := up(check, at)
	r.Verdict, r.Reason, r.Err, r.Attempts = probe.Down, probe.ReasonConnect, text, 5
	return r
}

func request(target string, at time.Time) probe.Result {
	r := up("", at)
	r.Target, r.Origin = target, probe.OriginRequest
	return r
}

// fallen is a transition to down with its state and deliveries.
func fallen(id int64, check string, at time.Time, trace string) (record.CheckState, record.Transition, []record.Delivery) {
	t := record.Transition{ID: id, Check: check, Group: "g", Module: "m", Target: "t", From: record.Up, To: record.Down, At: at,
		Noticed: at.Add(time.Second), Incident: id, Began: at, Reason: probe.ReasonConnect, Err: "refused", Attempts: 5, Took: time.Second,
		Changes: []record.Change{{Key: "address", Was: "1", Is: "2"}}, Note: "n", Trace: trace}
	st := record.CheckState{Check: check, Module: "m", Target: "t", State: record.Down, Since: at, LastSuccess: at.Add(-time.Minute),
		LastSeen: at, Incident: id, Reason: probe.ReasonConnect, Err: "refused", Facts: []probe.Fact{{Key: "address", Value: "1"}}}
	return st, t, []record.Delivery{{Transition: id, Notifier: "log"}, {Transition: id, Notifier: "ops"}}
}

func sealed(id int64, notifier string, at time.Time, transitions ...int64) record.Message {
	return record.Message{ID: id, Notifier: notifier, Kind: record.KindAlert, MessageID: fmt.Sprintf("%d.i@example.org", id),
		References: []string{"a@b", "c@d"}, InReplyTo: "c@d", Subject: "DOWN x", Text: "text of the message", Transitions: transitions,
		SealedAt: at, NextAt: at, State: record.Sealed}
}

var background = context.Background()
