// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"skywatch/internal/record"
)

// BenchmarkBytesPerResult runs 50 checks a minute with a flush each minute, and reports what is written for a result.
func BenchmarkBytesPerResult(b *testing.B) {
	clock, registry := newTestClock(), prometheus.NewRegistry()
	o := testOptions(b, clock)
	o.Registerer = registry
	s := openStore(b, o)
	minute := func() {
		for i := range 50 {
			s.Observe(background, up(fmt.Sprint("check", i), clock.step(time.Second)))
		}
		clock.step(10 * time.Second)
		flushNow(b, s)
	}
	for range s.geo.slots / 50 { // until slots are reused
		minute()
	}
	before := gather(b, registry)["skywatch_history_written_bytes_total"]
	for b.Loop() {
		minute()
	}
	b.ReportMetric((gather(b, registry)["skywatch_history_written_bytes_total"]-before)/float64(b.N)/50, "B/result")
}

func BenchmarkAppend(b *testing.B) {
	clock := newTestClock()
	o := testOptions(b, clock)
	o.Config.MaxSize = 64 << 20
	s := openStore(b, o)
	n := 0
	for b.Loop() {
		s.Observe(background, up("check", clock.step(time.Second)))
		if n++; n%5000 == 0 {
			flushNow(b, s)
		}
	}
	flushNow(b, s)
}

func BenchmarkObserve(b *testing.B) {
	s := New(testOptions(b, newTestClock()))
	r := up("check", time.Now())
	b.ReportAllocs()
	for b.Loop() {
		s.Observe(background, r)
	}
}

// fullRing is a store of 64 MiB with every slot in use, by 50 checks.
func fullRing(b *testing.B) (*Store, *testClock) {
	b.Helper()
	clock := newTestClock()
	o := testOptions(b, clock)
	o.Config.MaxSize = 64 << 20
	s := openStore(b, o)
	for i := range int(s.geo.slots) {
		r := up(fmt.Sprint("check", i%50), clock.step(time.Second))
		if i == 1000 {
			r.Check = "rare"
		}
		s.Observe(background, r)
		if i%5000 == 0 {
			flushNow(b, s)
		}
	}
	flushNow(b, s)
	return s, clock
}

func BenchmarkFullRing(b *testing.B) {
	s, clock := fullRing(b)
	b.Run("Results", func(b *testing.B) {
		for b.Loop() {
			if list, err := s.Results(background, "check7", 100); err != nil || len(list) != 100 {
				b.Fatal(len(list), err)
			}
		}
	})
	b.Run("ResultsOfARareCheck", func(b *testing.B) {
		for b.Loop() {
			if list, err := s.Results(background, "rare", 100); err != nil || len(list) != 1 {
				b.Fatal(len(list), err)
			}
		}
	})
	b.Run("TalliesOfADay", func(b *testing.B) {
		for b.Loop() {
			if list, err := s.Tallies(background, clock.Now().Add(-24*time.Hour), clock.Now()); err != nil || len(list) != 50 {
				b.Fatal(len(list), err)
			}
		}
	})
	b.Run("Past", func(b *testing.B) {
		for b.Loop() {
			if list := pastOf(b, s); len(list) != 51 {
				b.Fatal(len(list))
			}
		}
	})
	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			s = reopenStore(b, s)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	clock := newTestClock()
	s := openStore(b, testOptions(b, clock))
	id := int64(0)
	for b.Loop() {
		id++
		st, tr, ds := fallen(id, "check", clock.step(time.Second), "a trace of some length\n")
		if err := s.Record(background, []record.CheckState{st}, []record.Transition{tr}, ds); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOutages reads a page of outages from a history of 3800 of them.
func BenchmarkOutages(b *testing.B) {
	clock := newTestClock()
	o := testOptions(b, clock)
	o.Config.MaxSize = 64 << 20
	s := openStore(b, o)
	for first := int64(1); first < 7600; first += 200 {
		var ts []record.Transition
		for id := first; id < first+200; id += 2 {
			_, fall, _ := fallen(id, "check", clock.step(time.Minute), "")
			rise := record.Transition{ID: id + 1, Check: "check", From: record.Down, To: record.Up, At: clock.step(time.Minute), Incident: id}
			ts = append(ts, fall, rise)
		}
		must(b, s.Record(background, nil, ts, nil))
	}
	for b.Loop() {
		if list, err := s.Outages(background, time.Unix(0, 0), clock.Now(), 500); err != nil || len(list) != 500 {
			b.Fatal(len(list), err)
		}
	}
}
