// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skywatch/internal/record"
)

// refuse makes the journal refuse everything until the returned function is called.
func (w *world) refuse() (end func()) {
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	w.journal.fault = func(string) (error, error) { return errDisk, nil }
	return func() {
		w.journal.mu.Lock()
		defer w.journal.mu.Unlock()
		w.journal.fault = nil
	}
}

func TestAFullDiskStopsNoMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.start()
		w.down("A")
		time.Sleep(15 * time.Second)
		end := w.refuse()
		w.up("A")
		time.Sleep(15 * time.Second)
		w.down("B")
		time.Sleep(15 * time.Second)
		w.expect("ops", "DOWN A", "UP A", "DOWN B")
		for _, m := range w.boxes["ops"].got[1:] {
			if !strings.HasPrefix(m.Text, "not stored: disk full\n") {
				t.Errorf("text of %q: %q, want it to say that it is not stored", m.Subject, m.Text)
			}
		}
		if up := w.boxes["ops"].got[1]; up.InReplyTo != w.boxes["ops"].got[0].MessageID {
			t.Errorf("UP refers to %q, want the message of DOWN", up.InReplyTo)
		}
		end()
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if len(w.disk.transitions) != 3 || len(w.disk.messages) != 3 || w.disk.states["B"].State != record.Down {
			t.Errorf("disk has %d transitions and %d messages, B %s, want 3, 3, down",
				len(w.disk.transitions), len(w.disk.messages), w.disk.states["B"].State)
		}
		w.kill()
		w.start()
		w.up("B")
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A", "UP A", "DOWN B", "UP B")
		if strings.Contains(w.boxes["ops"].got[3].Text, "not stored") {
			t.Error("UP B says that it is not stored, though it is")
		}
	})
}

func TestUnstoredIsMarkedUntilItIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.boxes["ops"].reply = failing(1<<30, errDown)
		w.start()
		end := w.refuse()
		w.down("A")
		time.Sleep(15 * time.Second)
		if p := w.alerter.Pending(); len(p) != 1 || !p[0].Unstored {
			t.Errorf("pending: %+v, want one that is not stored", p)
		}
		end()
		time.Sleep(15 * time.Second)
		if p := w.alerter.Pending(); len(p) != 1 || p[0].Unstored {
			t.Errorf("pending: %+v, want one that is stored", p)
		}
	})
}

func TestAHangingDiskHoldsUpAResultForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.start()
		w.journal.slow = time.Hour
		for _, step := range []struct {
			check string
			most  time.Duration
		}{{"A", time.Second}, {"B", 0}, {"C", 0}} { // the others know already
			begin := time.Now()
			w.down(step.check)
			if took := time.Since(begin); took > step.most {
				t.Errorf("the result of %s took %s, want at most %s", step.check, took, step.most)
			}
		}
		time.Sleep(20 * time.Second)
		w.expect("ops", "DOWN A, B, C")
	})
}

func TestAnUnreadableStoreIsReadLater(t *testing.T) {
	tests := []struct {
		name  string
		known func(w *world) // while the store can be read
		later func(w *world) // while it cannot, after a restart
		then  func(w *world) // once it can
		want  []string
	}{
		{"open incident ends meanwhile",
			func(w *world) { w.down("A"); time.Sleep(time.Minute) },
			func(w *world) { w.up("A"); time.Sleep(time.Minute) },
			func(w *world) { w.up("A") },
			[]string{"DOWN A", "UP A"}},
		{"open incident is seen again, and told twice",
			func(w *world) { w.down("A"); time.Sleep(time.Minute) },
			func(w *world) { w.down("A"); time.Sleep(time.Minute) },
			func(w *world) { w.down("A"); w.up("A") },
			[]string{"DOWN A", "DOWN A", "UP A"}},
		{"open incident is seen again, but not told yet",
			func(w *world) { w.down("A"); time.Sleep(time.Minute) },
			func(w *world) { w.down("A"); time.Sleep(time.Second) },
			func(w *world) { time.Sleep(time.Minute); w.up("A") },
			[]string{"DOWN A", "UP A"}},
		{"open incident is seen again and ends, all untold",
			func(w *world) { w.down("A"); time.Sleep(time.Minute) },
			func(w *world) { w.down("A"); w.up("A"); time.Sleep(time.Second) },
			func(w *world) { w.up("A") },
			[]string{"DOWN A", "UP A"}},
		{"a start that was never told is told meanwhile",
			func(w *world) { w.down("A") },
			func(w *world) { w.down("A"); time.Sleep(time.Minute) },
			func(w *world) { w.up("A") },
			[]string{"DOWN A", "UP A"}},
		{"what was pending is sent late",
			func(w *world) { w.down("B") },
			func(w *world) { w.up("A"); time.Sleep(time.Minute) },
			func(w *world) {},
			[]string{"DOWN B"}},
		{"a check that was up is down",
			func(w *world) { w.up("A") },
			func(w *world) { w.down("A"); time.Sleep(time.Minute) },
			func(w *world) { w.up("A") },
			[]string{"DOWN A", "UP A"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "ops")
				w.start()
				test.known(w)
				w.kill()
				end := w.refuse()
				w.start()
				test.later(w)
				end()
				time.Sleep(5 * time.Second)
				test.then(w)
				time.Sleep(time.Hour)
				w.expect("ops", test.want...)
				w.checkIncidents()
			})
		})
	}
}

// checkIncidents compares what is stored: each incident has one start and one end, and is told to all.
func (w *world) checkIncidents() {
	w.t.Helper()
	synctest.Wait()
	ends := map[int64]int{}
	for _, tr := range w.disk.transitions {
		if closes(tr) {
			ends[tr.Incident]++
		}
	}
	for _, tr := range w.disk.transitions {
		if opens(tr) && tr.Incident != tr.ID {
			w.t.Errorf("start %+v of another incident, want its own", tr)
		}
		if opens(tr) && w.disk.states[tr.Check].Incident != tr.ID && ends[tr.ID] != 1 {
			w.t.Errorf("incident of %s has %d ends, want 1", tr.Check, ends[tr.ID])
		}
	}
	for id := range ends {
		if _, ok := w.disk.transitions[id]; !ok {
			w.t.Errorf("an end of incident %d, of which no start is stored", id)
		}
	}
	for key, message := range w.disk.deliveries {
		if m := w.disk.messages[message]; m.State != record.Sent && !w.undone(m) {
			w.t.Errorf("transition %+v is told to %s in message %d of state %q, want one that is sent",
				w.disk.transitions[key.transition], key.notifier, message, w.disk.messages[message].State)
		}
	}
}

// undone tells whether a message was not sent since what it tells was undone before.
func (w *world) undone(m record.Message) bool {
	return m.State == record.Superseded && m.Text == "" && !slices.ContainsFunc(m.Transitions, func(id int64) bool {
		return !shifts(w.disk.transitions[id])
	})
}

func TestWhatWaitsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.boxes["ops"].reply = failing(1<<30, errDown)
		w.start()
		w.refuse()
		for range 1600 { // 3200 transitions
			w.down("A")
			w.up("A")
			time.Sleep(10 * time.Second)
		}
		synctest.Wait()
		lane := w.alerter.lanes["ops"]
		if waiting, lost := w.alerter.ledger.counts(); waiting > maxBacklog+maxOpen || lost == 0 { // those that are untold stay
			t.Errorf("%d writes wait and %d are lost, want at most %d and some", waiting, lost, maxBacklog+maxOpen)
		}
		told, parts := len(lane.open), 0
		for _, x := range lane.alerts {
			told += len(x.Transitions)
			parts += len(x.parts)
			if len(x.Text) > maxText {
				t.Errorf("text of %d bytes, want at most %d", len(x.Text), maxText)
			}
		}
		if told != 3200 || len(lane.open) > maxOpen || len(lane.alerts) > 5 {
			t.Errorf("%d transitions in %d messages and %d open, want all 3200 in few", told, len(lane.alerts), len(lane.open))
		}
		if parts > maxOpen || len(w.alerter.threads) > maxOpen {
			t.Errorf("%d transitions and %d threads in memory besides those open, want at most %d", parts, len(w.alerter.threads), maxOpen)
		}
		w.boxes["ops"].take()
		time.Sleep(24 * time.Hour)
		if p := w.alerter.Pending(); len(p) != 0 {
			t.Errorf("%d messages pend at the end, want none", len(p))
		}
	})
}

func TestTooManyMessagesExpireEarly(t *testing.T) {
	l := newLane("ops")
	l.notifier = new(mailbox)
	for i := range maxPending + 1 {
		l.put(&letter{Message: record.Message{ID: int64(i + 1), Kind: record.KindAlert, State: record.Sealed, Subject: fmt.Sprint(i)}})
	}
	if s := l.plan(time.Now(), DefaultPolicy()); s.do != expire || s.letter.ID != 1 {
		t.Errorf("plan: %+v, want the oldest to expire", s)
	}
}

func TestAStateIsNotStoredBeforeItsTransition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.start()
		w.up("A")
		w.journal.mu.Lock()
		w.journal.fault = func(call string) (error, error) {
			if call == "keep" {
				return nil, nil
			}
			return errDisk, nil
		}
		w.journal.mu.Unlock()
		w.down("A")
		time.Sleep(3 * time.Second)
		w.down("A")
		w.kill() // before anyone was told
		w.start()
		w.down("A")
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A")
		w.checkIncidents()
	})
}
