// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"bytes"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncruces/go-sqlite3"

	"skywatch/internal/probe"
)

var errTest = sqlite3.IOERR_WRITE

// A disk that refuses in the middle makes calls fail, loses nothing that was acknowledged, and is used again once it works.
func TestDiskRefusesInTheMiddle(t *testing.T) {
	for name, c := range map[string]struct {
		begin func(*disk)
		want  string
	}{
		"full":      {func(d *disk) { d.setCapacity(1) }, "disk full, want free space"},
		"enospc":    {func(d *disk) { d.setFailing(sqlite3.FULL) }, "disk full, want free space"},
		"read-only": {func(d *disk) { d.setFailing(sqlite3.READONLY) }, "read-only, want a writable file"},
		"i/o error": {func(d *disk) { d.setFailing(sqlite3.IOERR_WRITE) }, "input/output error, want a working disk"},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newTestClock()
			d := newDisk(t)
			s := openOn(t, testOptions(t, clock), d.engine())
			must(t, recordFall(s, 1, clock.Now(), "t"))
			c.begin(d)
			s.Observe(t.Context(), up("a", clock.Now()))
			err := recordFall(s, 2, clock.Now(), "t")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("recording: %v, want %q", err, c.want)
			}
			if err := s.flush(t.Context()); err == nil {
				t.Error("a flush succeeded")
			}
			if s.Err() == nil {
				t.Error("the store says that it takes writes")
			}
			if err := s.Memory("a", "t").Put("k", nil); err == nil {
				t.Error("memory was stored")
			}
			d.setFailing(nil)
			d.setCapacity(0)
			flushNow(t, s)
			if s.Err() != nil {
				t.Errorf("the store still refuses: %v", s.Err())
			}
			must(t, recordFall(s, 2, clock.Now(), "t"))
			list, err := s.Transitions(t.Context(), "", 10)
			if err != nil || len(list) != 2 {
				t.Errorf("%d transitions, %v, want 2", len(list), err)
			}
			if got, err := s.Results(t.Context(), "a", 10); err != nil || len(got) != 1 {
				t.Errorf("%d results of a, %v, want 1", len(got), err)
			}
		})
	}
}

// A disk that does not answer costs a caller a second, whatever it does later.
func TestDiskThatHangs(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	synctest.Test(t, func(t *testing.T) {
		s := newStore(o, newDisk(t).engine())
		must(t, s.Open(t.Context()))
		defer s.Close()
		hang := make(chan struct{})
		s.eng.commits = func() { <-hang }
		for id, want := range []string{"no answer from the disk, want one in time", "busy with another call"} {
			began := time.Now()
			err := recordFall(s, int64(id+1), clock.Now(), "")
			if err == nil || !strings.Contains(err.Error(), want) || time.Since(began) != time.Second {
				t.Errorf("recording took %s: %v, want %s after a second", time.Since(began), err, want)
			}
			s.Observe(t.Context(), up("a", clock.Now())) // does not wait
		}
		close(hang)
		must(t, s.acquire(t.Context()))
		s.eng.commits = nil
		s.release()
		must(t, recordFall(s, 1, clock.Now(), ""))
	})
}

func TestDamagedFileIsSetAside(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string){
		"no database": func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600))
		},
		"pages overwritten": func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			must(t, err)
			defer f.Close()
			size, err := f.Seek(0, io.SeekEnd)
			must(t, err)
			_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, int(size)-pageSize), pageSize)
			must(t, err)
		},
		"cut off": func(t *testing.T, path string) { must(t, os.Truncate(path, 5*pageSize)) },
	} {
		t.Run(name, func(t *testing.T) {
			clock := newTestClock()
			o := testOptions(t, clock)
			s := openStore(t, o)
			must(t, recordFall(s, 1, clock.Now(), "t"))
			must(t, s.Close())
			damage(t, o.Config.Path)
			var log bytes.Buffer
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
			s = openStore(t, o)
			must(t, recordFall(s, 2, clock.Now(), "t"))
			aside, err := filepath.Glob(o.Config.Path + ".damaged-20260328-100000*")
			if err != nil || len(aside) != 1 {
				t.Errorf("set aside: %v, %v", aside, err)
			}
			if !strings.Contains(log.String(), `msg="history was damaged, beginning a new one"`) {
				t.Errorf("log %q says nothing of it", log.String())
			}
		})
	}
}

// Damage that shows in the middle of running costs the call that met it, and no more.
func TestDamageInTheMiddle(t *testing.T) {
	clock := newTestClock()
	d := newDisk(t)
	s := openOn(t, testOptions(t, clock), d.engine())
	must(t, recordFall(s, 1, clock.Now(), "t"))
	must(t, s.acquire(t.Context()))
	must(t, s.checkpoint())
	_, err := s.db.Exec("PRAGMA shrink_memory")
	must(t, err)
	s.release()
	d.mu.Lock()
	for i := range d.files[s.cfg.Path] {
		d.files[s.cfg.Path][i] ^= 0x5a
	}
	d.mu.Unlock()
	if err := recordFall(s, 2, clock.Now(), "t"); err == nil || !strings.Contains(err.Error(), "want an intact") {
		t.Fatalf("recording: %v, want the damage noticed", err)
	}
	must(t, recordFall(s, 100, clock.Now(), ""))
	if s.Err() != nil {
		t.Errorf("the store refuses: %v", s.Err())
	}
	r := down("check1", clock.Now(), "refused") // its trace was in the file that is gone
	r.Trace = probe.TextTrace("t")
	s.Observe(t.Context(), r)
	flushNow(t, s)
	if list, err := s.Results(t.Context(), "check1", 1); err != nil || list[0].Trace != 1 || s.traceID != 1 {
		t.Errorf("trace %d of %d, %v, want it stored anew", list[0].Trace, s.traceID, err)
	}
	if d.size(s.cfg.Path+".damaged-20260328-100000") == 0 {
		t.Error("nothing was set aside")
	}
}

func TestRefusals(t *testing.T) {
	clock := newTestClock()
	t.Run("in use", func(t *testing.T) {
		o := testOptions(t, clock)
		openStore(t, o)
		second := newPatient(o, newEngine())
		defer second.Close()
		want := `opening history "` + o.Config.Path + `": in use by process `
		if err := second.Open(t.Context()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("second store: %v, want %s...", err, want)
		}
		if err := recordFall(second, 1, clock.Now(), ""); err == nil || !strings.Contains(err.Error(), "in use by process") {
			t.Errorf("recording: %v", err)
		}
	})
	t.Run("no directory", func(t *testing.T) {
		o := testOptions(t, clock)
		o.Config.Path = filepath.Join(t.TempDir(), "missing", "x.db")
		s := New(o)
		defer s.Close()
		want := `opening history "` + o.Config.Path + `": making "` + o.Config.Path + `.lock": no such file or directory, want a writable directory`
		if err := s.Open(t.Context()); !errors.Is(err, os.ErrNotExist) || err.Error() != want {
			t.Errorf("opening: %v, want %s", err, want)
		}
	})
	for name, c := range map[string]struct{ change, want string }{
		"later release": {"PRAGMA user_version = 99", "written by a later release (format 99), want format 2 at most"},
		"foreign":       {"PRAGMA application_id = 77", "a database of another program (application id 0x4d), want one of skywatch's"},
		"unmarked":      {"PRAGMA application_id = 0; PRAGMA user_version = 0", "a database of another program (application id 0x0), want one of skywatch's"},
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(t, clock)
			s := openStore(t, o)
			_, err := s.db.Exec(c.change)
			must(t, err)
			must(t, s.checkpoint())
			s.closeFile()
			s.Close()
			before, err := os.ReadFile(o.Config.Path)
			must(t, err)
			s = New(o)
			defer s.Close()
			if err := s.Open(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("opening: %v, want %s", err, c.want)
			}
			after, err := os.ReadFile(o.Config.Path)
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file was changed, %v", err)
			}
		})
	}
}

// The sqlite3 shell, another process, may hold the file locked for a while.
func TestLockedByAnotherConnection(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	s := openStore(t, o)
	other, err := sql.Open(driverName, "file:"+o.Config.Path+"?_txlock=immediate")
	must(t, err)
	defer other.Close()
	tx, err := other.Begin()
	must(t, err)
	if err := recordFall(s, 1, clock.Now(), ""); err == nil || !strings.Contains(err.Error(), "locked by another process, want one writer") {
		t.Errorf("recording: %v", err)
	}
	must(t, tx.Rollback())
	must(t, recordFall(s, 1, clock.Now(), ""))
}

// Every connection has its PRAGMAs from the DSN, and a new file the format that it keeps for ever.
func TestPragmas(t *testing.T) {
	s := openStore(t, testOptions(t, newTestClock()))
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "page_size": "4096", "auto_vacuum": "0", "wal_autocheckpoint": "0", "cache_size": "-512",
		"busy_timeout": "300", "max_page_count": "896", "application_id": "1936423287", "user_version": "2", "locking_mode": "normal",
	} {
		var got string
		if err := s.db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, %v, want %s", pragma, got, err, want)
		}
	}
}
