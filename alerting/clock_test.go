// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestAClockSetForwardGivesUpNothing: a computer without a clock starts in 1970 and learns the time when a message waits already.
func TestAClockSetForwardGivesUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.boxes["ops"].reply = failing(1<<30, errDown)
		w.start()
		years := 0
		w.alerter.mu.Lock()
		w.alerter.now = func() time.Time {
			return time.Now().Round(0).AddDate(years, 0, 0)
		}
		w.alerter.mu.Unlock()
		w.down("A")
		time.Sleep(15 * time.Second)
		w.alerter.mu.Lock()
		years = 56
		w.alerter.mu.Unlock()
		time.Sleep(6 * 24 * time.Hour)
		if n := len(w.alerter.Pending()); n != 1 {
			t.Errorf("%d messages pend, want the one", n)
		}
		w.kill() // and once more, as old as it seems now
		w.start()
		w.alerter.mu.Lock()
		w.alerter.now = func() time.Time { return time.Now().Round(0).AddDate(56, 0, 0) }
		w.alerter.mu.Unlock()
		time.Sleep(10 * time.Minute)
		if n := len(w.alerter.Pending()); n != 1 {
			t.Errorf("%d messages pend after a restart, want the one", n)
		}
		w.boxes["ops"].take()
		time.Sleep(time.Hour)
		w.expect("ops", "DOWN A")
	})
}
