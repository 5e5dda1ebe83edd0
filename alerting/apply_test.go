// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

func TestACheckTakenOutWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops", "other")
		w.checks[0].Notify = []string{"ops"}
		w.start()
		w.down("A")
		w.up("B")
		time.Sleep(time.Minute)
		w.checks = w.checks[2:]
		w.apply()
		w.down("A") // of a probe that still ran
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A", "GONE A")
		w.expect("other")
		gone := w.boxes["ops"].got[1]
		if gone.InReplyTo != w.boxes["ops"].got[0].MessageID {
			t.Errorf("the end refers to %q, want the start", gone.InReplyTo)
		}
		if want := "GONE A: no longer watched, was down since 2000-01-01 00:00:00 UTC (1m0s)"; !strings.Contains(gone.Text, want) {
			t.Errorf("text:\n%s\nwant %q in it", gone.Text, want)
		}
		if _, known := w.alerter.State("A"); known || len(w.alerter.States()) != 1 {
			t.Errorf("states: %+v, want C alone", w.alerter.States())
		}
		w.checkIncidents()
		w.checks = append(w.checks, probe.Check{Name: "A"}) // back, as one never seen
		w.apply()
		w.up("A")
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A", "GONE A")
	})
}

func TestACheckTakenOutWhileWeWereOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.start()
		w.down("A")
		time.Sleep(time.Minute)
		w.checks = w.checks[1:]
		w.restart()
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A", "GONE A")
		w.restart()
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A", "GONE A")
	})
}

func TestANewNameCarriesTheState(t *testing.T) {
	for _, while := range []string{"reload", "restart"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "ops")
			w.start()
			w.down("A")
			time.Sleep(time.Minute)
			w.checks[0].Name, w.checks[0].Was = "Z", []string{"never", "A"}
			if while == "reload" {
				w.apply()
			} else {
				w.restart()
			}
			if s, _ := w.alerter.State("Z"); s.State != record.Down || s.Incident == 0 {
				t.Errorf("%s: state of the new name: %+v, want the open incident", while, s)
			}
			w.restart() // and it stays so
			w.up("Z")
			time.Sleep(time.Minute)
			w.expect("ops", "DOWN A", "UP Z")
			if up := w.boxes["ops"].got[1]; up.InReplyTo != w.boxes["ops"].got[0].MessageID {
				t.Errorf("%s: UP refers to %q, want DOWN", while, up.InReplyTo)
			}
			w.checkIncidents()
		})
	}
}

func TestMessagesOfAVanishedNotifierAreParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops", "other")
		w.boxes["ops"].reply = failing(2, errDown)
		w.start()
		w.down("A")
		time.Sleep(12 * time.Second)
		both := w.config.Notifiers
		w.config.Notifiers = both[1:]
		w.apply()
		time.Sleep(time.Second)
		if p := w.alerter.Pending(); len(p) != 1 || p[0].State != record.Parked {
			t.Fatalf("pending: %+v, want one parked message", p)
		}
		w.restart()
		time.Sleep(time.Hour)
		w.up("A") // for those who hear of the start too
		time.Sleep(time.Hour)
		w.expect("ops")
		w.expect("other", "DOWN A", "UP A")
		w.config.Notifiers = both
		w.apply()
		time.Sleep(time.Hour)
		if got := w.boxes["ops"].subjects(); !slices.Equal(got, []string{"UP A"}) {
			t.Errorf("the notifier that is back took %q, want the merged message", got)
		}
		w.checkIncidents()
	})
}

func TestParkedMessagesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.boxes["ops"].reply = failing(1<<30, errDown)
		w.start()
		w.down("A")
		time.Sleep(time.Minute)
		w.config.Notifiers = nil
		w.apply()
		time.Sleep(8 * 24 * time.Hour)
		if p := w.alerter.Pending(); len(p) != 0 {
			t.Errorf("pending: %+v, want nothing", p)
		}
		synctest.Wait()
		for _, m := range w.disk.messages {
			if m.State != record.Expired && m.State != record.Superseded {
				t.Errorf("message stored as %q, want expired", m.State)
			}
		}
	})
}

func TestNotifyPicksTheNotifiers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops", "web")
		w.checks[0].Notify = []string{"web"}
		w.start()
		w.down("A")
		w.down("B")
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN B")
		w.expect("web", "DOWN A, B")
		w.checks[0].Notify = []string{"ops"} // who was told of the start hears of the end
		w.apply()
		w.up("A")
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN B", "UP A")
		w.expect("web", "DOWN A, B", "UP A")
	})
}

func TestApplyRefusesAndKeepsTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.start()
		bad := w.config
		bad.Notifiers = []NotifierConfig{{Name: "ops"}}
		if err := w.alerter.Apply(bad, time.UTC, nil); err == nil {
			t.Error("no error, want one about the notifier's kind")
		}
		w.down("A")
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A")
	})
}

func TestStatesAreThoseOfTheChecks(t *testing.T) {
	w := newWorld(t)
	w.alerter = New(Options{Journal: w.journal})
	w.apply()
	w.down("B")
	var got []string
	for _, s := range w.alerter.States() {
		got = append(got, s.Check+" "+s.State.String())
	}
	if want := []string{"A unknown", "B down", "C unknown"}; !slices.Equal(got, want) {
		t.Errorf("states %q, want %q", got, want)
	}
	if _, known := w.alerter.State("nobody"); known {
		t.Error("state of a check that is not configured, want none")
	}
}
