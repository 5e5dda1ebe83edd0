// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"skywatch/internal/record"
)

var powercutImages = flag.Int("powercut.images", 40, "images of a disk after a power cut that TestPowerCut opens, at least")

// promise is what the store has acknowledged by a point of the disk's log.
type promise struct {
	at           int // operations in the log
	transitions  int64
	sealed, sent int64 // ids of messages up to which they are sealed, or sent
}

// TestPowerCut cuts the power after every change of the disk. What was synced stays; of what was not, any part may. Every such disk must
// open, be intact, and have all that was acknowledged.
func TestPowerCut(t *testing.T) {
	lost, images := cutPower(t, "FULL", *powercutImages, false)
	t.Logf("%d images, %d failures", images, len(lost))
	for _, l := range lost[:min(5, len(lost))] {
		t.Error(l)
	}
}

// TestPowerCutFindsMissingSyncs shows that the test can fail: with fewer syncs acknowledged rows are lost.
func TestPowerCutFindsMissingSyncs(t *testing.T) {
	lost, images := cutPower(t, "NORMAL", 120, true)
	t.Logf("%d images, %d failures", images, len(lost))
	if len(lost) == 0 {
		t.Error("nothing was lost with synchronous=NORMAL, want this test to notice it")
	}
}

// cutPower opens so many images at least, or stops at the first that has lost something.
func cutPower(t *testing.T, sync string, want int, one bool) (lost []string, images int) {
	began := time.Now()
	o := testOptions(t, newTestClock())
	o.Config.MaxSize = 1 << 20
	log, promises := recordDisk(t, o, sync)
	stride := max(1, len(log)/want)
	done := func() bool { return images >= want || one && len(lost) > 0 }
	for round := 0; !done(); round++ {
		random := rand.New(rand.NewPCG(uint64(round), 7))
		cutEach(log, random, func(at int) bool { return (at+round)%stride == 0 && !(one && len(lost) > 0) }, func(at int, files map[string][]byte) {
			images++
			if err := checkImage(t, o, files, promised(promises, at)); err != nil {
				lost = append(lost, fmt.Sprintf("round %d, cut after change %d of %d: %v", round, at, len(log), err))
			}
		})
	}
	t.Logf("synchronous=%s: %d changes of the disk, %d images in %s", sync, len(log), images, time.Since(began).Round(time.Millisecond))
	return lost, images
}

// recordDisk runs a store with everything it does: results, traces, transitions, messages, states, checkpoints, a restart.
func recordDisk(t *testing.T, o Options, sync string) (log []diskOp, promises []promise) {
	d := newDisk(t)
	d.record = true
	eng := d.engine()
	eng.sync = sync
	s := openOn(t, o, eng)
	random := rand.New(rand.NewPCG(5, 6))
	var p promise
	acknowledge := func() {
		p.at = len(d.log)
		promises = append(promises, p)
	}
	acknowledge()
	at := time.Date(2026, 3, 28, 10, 0, 0, 0, time.UTC)
	for id := int64(1); id <= 12; id++ {
		at = at.Add(30 * time.Minute)
		for i := range 40 {
			s.Observe(t.Context(), down(fmt.Sprintf("check%d", i), at, fmt.Sprint("refused ", random.Uint64())))
		}
		flushNow(t, s)
		must(t, recordFall(s, id, at, noise(random, 2000)))
		p.transitions = id
		acknowledge()
		m := sealed(id, "ops", at, id)
		must(t, s.Seal(t.Context(), m, nil))
		p.sealed = id
		acknowledge()
		m.State = record.Sent
		must(t, s.Mark(t.Context(), m))
		p.sent = id
		acknowledge()
		if id == 8 {
			s = reopenStore(t, s)
		}
	}
	log = d.log
	must(t, s.Close())
	return log, promises
}

func recordFall(s *Store, id int64, at time.Time, trace string) error {
	st, tr, ds := fallen(id, fmt.Sprintf("check%d", id), at, trace)
	return s.Record(background, []record.CheckState{st}, []record.Transition{tr}, ds)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// promised is what was acknowledged when so many changes had been made.
func promised(promises []promise, changes int) (p promise) {
	for _, next := range promises {
		if next.at <= changes {
			p = next
		}
	}
	return p
}

// cutEach gives the disk as it may be found after a cut behind each wanted change.
func cutEach(log []diskOp, random *rand.Rand, wanted func(at int) bool, look func(at int, files map[string][]byte)) {
	durable, loose, created := map[string][]byte{}, map[string][]diskOp{}, map[string]bool{}
	settle := func(name string) {
		for _, done := range loose[name] {
			apply(durable, done)
		}
		delete(loose, name)
	}
	for i, op := range log {
		switch op.kind {
		case "sync":
			settle(op.file)
			if created[op.file] { // SQLite syncs the directory with the first sync of a journal or log
				for name := range loose {
					if slices.ContainsFunc(loose[name], func(op diskOp) bool { return op.kind == "delete" }) {
						settle(name)
					}
				}
			}
			delete(created, op.file)
		default:
			created[op.file] = created[op.file] || op.kind == "create" && strings.Contains(op.file, ".db-")
			loose[op.file] = append(loose[op.file], op)
		}
		if wanted(i + 1) {
			look(i+1, survivors(durable, loose, random))
		}
	}
}

// survivors is the durable part and a random part of the rest: whole changes are missing, and a write may be torn at a sector. Of a file
// that was removed and made again nothing is there while the removal is not.
func survivors(durable map[string][]byte, loose map[string][]diskOp, random *rand.Rand) map[string][]byte {
	files := map[string][]byte{}
	for name, content := range durable {
		files[name] = slices.Clone(content)
	}
	keep := random.Float64()
	for _, name := range slices.Sorted(maps.Keys(loose)) {
		for _, op := range loose[name] {
			if random.Float64() > keep {
				if op.kind == "delete" {
					break
				}
				continue
			}
			if sectors := len(op.data) / 512; sectors > 0 && random.IntN(4) == 0 {
				op.data = op.data[:512*random.IntN(sectors+1)]
			}
			apply(files, op)
		}
	}
	return files
}

// checkImage opens a disk as a restarted process would.
func checkImage(t *testing.T, o Options, files map[string][]byte, p promise) error {
	d := newDisk(t)
	d.files = files
	o.Config.Path = filepath.Join(filepath.Dir(o.Config.Path), "skywatch.db")
	s := newPatient(o, d.engine())
	defer s.Close()
	if err := s.Open(background); err != nil {
		return err
	}
	for name := range d.files {
		if strings.Contains(name, ".damaged-") {
			return fmt.Errorf("set aside as damaged")
		}
	}
	var verdict string
	if err := s.db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		return fmt.Errorf("integrity check: %s, %v", verdict, err)
	}
	return p.kept(s)
}

// kept tells what of the promise is missing.
func (p promise) kept(s *Store) error {
	saved, err := s.Load(background)
	if err != nil {
		return err
	}
	var transitions, deliveries, messages, sent, states int64
	err = s.db.QueryRow(`SELECT (SELECT count(*) FROM transition WHERE id <= ?1), (SELECT count(*) FROM delivery WHERE transition <= ?1),
		(SELECT count(*) FROM message WHERE id <= ?2), (SELECT count(*) FROM message WHERE id <= ?2 AND state = 2),
		(SELECT count(*) FROM state WHERE incident BETWEEN 1 AND ?1)`, p.transitions, p.sealed).
		Scan(&transitions, &deliveries, &messages, &sent, &states)
	switch {
	case err != nil:
		return err
	case transitions != p.transitions || deliveries != 2*p.transitions || states != p.transitions:
		return fmt.Errorf("%d transitions, %d deliveries and %d states, want %d, %d and %d", transitions, deliveries, states, p.transitions,
			2*p.transitions, p.transitions)
	case messages != p.sealed || sent < p.sent:
		return fmt.Errorf("%d messages of which %d sent, want %d and %d", messages, sent, p.sealed, p.sent)
	case p.sealed > p.sent && sent == p.sent && !slices.ContainsFunc(saved.Outbox.Messages, func(m record.Message) bool {
		return m.ID == p.sealed && m.Text == "text of the message"
	}):
		return fmt.Errorf("message %d is not given back whole", p.sealed)
	}
	return nil
}
