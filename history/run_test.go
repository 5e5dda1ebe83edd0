// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// stored counts the results in the file.
func stored(t testing.TB, s *Store) (n int) {
	t.Helper()
	must(t, s.acquire(t.Context()))
	defer s.release()
	must(t, s.db.QueryRow("SELECT count(*) FROM result").Scan(&n))
	return n
}

func TestRunFlushesAndCloses(t *testing.T) {
	o := testOptions(t, newTestClock())
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		s := newStore(o, d.engine())
		must(t, s.Open(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		s.Observe(ctx, up("a", time.Now()))
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if n := stored(t, s); n != 0 {
			t.Errorf("%d results stored before flush_interval, want 0", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := stored(t, s); n != 1 {
			t.Errorf("%d results stored after flush_interval, want 1", n)
		}
		for range flushSize + 1 {
			s.Observe(ctx, up("a", time.Now()))
		}
		synctest.Wait()
		if n := stored(t, s); n < flushSize {
			t.Errorf("%d results stored though a commit was due, want %d", n, flushSize)
		}
		s.Observe(ctx, up("a", time.Now()))
		cancel()
		must(t, <-ended)
		if err := s.Err(); !errors.Is(err, errClosed) {
			t.Errorf("after the end: %v", err)
		}
		s = newStore(o, d.engine())
		must(t, s.Open(t.Context()))
		defer s.Close()
		if n := stored(t, s); n != flushSize+3 {
			t.Errorf("%d results after a restart, want %d", n, flushSize+3)
		}
	})
}

func TestRunTriesAgain(t *testing.T) {
	o := testOptions(t, newTestClock())
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(t)
		d.setFailing(errTest)
		s := newStore(o, d.engine())
		if err := s.Open(t.Context()); err == nil {
			t.Error("opened on a broken disk")
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		s.Observe(ctx, up("a", time.Now()))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if s.Err() == nil {
			t.Error("the store takes writes on a broken disk")
		}
		d.setFailing(nil)
		time.Sleep(retryMax + time.Second)
		synctest.Wait()
		if err := s.Err(); err != nil {
			t.Errorf("half a minute after the disk works: %v", err)
		}
		if n := stored(t, s); n != 1 {
			t.Errorf("%d results stored, want the one that waited", n)
		}
		cancel()
		must(t, <-ended)
	})
}

// A disk that hangs does not keep the process from ending.
func TestRunEndsOnADiskThatHangs(t *testing.T) {
	o := testOptions(t, newTestClock())
	for name, at := range map[string]time.Duration{"at the end": 0, "while it flushes": time.Minute + time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(o, newDisk(t).engine())
				must(t, s.Open(t.Context()))
				hang := make(chan struct{})
				s.eng.commits = func() { <-hang }
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- s.Run(ctx) }()
				s.Observe(ctx, up("a", time.Now()))
				s.Keep([]record.CheckState{{Check: "a"}})
				time.Sleep(at)
				synctest.Wait()
				began := time.Now()
				cancel()
				want := `closing history "` + o.Config.Path + `": no answer from the disk within 10s, 1 result and 1 state not stored, want a working disk`
				if err := <-ended; err == nil || err.Error() != want || time.Since(began) != endTime {
					t.Errorf("after %s: %v, want %s", time.Since(began), err, want)
				}
				close(hang)
				synctest.Wait() // the disk answers at last
			})
		})
	}
}

func TestMetrics(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	registry := prometheus.NewPedanticRegistry()
	o.Registerer = registry
	s := openStore(t, o)
	must(t, recordFall(s, 1, clock.Now(), strings.Repeat("trace", 100)))
	families, err := registry.Gather()
	must(t, err)
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	got := gather(t, registry)
	if got["skywatch_history_up"] != 1 || got["skywatch_history_lost_results_total"] != 0 || got["skywatch_history_written_bytes_total"] == 0 {
		t.Errorf("metrics %v", got)
	}
	sum := 0.0
	for _, part := range []string{"wal", "traces", "outbox", "free", "other"} {
		sum += got["skywatch_history_size_bytes "+part]
	}
	if want := float64(s.pages*pageSize + s.walSize); sum != want {
		t.Errorf("the parts have %v bytes, want %v", sum, want)
	}
	s.setErr(errNoRoom)
	if up := gather(t, registry)["skywatch_history_up"]; up != 0 {
		t.Errorf("skywatch_history_up %v while it refuses, want 0", up)
	}
}

// gather reads all metrics, each under its name and label values.
func gather(t testing.TB, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	must(t, err)
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return values
}

func TestReadOnly(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	want := `opening history "` + o.Config.Path + `": no such file or directory, want the file of a daemon that has run`
	if _, err := OpenReadOnly(t.Context(), o); !errors.Is(err, os.ErrNotExist) || err.Error() != want {
		t.Errorf("without a file: %v, want %s", err, want)
	}
	s := openStore(t, o)
	must(t, recordFall(s, 1, clock.Now(), "t"))
	s.Observe(t.Context(), up("a", clock.Now()))
	must(t, s.Close())
	before, err := os.ReadFile(o.Config.Path)
	must(t, err)
	r, err := OpenReadOnly(t.Context(), o)
	must(t, err)
	defer r.Close()
	r.patience = time.Minute
	if list, err := r.Recent(t.Context(), 10); err != nil || len(list) != 1 {
		t.Errorf("%d results, %v, want 1", len(list), err)
	}
	if list, err := r.Tallies(t.Context(), clock.Now().Add(-time.Hour), clock.Now().Add(time.Hour)); err != nil || len(list) != 1 {
		t.Errorf("%d tallies, %v, want 1", len(list), err)
	}
	if saved, err := r.Load(t.Context()); err != nil || len(saved.States) != 1 {
		t.Errorf("%d states, %v, want 1", len(saved.States), err)
	}
	for name, err := range map[string]error{
		"record": recordFall(r, 2, clock.Now(), ""), "seal": r.Seal(t.Context(), sealed(1, "x", clock.Now()), nil),
		"mark": r.Mark(t.Context(), sealed(1, "x", clock.Now())), "memory": r.Memory("a", "t").Put("k", nil),
		"adopt": r.Adopt(t.Context(), map[string][]string{"n": {"check1"}}),
	} {
		if !errors.Is(err, errReadOnly) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
	r.Observe(t.Context(), up("a", clock.Now()))
	r.Keep([]record.CheckState{{Check: "a"}})
	must(t, r.Close())
	frozen := New(o)
	must(t, frozen.connect(modeFrozen))
	var n int
	if err := frozen.db.QueryRow("SELECT count(*) FROM result").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d results where nothing may be written, %v, want 1", n, err)
	}
	frozen.closeFile()
	after, err := os.ReadFile(o.Config.Path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("reading changed the file, %v", err)
	}
}

func TestListen(t *testing.T) {
	path := t.TempDir() + "/x.db"
	for range 2 { // the second time a stale socket lies there
		l, err := Listen(path)
		must(t, err)
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		info, err := os.Stat(path + ".sock")
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
		}
		must(t, l.Close())
	}
	must(t, os.Remove(path+".sock"))
	must(t, os.WriteFile(path+".sock", []byte("precious"), 0o600))
	want := `listening on "` + path + `.sock": address already in use, want a short path, free, in a writable directory`
	if _, err := Listen(path); err == nil || err.Error() != want {
		t.Errorf("listening over a file: %v, want %s", err, want)
	}
}

func TestReadableView(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	s.Observe(t.Context(), down("a", clock.Now(), "dialing: refused"))
	s.Observe(t.Context(), request("x", clock.Now().Add(time.Second)))
	flushNow(t, s)
	var check, target, verdict, reason, text string
	var seconds float64
	err := s.db.QueryRow(`SELECT "check", target, verdict, reason, error, seconds FROM results_readable LIMIT 1`).
		Scan(&check, &target, &verdict, &reason, &text, &seconds)
	if err != nil || check != "a" || target != "http://a" || verdict != probe.Down.String() || reason != "connect" || text != "dialing: refused" || seconds != 0.012 {
		t.Errorf("%s %s %s %s %s %v, %v", check, target, verdict, reason, text, seconds, err)
	}
}
