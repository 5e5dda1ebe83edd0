// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
	"skywatch/internal/record"
)

// writer is an Alerter that only writes messages, at noon in Berlin.
func writer(t *testing.T, states ...record.CheckState) *Alerter {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	a := New(Options{Now: func() time.Time { return noon }, Version: "1.0"})
	a.location = berlin
	for _, s := range states {
		a.checks[s.Check], a.states[s.Check] = probe.Check{Name: s.Check}, s
	}
	return a
}

func downAt(check string, id int64, at time.Time) record.Transition {
	return record.Transition{
		ID: id, Incident: id, Check: check, Target: check + ":80", Module: "http", From: record.Up, To: record.Down, At: at, Began: at,
		Noticed: at, Reason: probe.ReasonConnect, Err: "connection refused", Attempts: 5, Took: 1234 * time.Microsecond,
	}
}

func upAt(start record.Transition, id int64, at time.Time) record.Transition {
	t := start
	t.ID, t.From, t.To, t.At, t.Noticed, t.Reason, t.Err, t.Attempts = id, record.Down, record.Up, at, at, 0, "", 1
	return t
}

func TestMessageText(t *testing.T) {
	a := writer(t,
		record.CheckState{Check: "web", State: record.Down, Since: noon.Add(-7 * time.Minute), Reason: probe.ReasonConnect, Target: "web:80"},
		record.CheckState{Check: "Größe", State: record.Down, Since: noon.Add(-50 * time.Hour), Reason: probe.ReasonTimeout, Target: "db:5432"},
		record.CheckState{Check: "mail", State: record.Up}, record.CheckState{Check: "new"})
	web := downAt("web", 1, noon.Add(-7*time.Minute))
	web.Group, web.Note, web.Err = "front", `the target was "old:80" before`, "dial: refused\nafter a while"
	web.Changes = []record.Change{{Key: "address", Was: "192.0.2.1", Is: "192.0.2.2"}, {Key: "banner", Is: "nginx"}, {Key: "serial", Was: "17"}}
	web.Trace = "   0.000s dialing\n   0.001s failed\n"
	mail := downAt("mail", 2, noon.Add(-454*time.Second))
	gone := upAt(downAt("old", 3, noon.Add(-30*time.Hour)), 5, noon)
	gone.Gone, gone.To = true, record.Unknown
	back := upAt(downAt("db", 4, noon.Add(-time.Hour)), 6, noon)
	back.Trace = "   0.000s connected\n"
	subject, text := a.wording([]record.Transition{web, mail, gone, upAt(mail, 7, noon), back})
	probetest.Golden(t, "message.txt", "Subject: "+subject+"\n\n"+text)
}

func TestSubject(t *testing.T) {
	long := make([]record.Transition, 30)
	for i := range long {
		long[i] = downAt(fmt.Sprintf("server number %d", i), int64(i+1), noon)
	}
	web, db := downAt("web", 100, noon), downAt("db", 101, noon)
	tests := []struct {
		told []record.Transition
		want string
	}{
		{[]record.Transition{web}, "DOWN web"},
		{[]record.Transition{upAt(web, 102, noon)}, "UP web"},
		{[]record.Transition{web, db, upAt(web, 102, noon)}, "DOWN db; UP web"},
		{[]record.Transition{web, upAt(web, 102, noon), downAt("web", 103, noon)}, "DOWN web"}, // as it is now
		{[]record.Transition{downAt("a\r\nBcc: x", 1, noon)}, "DOWN a  Bcc: x"},
		{[]record.Transition{downAt(strings.Repeat("ä", 100), 1, noon)}, "DOWN " + strings.Repeat("ä", 28) + "..."},
		{long, "DOWN server number 0, server number 1, server number 2, server number 3, server number 4, server number 5, server number 6 and 23 more"},
	}
	for _, test := range tests {
		if got := subject(events(test.told)); got != test.want {
			t.Errorf("subject %q, want %q", got, test.want)
		}
	}
}

func TestMessageIsBounded(t *testing.T) {
	var states []record.CheckState
	var told []record.Transition
	for i := range 1000 {
		name := fmt.Sprintf("%d %s", i, strings.Repeat("\x00ü", 2000))
		states = append(states, record.CheckState{Check: name, State: record.Down, Since: noon, Target: name})
		tr := downAt(name, int64(i+1), noon)
		tr.Err, tr.Trace, tr.Note = name, strings.Repeat("line of a trace\n", 10000), name
		told = append(told, tr)
	}
	subject, text := writer(t, states...).wording(told)
	if len(text) > maxText || len(subject) > 2*maxSubject || !utf8.ValidString(text) || !utf8.ValidString(subject) {
		t.Errorf("subject of %d bytes, text of %d, want at most %d and %d of UTF-8", len(subject), len(text), 2*maxSubject, maxText)
	}
	for _, want := range []string{"Situation at ", "... and ", "more traces left out", "bytes left out", "-- \nskywatch 1.0\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("text has no %q", want)
		}
	}
	if _, one := writer(t, states[0]).wording(told[:1]); !strings.Contains(one, "line of a trace") {
		t.Error("text of one event has no trace")
	}
}

// A message of a mass outage names every check, as far as names are of a usual length.
func TestMessageNamesAllOfAMassOutage(t *testing.T) {
	var told []record.Transition
	for i := range maxOpen {
		told = append(told, downAt(fmt.Sprintf("host-%04d.example.org", i), int64(i+1), noon))
	}
	_, text := writer(t).wording(told)
	for _, tr := range told {
		if !strings.Contains(text, tr.Check) {
			t.Fatalf("%s is not in the message of %d bytes", tr.Check, len(text))
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > 200 {
			t.Errorf("a line of %d bytes, want it broken", len(line))
		}
	}
}

func TestSituationHasAtMostAHundredRows(t *testing.T) {
	var states []record.CheckState
	for i := range 150 {
		states = append(states, record.CheckState{Check: fmt.Sprintf("c%03d", i), State: record.Down, Since: noon})
	}
	text := writer(t, states...).situation()
	if !strings.Contains(text, "150 of 150 checks are down") || !strings.Contains(text, "c099") || strings.Contains(text, "c100") ||
		!strings.HasSuffix(text, "  ... and 50 more\n") {
		t.Errorf("situation:\n%s\nwant the first 100 rows and how many more", text)
	}
}

func TestSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1234567 * time.Microsecond: "1.235s", 454 * time.Second: "7m34s", 26*time.Hour + 10*time.Millisecond: "1d2h0m0s", 0: "0s",
	} {
		if got := span(d); got != want {
			t.Errorf("span of %d: %q, want %q", d, got, want)
		}
	}
	a := writer(t)
	if got := a.between(noon, noon.Add(24*time.Hour)); got != "2026-03-01 13:00:00 CET - 2026-03-02 13:00:00 CET" {
		t.Errorf("between: %q, want both dates", got)
	}
}
