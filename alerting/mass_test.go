// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"skywatch/history"
	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// many gives the world that many checks.
func (w *world) many(n int) {
	w.checks = nil
	for i := range n {
		w.checks = append(w.checks, probe.Check{Name: fmt.Sprint("check ", i)})
	}
}

// allDown observes every check down at once, and waits until all are observed.
func (w *world) allDown() {
	var all sync.WaitGroup
	for _, c := range w.checks {
		all.Go(func() { w.down(c.Name) })
	}
	all.Wait()
}

// told are the incidents of which the notifier took the start, by check.
func (w *world) toldDown(notifier string) map[string]bool {
	all := map[string]bool{}
	for _, m := range w.boxes[notifier].got {
		for _, id := range m.Transitions {
			all[w.disk.transitions[id].Check] = true
		}
	}
	return all
}

func TestMassOutageIsStoredAndToldWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops", "other")
		w.many(5000)
		w.journal.slow = 3 * time.Millisecond
		w.start()
		begin := time.Now()
		w.allDown()
		if took := time.Since(begin); took > commitTime {
			t.Errorf("the results took %s, want at most %s", took, commitTime)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(w.disk.transitions); n != 5000 {
			t.Errorf("%d transitions are stored, want 5000", n)
		}
		if n := len(w.journal.calls); n > 200 {
			t.Errorf("%d calls of the journal, want few", n)
		}
		for name, box := range w.boxes {
			if n := len(w.toldDown(name)); n != 5000 {
				t.Errorf("%s was told of %d checks, want 5000", name, n)
			}
			for _, m := range box.got {
				if strings.Contains(m.Text, "not stored") {
					t.Errorf("%q says that it is not stored, though the disk is fine", m.Subject)
				}
			}
		}
		if waiting, lost := w.alerter.ledger.counts(); waiting+int(lost) != 0 {
			t.Errorf("%d writes wait and %d are lost, want none", waiting, lost)
		}
		w.checkIncidents()
	})
}

// TestMassOutageOnASlowDisk: most results go on before their commit.
func TestMassOutageOnASlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.many(5000)
		w.journal.slow = 400 * time.Millisecond
		w.start()
		begin := time.Now()
		w.allDown()
		if took := time.Since(begin); took > commitTime {
			t.Errorf("the results took %s, want at most %s", took, commitTime)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n, told := len(w.disk.transitions), len(w.toldDown("ops")); n != 5000 || told != 5000 {
			t.Errorf("%d transitions stored and %d told, want 5000", n, told)
		}
		for _, m := range w.boxes["ops"].got {
			if strings.Contains(m.Text, "not stored") {
				t.Errorf("%q says that it is not stored, though the disk is fine", m.Subject)
			}
		}
		w.checkIncidents()
	})
}

// TestMassOutageWithAKillAfterEachCommit: whatever was committed, each check is told down in the end.
func TestMassOutageWithAKillAfterEachCommit(t *testing.T) {
	for kill := int64(2); kill <= 16; kill++ { // the first call loads
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "ops")
			w.many(1500)
			w.journal.slow = 3 * time.Millisecond
			var calls atomic.Int64
			w.journal.fault = func(call string) (error, error) {
				if call != "keep" {
					calls.Add(1)
				}
				if calls.Load() > kill {
					return errDisk, nil
				}
				return nil, nil
			}
			w.boxes["ops"].reply = func(int, record.Message) error {
				if calls.Load() >= kill {
					return errDown
				}
				return nil
			}
			w.start()
			w.allDown()
			time.Sleep(15 * time.Second)
			w.kill()
			w.boxes["ops"].take()
			w.start()
			w.allDown()
			time.Sleep(time.Hour)
			synctest.Wait()
			if n := len(w.toldDown("ops")); n != 1500 {
				t.Errorf("killed after call %d: %d checks are told down, want 1500", kill, n)
			}
			w.checkIncidents()
		})
	}
}

func TestARefusingJournalLosesNothingThatIsUntold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.many(5000)
		w.start()
		end := w.refuse()
		w.allDown()
		end()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n, told := len(w.disk.transitions), len(w.toldDown("ops")); n != 5000 || told != 5000 {
			t.Errorf("%d transitions stored and %d told, want 5000", n, told)
		}
		w.checkIncidents()
	})
}

// TestMassOutageOnTheRealStore has 2000 checks go down at once.
func TestMassOutageOnTheRealStore(t *testing.T) {
	w := newWorld(t, "ops", "web", "mail")
	w.many(2000)
	w.config.Policy.GroupWait = probe.Duration(time.Hour) // nothing is told, since that might be given up, should the disk stall now
	for i := range w.checks {
		w.checks[i].Notify = []string{w.config.Notifiers[i%3].Name} // fewer than maxOpen for each
	}
	config := history.DefaultConfig()
	config.Path = t.TempDir() + "/ring.db"
	store := history.New(history.Options{Config: config})
	if err := store.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { store.Run(ctx) })
	a := New(Options{Journal: store})
	a.build = func(n NotifierConfig) Notifier { return w.boxes[n.Name] }
	if err := a.Apply(w.config, time.UTC, w.checks); err != nil {
		t.Fatal(err)
	}
	running.Go(func() { a.Run(ctx) })
	w.alerter = a
	w.allDown()
	for a.ledger.refusing() != nil || a.ledger.writable() { // a busy machine may refuse what it has no second for, to be tried again in smaller parts
		a.ledger.drain(t.Context())
		time.Sleep(time.Millisecond)
	}
	for _, c := range w.checks {
		ts, err := store.Transitions(t.Context(), c.Name, 10)
		for errors.Is(err, context.DeadlineExceeded) { // half a second is what a query gets
			ts, err = store.Transitions(t.Context(), c.Name, 10)
		}
		if err != nil || len(ts) != 1 {
			t.Errorf("%s has %d transitions, %v, want 1", c.Name, len(ts), err)
		}
	}
	if _, lost := a.ledger.counts(); lost != 0 {
		t.Errorf("%d writes are lost, want none", lost)
	}
	cancel()
	running.Wait()
}
