// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// falls are as many checks that go down in one moment, as alerting records them: in one call.
func falls(first int64, n, trace int, at time.Time) (states []record.CheckState, ts []record.Transition, ds []record.Delivery) {
	for id := first; id < first+int64(n); id++ {
		// the names are spread over their indexes
		st, tr, intents := fallen(id, fmt.Sprintf("check %x", uint64(id)*0x9e3779b97f4a7c15), at, noise(testRandom(id), trace))
		states, ts, ds = append(states, st), append(ts, tr), append(ds, intents...)
	}
	return states, ts, ds
}

// What a part dirties is never more than was counted for it, so neither is a transaction of several.
func TestPagesOfAPart(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	o.Config.MaxSize = 64 << 20
	s := openOn(t, o, newDisk(t).engine())
	states, ts, ds := falls(1, 500, 0, clock.Now())
	must(t, s.Record(t.Context(), states, ts, ds))
	next := int64(1000)
	for _, c := range []struct{ transitions, trace int }{
		{1, 0}, {100, 0}, {50, 100}, {50, 1200}, {50, 1295}, {1, 1500}, {50, 1500}, {50, 2100}, {50, 3900}, {50, 5000}, {1, 64 << 10}, {5, 64 << 10},
	} {
		sum := &recordPart{}
		for _, p := range partsOf(falls(next, c.transitions, c.trace, clock.Now())) {
			p.pack(&s.packer, s.geo.txn)
			sum.add(p)
		}
		next += int64(c.transitions)
		must(t, s.acquire(t.Context()))
		must(t, s.checkpoint())
		s.eng.commits = func() {
			if frames := (s.eng.size(o.Config.Path+"-wal") - walHeader) / frameSize; frames > sum.pages() {
				t.Errorf("%d transitions with traces of %d bytes dirtied %d pages, counted were %d", c.transitions, c.trace, frames, sum.pages())
			}
		}
		must(t, s.record(sum))
		s.eng.commits = nil
		s.release()
	}
}

// Many transitions in one call keep the bound, with every size of traces and of the file, and are few commits where there is room.
func TestManyTransitionsInOneCall(t *testing.T) {
	for _, c := range []struct {
		size    probe.Bytes
		trace   int
		commits int // at most
	}{{1 << 20, 500, 80}, {4 << 20, 5000, 90}, {64 << 20, 500, 2}} {
		t.Run(fmt.Sprintf("%s traces of %d", c.size, c.trace), func(t *testing.T) {
			clock := newTestClock()
			o := testOptions(t, clock)
			o.Config.MaxSize = c.size
			s := openOn(t, o, newDisk(t).engine())
			w, commits := &boundWatch{t: t, s: s}, 0
			s.eng.commits = func() { commits++; w.look("after a commit") }
			states, ts, ds := falls(1, 300, c.trace, clock.Now())
			for _, st := range states {
				s.Observe(t.Context(), down(st.Check, clock.Now(), fmt.Sprint("refused ", st.Check)))
			}
			must(t, s.Record(t.Context(), states, ts, ds))
			wantAll(t, s, 300)
			if commits > c.commits {
				t.Errorf("%d commits, want at most %d", commits, c.commits)
			}
		})
	}
}

// wantAll checks that what belongs together is there together: every transition with two deliveries and the state of its check.
func wantAll(t *testing.T, s *Store, want int) (transitions int) {
	t.Helper()
	var deliveries, states, odd int
	must(t, s.db.QueryRow(`SELECT (SELECT count(*) FROM transition), (SELECT count(*) FROM delivery), (SELECT count(*) FROM state),
		(SELECT count(*) FROM transition t WHERE 2 <> (SELECT count(*) FROM delivery WHERE transition = t.id)
			OR NOT EXISTS (SELECT 1 FROM state WHERE name = t.name))`).Scan(&transitions, &deliveries, &states, &odd))
	if odd > 0 || deliveries != 2*transitions || states != transitions {
		t.Errorf("%d transitions, %d of them without their own, %d deliveries, %d states", transitions, odd, deliveries, states)
	}
	if want >= 0 && transitions != want {
		t.Errorf("%d transitions, want %d", transitions, want)
	}
	return transitions
}

// A call that breaks off has stored whole checks only, and can be made again.
func TestRecordBrokenOff(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	o.Config.MaxSize = 1 << 20
	for _, stop := range []int{1, 2, 5} {
		d := newDisk(t)
		s := openOn(t, o, d.engine())
		states, ts, ds := falls(1, 60, 500, clock.Now())
		commits := 0
		s.eng.commits = func() {
			if commits++; commits == stop {
				d.setFailing(errTest)
			}
		}
		if err := s.Record(t.Context(), states, ts, ds); err == nil {
			t.Fatal("recorded on a broken disk")
		}
		s.eng.commits = nil
		d.setFailing(nil)
		flushNow(t, s)
		if n := wantAll(t, s, -1); n == 0 || n == 60 {
			t.Errorf("%d transitions stored, want some", n)
		}
		must(t, s.Record(t.Context(), states, ts, ds))
		wantAll(t, s, 60)
		must(t, s.Close())
	}
}

// What belongs to a check is one part whatever the order; one that flapped for long has its state in the last part.
func TestPartsOfACall(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	states, ts, ds := falls(1, 20, 0, newTestClock().Now())
	for id := int64(100); id < 112; id++ {
		ts = append(ts, record.Transition{ID: id, Check: states[3].Check})
	}
	late := record.Delivery{Transition: 9999, Notifier: "late"}
	ds, states = append(ds, late), append(states, record.CheckState{Check: "only a state"})
	random.Shuffle(len(ds), func(i, j int) { ds[i], ds[j] = ds[j], ds[i] })
	random.Shuffle(len(states), func(i, j int) { states[i], states[j] = states[j], states[i] })
	parts := partsOf(states, ts, ds)
	if len(parts) != 20+1+2 {
		t.Errorf("%d parts, want one for each check, one more for the one that flapped, one for each single thing", len(parts))
	}
	for _, p := range parts {
		for _, tr := range p.transitions {
			own := slices.IndexFunc(p.states, func(st record.CheckState) bool { return st.Check == tr.Check }) >= 0
			if last := ts[len(ts)-1]; tr.Check == last.Check && p.transitions[len(p.transitions)-1].ID != last.ID {
				own = !own
			}
			if !own || tr.ID <= 20 && len(p.deliveries) != 2 {
				t.Errorf("transition %d has %d deliveries and states %v beside it", tr.ID, len(p.deliveries), p.states)
			}
		}
	}
}
