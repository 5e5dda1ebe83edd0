// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"database/sql"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// noise is a text that does not compress.
func noise(r *rand.Rand, n int) string {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return string(b[:n])
}

// boundWatch checks file and log together against the bound.
type boundWatch struct {
	t       *testing.T
	s       *Store
	largest int64
}

func (w *boundWatch) look(when string) {
	w.t.Helper()
	size := w.s.eng.size(w.s.cfg.Path) + w.s.eng.size(w.s.cfg.Path+"-wal")
	w.largest = max(w.largest, size)
	if size > int64(w.s.cfg.MaxSize) {
		w.t.Fatalf("%s: file and log have %d bytes, want at most %d", when, size, w.s.cfg.MaxSize)
	}
}

var boundNames = flag.Int("bound.names", 2000, "names with which TestBytesAreBoundedAfterEveryCommit fills a store; with 10000 also a larger one")

func TestBytesAreBoundedAfterEveryCommit(t *testing.T) {
	sizes := []probe.Bytes{1 << 20, 3 << 20}
	if *boundNames >= 10_000 {
		sizes = append(sizes, 8<<20)
	}
	for _, size := range sizes {
		t.Run(size.String(), func(t *testing.T) {
			clock, random := newTestClock(), rand.New(rand.NewPCG(1, uint64(size)))
			o := testOptions(t, clock)
			o.Config.MaxSize = size
			s := openStore(t, o)
			w := &boundWatch{t: t, s: s}
			s.eng.commits = func() { w.look("after a commit") }
			fillStore(t, s, clock, random)
			if w.largest < int64(size)/4 {
				t.Errorf("the largest size was %d, want the room of %d used", w.largest, size)
			}
			var verdict string
			if err := s.db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
				t.Errorf("integrity check: %s, %v", verdict, err)
			}
			s.Close()
			w.look("after the end")
		})
	}
}

// fillStore runs many names with all that grows: new error texts, traces and messages that do not compress, facts, memory.
func fillStore(t *testing.T, s *Store, clock *testClock, random *rand.Rand) {
	id := int64(1)
	for round := range 2 {
		for i := range *boundNames {
			name := fmt.Sprintf("check number %d", i)
			r := up(name, clock.step(time.Millisecond))
			if i%10 == 0 {
				r = down(name, clock.Now(), fmt.Sprintf("dialing %q: refused %d", name, random.Uint64()))
			}
			if i%250 == 0 {
				r.Trace = probe.TextTrace(noise(random, 64<<10))
			}
			s.Observe(t.Context(), r)
			s.Observe(t.Context(), request(name, clock.Now()))
			s.Keep([]record.CheckState{{Check: name, Module: fmt.Sprint(round), Facts: []probe.Fact{{Key: "banner", Value: noise(random, 100)}}}})
			if i%300 == 0 {
				transitionWithMessage(t, s, id, name, clock.Now(), random)
				id++
				s.Memory(name, "t").Put("k", []byte(noise(random, 4096)))
			}
			if i%1000 == 999 {
				flushNow(t, s)
			}
		}
		clock.step(20 * time.Minute)
	}
}

// transitionWithMessage takes a transition, with the largest trace, through its whole life.
func transitionWithMessage(t *testing.T, s *Store, id int64, name string, at time.Time, random *rand.Rand) {
	t.Helper()
	trace := noise(random, 64<<10)
	st, tr, ds := fallen(id, name, at, trace)
	st.Incident, st.State = 0, record.Up
	if err := s.Record(t.Context(), []record.CheckState{st}, []record.Transition{tr}, ds); err != nil {
		t.Fatal(err)
	}
	for i, d := range ds {
		m := sealed(2*id+int64(i), d.Notifier, at, id)
		m.Text = trace
		if err := s.Seal(t.Context(), m, nil); err != nil {
			t.Fatal(err)
		}
		m.State = record.Sent
		if err := s.Mark(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// A reader in another process keeps the log from being emptied: raw results stop before the log is full, transitions go on, and both
// the file and the log keep their bound.
func TestReaderBlocksTheCheckpoint(t *testing.T) {
	clock, random := newTestClock(), rand.New(rand.NewPCG(3, 4))
	o := testOptions(t, clock)
	o.Config.MaxSize = 1 << 20
	s := openStore(t, o)
	w := &boundWatch{t: t, s: s}
	s.eng.commits = func() { w.look("after a commit") }
	s.Observe(t.Context(), up("a", clock.Now()))
	flushNow(t, s)
	reader, err := sql.Open(driverName, "file:"+o.Config.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	tx, err := reader.Begin()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM result").Scan(&n); err != nil {
		t.Fatal(err)
	}
	var refused error
	for i := 0; i < 100 && refused == nil; i++ {
		for j := range 100 {
			s.Observe(t.Context(), down(fmt.Sprint(j), clock.step(time.Second), noise(random, 400)))
		}
		refused = s.flush(t.Context())
	}
	if refused == nil || s.Err() == nil {
		t.Fatal("raw results are still stored, want a refusal that leaves room for transitions")
	}
	st, tr, ds := fallen(1, "a", clock.Now(), noise(random, 64<<10))
	if err := s.Record(t.Context(), []record.CheckState{st}, []record.Transition{tr}, ds); err != nil {
		t.Fatalf("a transition is refused: %v", err)
	}
	tx.Rollback()
	flushNow(t, s)
	if s.Err() != nil {
		t.Errorf("the store still refuses: %v", s.Err())
	}
}

func TestLargestTransactionFits(t *testing.T) {
	for size := int64(1 << 20); size <= 1<<30; size *= 2 {
		g := newGeometry(Config{Path: filepath.Join("x"), MaxSize: probe.Bytes(size), RequestShare: 0.1})
		if g.wal+g.pages*pageSize > size {
			t.Errorf("max_size %d: log of %d and file of %d pages do not fit", size, g.wal, g.pages)
		}
		if walHeader+g.txn*frameSize > g.wal {
			t.Errorf("max_size %d: a transaction of %d pages does not fit the log of %d", size, g.txn, g.wal)
		}
	}
}
