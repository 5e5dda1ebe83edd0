// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
	"skywatch/internal/record"
)

// reader is a history with fixed answers.
type reader struct{ err error }

func (r reader) Tallies(_ context.Context, from, to time.Time) ([]record.Tally, error) {
	if to.Sub(from) != 24*time.Hour {
		return nil, errors.New("not a day")
	}
	return []record.Tally{
		{Check: "A", Up: 1430, Down: 9, Inconclusive: 1, Attempts: 1480, TookMean: 12340 * time.Microsecond, TookMax: 3 * time.Second},
		{Check: "Größe", Up: 1440, Attempts: 1440},
	}, r.err
}

func (r reader) Outages(context.Context, time.Time, time.Time, int) ([]record.Outage, error) {
	noon := time.Date(1999, 12, 31, 12, 0, 0, 0, time.UTC)
	return []record.Outage{
		{Check: "A", From: noon, To: noon.Add(454 * time.Second), Reason: probe.ReasonTimeout, Err: "no answer\nat all"},
		{Check: "B", From: noon.Add(time.Hour), Reason: probe.ReasonConnect, Err: "refused"},
	}, nil
}

func TestSummaryText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops", "dead")
		w.reader = reader{}
		w.boxes["dead"].reply = failing(1<<30, errDown)
		w.start()
		w.up("A")
		w.down("B")
		time.Sleep(time.Minute)
		subject, text, err := w.alerter.Summary(t.Context())
		if want := "skywatch 2000-01-01: 1 of 3 checks is down, 1 without a result yet"; err != nil || subject != want {
			t.Errorf("subject %q, error %v, want %q", subject, err, want)
		}
		text = regexp.MustCompile(`\d+ attempts: server`).ReplaceAllString(text, "N attempts: server") // jitter
		probetest.Golden(t, "summary.txt", text)
	})
}

func TestSummaryNamesTheTroubleOfHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.reader = reader{err: errors.New("no such table")}
		w.refuse()
		w.start()
		_, text, err := w.alerter.Summary(t.Context())
		for _, want := range []string{
			"history takes no writes: disk full (0 writes wait in memory, 0 given up)", "history could not be read: no such table",
		} {
			if err != nil || !strings.Contains(text, want) {
				t.Errorf("summary, error %v:\n%s\nwant %q in it", err, text, want)
			}
		}
	})
}

// days counts the summaries that arrive while f runs.
func days(w *world) int { return len(w.boxes["ops"].subjects()) }

func TestSummaryComesOnceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops", "other")
		w.config.Summary = SummaryConfig{At: "07:00", Notify: []string{"ops"}}
		w.start()
		w.up("A")
		time.Sleep(7*time.Hour - time.Second)
		if n := days(w); n != 0 {
			t.Fatalf("%d summaries before 07:00, want none", n)
		}
		time.Sleep(2 * time.Second)
		if n := days(w); n != 1 {
			t.Fatalf("%d summaries at 07:00, want 1", n)
		}
		w.restart() // neither doubles
		time.Sleep(23 * time.Hour)
		if n := days(w); n != 1 {
			t.Fatalf("%d summaries before the next 07:00, want 1", n)
		}
		w.stop()
		time.Sleep(30 * time.Hour) // nor skips
		w.restart()
		time.Sleep(time.Second)
		if n := days(w); n != 2 {
			t.Fatalf("%d summaries after a missed one, want 2", n)
		}
		time.Sleep(10 * 24 * time.Hour)
		if n := days(w); n != 12 || len(w.boxes["other"].got) != 0 {
			t.Errorf("%d summaries after ten more days and %d elsewhere, want 12 and none", n, len(w.boxes["other"].got))
		}
	})
}

func TestNoSummaryForTheTimeBeforeTheFirstStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(12 * time.Hour)
		w := newWorld(t, "ops")
		w.config.Summary.At = "07:00"
		w.start()
		w.up("A")
		time.Sleep(time.Hour)
		w.expect("ops")
		w.restart() // now there is a time before
		time.Sleep(time.Second)
		w.expect("ops", "skywatch 2000-01-01: none of 3 checks is down, 2 without a result yet")
	})
}

func TestANewSummaryReplacesAnUnsentOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.config.Summary.At = "07:00"
		w.boxes["ops"].reply = failing(1<<30, errDown)
		w.start()
		time.Sleep(80 * time.Hour)
		if p := w.alerter.Pending(); len(p) != 1 || !strings.HasPrefix(p[0].Subject, "skywatch 2000-01-04") {
			t.Errorf("pending: %+v, want the newest summary alone", p)
		}
		w.down("A")
		w.boxes["ops"].take()
		time.Sleep(time.Hour)
		w.expect("ops", "DOWN A", "skywatch 2000-01-04: none of 3 checks is down, 3 without a result yet")
	})
}

func TestSummaryTimeInCivilDays(t *testing.T) {
	tests := []struct{ zone, day, at, want string }{
		{"Europe/Berlin", "2026-03-28", "02:30", "2026-03-28T02:30:00+01:00"},
		{"Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T03:00:00+02:00"}, // skipped
		{"Europe/Berlin", "2026-03-29", "03:00", "2026-03-29T03:00:00+02:00"},
		{"Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T02:30:00+01:00"},  // comes twice
		{"America/Havana", "2026-03-08", "00:30", "2026-03-08T01:00:00-04:00"}, // skipped from midnight
		{"America/Santiago", "2026-09-06", "00:00", "2026-09-06T01:00:00-03:00"},
		{"Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-04T02:30:00+11:00"}, // half an hour
		{"UTC", "2026-03-29", "02:30", "2026-03-29T02:30:00Z"},
	}
	for _, test := range tests {
		zone, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		day, _ := time.ParseInLocation(time.DateOnly, test.day, zone)
		for _, hour := range []time.Duration{4, 12, 20} {
			if got := dueOn(day.Add(hour*time.Hour), test.at).Format(time.RFC3339); got != test.want {
				t.Errorf("%s on %s in %s: %s, want %s", test.at, test.day, test.zone, got, test.want)
			}
		}
	}
}

// TestAClockThatWasAheadSilencesNoSummary: the last summary seems to lie years ahead.
func TestAClockThatWasAheadSilencesNoSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.config.Summary.At = "07:00"
		w.disk.lastSummary = time.Now().AddDate(30, 0, 0)
		w.start()
		time.Sleep(8 * time.Hour)
		if n := days(w); n != 1 {
			t.Errorf("%d summaries on the first day, want 1", n)
		}
		time.Sleep(5 * 24 * time.Hour)
		if n := days(w); n != 6 {
			t.Errorf("%d summaries in six days, want 6", n)
		}
	})
}

// TestAClockPutRightBySecondsDoublesNoSummary, nor does a start at a time before the clock is set.
func TestAClockPutRightBySecondsDoublesNoSummary(t *testing.T) {
	a := New(Options{Journal: &journal{disk: newDisk()}})
	last := noon.Add(time.Second)
	a.lastSummary, a.blank = last, false
	for _, now := range []time.Time{noon, noon.AddDate(-50, 0, 0), noon.Add(time.Hour)} {
		if got := a.summarized(now); now.After(noon.Add(-time.Hour)) && !got.Equal(last) {
			t.Errorf("at %s the last summary was at %s, want %s", now, got, last)
		}
	}
}

// TestAKillLosesNoSummaryForTheSlower: one notifier hangs while the summary is made.
func TestAKillLosesNoSummaryForTheSlower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops", "slow")
		w.config.Summary.At = "07:00"
		w.start()
		w.alerter.build = func(n NotifierConfig) Notifier {
			if n.Name == "slow" {
				return stuck{}
			}
			return w.boxes[n.Name]
		}
		w.apply()
		time.Sleep(7*time.Hour - 20*time.Second)
		w.down("A") // the mail of it hangs
		time.Sleep(30 * time.Second)
		w.kill()
		w.start()
		time.Sleep(2 * time.Hour)
		w.stop()
		summaries := 0
		for _, subject := range w.boxes["slow"].subjects() {
			if strings.HasPrefix(subject, "skywatch ") {
				summaries++
			}
		}
		if summaries != 1 {
			t.Errorf("slow took %q, want one summary", w.boxes["slow"].subjects())
		}
	})
}
