// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"skywatch/internal/record"
)

// What alerting is done with goes, oldest first, once it has filled its share; what is still to be sent never does.
func TestFinishedAlertsGoPendingOnesStay(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	o.Config.MaxSize = 1 << 20
	s := openOn(t, o, newDisk(t).engine())
	for id := int64(1); id <= 120; id++ {
		st, tr, ds := fallen(id, fmt.Sprint("check", id%7), clock.step(time.Second), "")
		if id != 3 {
			st.Incident = 0
		}
		tr.Err = noise(testRandom(id), 500)
		must(t, s.Record(t.Context(), []record.CheckState{st}, []record.Transition{tr}, ds))
		if id == 2 {
			continue // never sealed
		}
		for i, d := range ds {
			m := sealed(2*id+int64(i), d.Notifier, clock.Now(), id)
			must(t, s.Seal(t.Context(), m, nil))
			if id == 4 {
				continue // never sent
			}
			m.State = record.Sent
			must(t, s.Mark(t.Context(), m))
		}
	}
	list, err := s.Transitions(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[int64]bool{}
	for _, tr := range list {
		ids[tr.ID] = true
	}
	for id, want := range map[int64]bool{1: false, 2: true, 4: true, 5: false, 120: true} {
		if ids[id] != want {
			t.Errorf("transition %d is there: %v, want %v", id, ids[id], want)
		}
	}
	saved, err := s.Load(t.Context())
	if err != nil || len(saved.Outbox.Messages) != 2 || len(saved.Outbox.Transitions) != 2 {
		t.Errorf("%d messages and %d transitions pending, %v, want 2 and 2", len(saved.Outbox.Messages), len(saved.Outbox.Transitions), err)
	}
	if s.outbox > s.geo.outbox {
		t.Errorf("the outbox has %d bytes, want at most %d", s.outbox, s.geo.outbox)
	}
}

func TestRequestsAreLimited(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	registry := prometheus.NewRegistry()
	o.Registerer = registry
	s := openStore(t, o)
	for i := range maxRequestSeries + 10 {
		s.Observe(t.Context(), request(fmt.Sprint("target", i), clock.Now()))
	}
	flushNow(t, s)
	if got := gather(t, registry)["skywatch_history_lost_results_total"]; got != 10 {
		t.Errorf("%v results left out, want 10", got)
	}
	if n := stored(t, s); n != 0 {
		t.Errorf("%d requests among the results of checks", n)
	}
	for i := range int(s.geo.requestSlots) { // the known ones push each other out, and no check's result
		s.Observe(t.Context(), request("target1", clock.Now()))
		if i%5000 == 0 {
			flushNow(t, s)
		}
	}
	s.Observe(t.Context(), up("a", clock.step(2*time.Hour)))
	flushNow(t, s)
	if s.catalog.requests != 1 {
		t.Errorf("%d pairs of requests are known after an hour, want the one that has results", s.catalog.requests)
	}
	o.Registerer = nil
	o.Config.RequestShare, o.Config.Path = 0, o.Config.Path+"2"
	s = openStore(t, o)
	s.Observe(t.Context(), request("x", clock.Now()))
	if rows, _ := s.waiting(1); rows != nil {
		t.Error("a request waits to be stored though request_share is 0")
	}
}

// A lowered max_size makes the file smaller at the next start; the newest of everything and all that is pending stays.
func TestLoweredMaxSize(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	o.Config.MaxSize = 16 << 20
	s := openStore(t, o)
	for id := int64(1); id <= 60; id++ {
		for range 120 {
			s.Observe(t.Context(), up("a", clock.step(time.Second)))
		}
		flushNow(t, s)
		must(t, recordFall(s, id, clock.Now(), noise(testRandom(id), 90<<10)))
	}
	counters := pastOf(t, s)
	must(t, s.Close())
	if size := s.eng.size(o.Config.Path); size < 2<<20 {
		t.Fatalf("the file has %d bytes, want more for this test", size)
	}
	o.Config.MaxSize = 1 << 20
	for range 2 {
		s = openStore(t, o)
		if size := s.eng.size(o.Config.Path) + s.eng.size(o.Config.Path+"-wal"); size > 1<<20 {
			t.Errorf("the file has %d bytes, want at most 1 MiB", size)
		}
		if n := stored(t, s); n != int(s.geo.slots) {
			t.Errorf("%d results left, want %d", n, s.geo.slots)
		}
		saved, err := s.Load(t.Context())
		if err != nil || len(saved.Outbox.Transitions) != 60 || saved.Outbox.Transitions[0].Trace != "" || saved.Outbox.Transitions[59].Trace == "" {
			t.Errorf("%d transitions pending, %v, want 60, the newest with its trace", len(saved.Outbox.Transitions), err)
		}
		if got := pastOf(t, s); got[0].Results != counters[0].Results {
			t.Errorf("counters %v, want %v", got[0].Results, counters[0].Results)
		}
		must(t, s.Close())
	}
}

// All that alerting held in memory while the store refused comes at once: it is committed in parts that fit.
func TestLargeReplay(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	o.Config.MaxSize = 1 << 20
	s := openOn(t, o, newDisk(t).engine())
	w := &boundWatch{t: t, s: s}
	s.eng.commits = func() { w.look("after a commit") }
	var states []record.CheckState
	var ts []record.Transition
	var ds []record.Delivery
	m := sealed(1, "n0", clock.Now())
	for id := int64(1); id <= 150; id++ {
		st, tr, _ := fallen(id, fmt.Sprint("check", id), clock.step(time.Second), noise(testRandom(id), 3000))
		states, ts, m.Transitions = append(states, st), append(ts, tr), append(m.Transitions, id)
		for n := range 5 {
			ds = append(ds, record.Delivery{Transition: id, Notifier: fmt.Sprint("n", n)})
		}
		s.Observe(t.Context(), down(st.Check, clock.Now(), fmt.Sprint("refused ", id)))
	}
	m.Text = noise(testRandom(0), 200<<10)
	must(t, s.Record(t.Context(), states, ts, ds))
	must(t, s.Seal(t.Context(), m, []int64{2, 3}))
	saved, err := s.Load(t.Context())
	must(t, err)
	if len(saved.States) != 150 || len(saved.Outbox.Transitions) != 150 || len(saved.Outbox.Deliveries) != 750 || saved.Outbox.Transitions[149].Trace == "" {
		t.Errorf("%d states, %d transitions, %d deliveries, want 150, 150, 750", len(saved.States), len(saved.Outbox.Transitions), len(saved.Outbox.Deliveries))
	}
	if text := saved.Outbox.Messages[0].Text; !strings.HasSuffix(text, "[cut: too long for the history]\n") {
		t.Errorf("the text of %d bytes, want it cut", len(text))
	}
	must(t, s.Record(t.Context(), nil, nil, []record.Delivery{{Transition: 1, Notifier: "late"}}))
}

// Where pending alerts need all the room, results go; sequences are never given twice.
func TestResultsMakeRoomForAlerts(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	o.Config.MaxSize = 1 << 20
	s := openOn(t, o, newDisk(t).engine())
	for range 3000 {
		s.Observe(t.Context(), up("a", clock.step(time.Second)))
		s.Observe(t.Context(), request("x", clock.Now()))
	}
	flushNow(t, s)
	var err error
	id := int64(0)
	for err == nil && id < 1000 {
		id++
		_, tr, ds := fallen(id, "a", clock.step(time.Second), "")
		tr.Err = noise(testRandom(id), 2000)
		err = s.Record(t.Context(), nil, []record.Transition{tr}, ds)
	}
	if !errors.Is(err, errNoRoom) || id < 100 {
		t.Errorf("after %d pending transitions: %v, want a refusal for want of room", id, err)
	}
	if n := stored(t, s); n != 0 {
		t.Errorf("%d results left beside the alerts", n)
	}
	next := s.results.next
	s.Close()
	s = openOn(t, o, s.eng)
	if s.results.next > next || s.results.next < s.folded {
		t.Errorf("next sequence %d, was %d, folded %d", s.results.next, next, s.folded)
	}
	if counters := pastOf(t, s); len(counters) != 1 {
		t.Errorf("counters %v, want those of one check", counters)
	}
}
