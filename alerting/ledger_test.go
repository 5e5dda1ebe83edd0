// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"skywatch/internal/record"
)

// TestDrainWritesWhatChangedMeanwhile: the outcome of a message comes while its seal is being written again.
func TestDrainWritesWhatChangedMeanwhile(t *testing.T) {
	j := &journal{disk: newDisk(), fault: func(string) (error, error) { return errDisk, nil }}
	l := newLedger(j, slog.New(slog.DiscardHandler))
	l.opened()
	sealed := record.Message{ID: 1, Notifier: "ops", State: record.Sealed, Doubtful: true, Unstored: true}
	if err := l.commit(t.Context(), write{message: &sealed, seal: true}); !errors.Is(err, errDisk) {
		t.Fatalf("commit: %v, want %v", err, errDisk)
	}
	marks := 0
	j.fault = func(call string) (error, error) {
		if marks++; call == "mark" && marks == 2 { // the seal comes first
			sent := sealed
			sent.State, sent.Doubtful = record.Sent, false
			l.commit(t.Context(), write{message: &sent})
		}
		return nil, nil
	}
	stored := 0
	l.stored = func(int64) { stored++ }
	if err := l.drain(t.Context()); err != nil || stored != 1 {
		t.Errorf("drain: %v, %d stored, want one", err, stored)
	}
	if m := j.messages[1]; m.State != record.Sent || m.Doubtful || m.Unstored {
		t.Errorf("stored: %+v, want it sent", m)
	}
	if err := l.refusing(); err != nil {
		t.Errorf("still refusing: %v, want nothing", err)
	}
}

// TestANewNotifierHearsOfAnIncidentThatOthersKnow, though the store could not be read when it was seen again.
func TestANewNotifierHearsOfAnIncidentThatOthersKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops", "new")
		both := w.config.Notifiers
		w.config.Notifiers = both[:1]
		w.start()
		w.down("A")
		time.Sleep(time.Minute)
		w.kill()
		end := w.refuse()
		w.config.Notifiers = both
		w.start()
		w.down("A")
		time.Sleep(time.Second)
		end()
		time.Sleep(5 * time.Second)
		w.kill()
		w.start()
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A")
		w.expect("new", "DOWN A")
		w.up("A")
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A", "UP A")
		w.expect("new", "DOWN A", "UP A")
		w.checkIncidents()
	})
}
