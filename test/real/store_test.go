// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// outside is a daemon whose history lies on a small file system of its own.
type outside struct {
	*daemon
	sink    *sink
	patient *patient
}

// newOutside makes a daemon that watches the patient.
func newOutside(t *testing.T) *outside {
	t.Helper()
	o := &outside{sink: newSink(t), patient: newPatient(t)}
	o.daemon = newDaemon(t, t.TempDir(), o.patient.config(1, o.sink, "{path: small/skywatch.db, max_size: 1MB, flush_interval: 1s}"))
	if err := os.Mkdir(o.file("small"), 0o755); err != nil {
		t.Fatal(err)
	}
	return o
}

// startOn starts the daemon with its history on a file system of 4 MiB, mounted with options, that only the daemon sees.
func (o *outside) startOn(options string) {
	o.t.Helper()
	if os.Geteuid() != 0 {
		o.t.Fatal("mounting a file system: not root, want root (make test uses sudo)")
	}
	o.launcher = []string{"bash", filepath.Join("..", "peers", "smallfs.sh"), "run", o.file("small"), "4096"}
	o.env = []string{"SMALLFS_OPTIONS=" + options}
	o.daemon.start()
	o.awaitState("Check0", 1)
}

// inside gives the path of a file of the small file system as seen from here.
func (o *outside) inside(name string) string {
	return filepath.Join("/proc", strconv.Itoa(o.cmd.Process.Pid), "root", o.file("small"), name)
}

func (o *outside) awaitHistory(up float64) {
	o.t.Helper()
	o.awaitSum(fmt.Sprintf("skywatch_history_up to be %v", up), up, "skywatch_history_up")
}

// fill writes until the file system has no room left.
func (o *outside) fill() {
	o.t.Helper()
	f, err := os.Create(o.inside("filler"))
	if err != nil {
		o.t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			o.t.Fatalf("filling the file system: %v, want no space left on device", err)
		}
	}
}

// awaitSubject waits until a letter arrives whose subject begins so.
func (o *outside) awaitSubject(prefix string) (found letter) {
	o.t.Helper()
	eventually(o.t, prefix+" in the mail", func() error {
		all, err := o.sink.received()
		for _, l := range all {
			if strings.HasPrefix(l.subject, prefix) {
				found = l
				return err
			}
		}
		return errors.Join(err, fmt.Errorf("no such letter among %d", len(all)))
	})
	return found
}

// expectService wants the daemon to probe, to answer and to mail, though nothing can be stored.
func (o *outside) expectService() {
	o.t.Helper()
	o.patient.ill.Store(true)
	if l := o.awaitSubject("DOWN Check0"); !strings.Contains(l.text, "not stored") {
		o.t.Errorf("the mail does not say that it is not stored:\n%s", l.text)
	}
	o.awaitRounds("Check0", 2)
	answer, err := o.get("/probe?module=site&target=" + url.QueryEscape(o.patient.URL))
	if err != nil || !strings.Contains(answer, "\nprobe_success 0\n") {
		o.t.Errorf("/probe answers %q (%v), want probe_success 0", answer, err)
	}
	if _, err := o.get("/"); err != nil {
		o.t.Errorf("the landing page: %v", err)
	}
}

// expectStored waits until the outage is in the file after all, and then ends it: it is told once.
func (o *outside) expectStored() {
	o.t.Helper()
	o.awaitHistory(1)
	o.expectTransition(stateDown)
	o.patient.ill.Store(false)
	o.awaitSubject("UP Check0")
	o.expectTransition(stateUp)
	o.awaitEmptyOutbox()
	o.awaitRounds("Check0", 2)
	if all, err := o.sink.received(); err != nil || len(all) != 2 {
		o.t.Errorf("%d letters (%v), want 2:\n%s", len(all), err, subjects(all))
	}
	o.stop(o.t)
}

func (o *outside) expectTransition(to int) {
	o.t.Helper()
	eventually(o.t, fmt.Sprintf("the transition to state %d in the file", to), func() error {
		if err := o.copyRing(); err != nil {
			return err
		}
		r := openRing(o.t, o.file("copy.db"), "rw")
		defer r.db.Close()
		all, err := r.transitions(to)
		if err == nil && all["Check0"] != 1 {
			err = fmt.Errorf("%d transitions, want 1", all["Check0"])
		}
		return errors.Join(err, r.check())
	})
}

// copyRing copies the file and its log, since SQLite cannot be led into another mount namespace. A copy made during a commit may be
// torn; then another one is made.
func (o *outside) copyRing() error {
	for _, part := range []string{"", "-wal"} {
		b, err := os.ReadFile(o.inside("skywatch.db" + part))
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.file("copy.db"+part), b, 0o600); err != nil {
			return err
		}
	}
	return os.RemoveAll(o.file("copy.db-shm"))
}

// TestStoreFull fills the file system before an outage and makes room during it.
func TestStoreFull(t *testing.T) {
	o := newOutside(t)
	o.startOn("rw")
	o.awaitHistory(1)
	o.fill()
	o.expectService()
	o.awaitHistory(0)
	if err := os.Remove(o.inside("filler")); err != nil {
		t.Fatal(err)
	}
	o.expectStored()
}

// TestStoreReadOnly starts on a read-only file system that becomes writable during an outage.
func TestStoreReadOnly(t *testing.T) {
	o := newOutside(t)
	o.startOn("ro")
	o.awaitHistory(0)
	o.expectService()
	remount := exec.Command("nsenter", "-t", strconv.Itoa(o.cmd.Process.Pid), "-m", "mount", "-o", "remount,rw", o.file("small"))
	if out, err := remount.CombinedOutput(); err != nil {
		t.Fatalf("remounting: %v: %s", err, out)
	}
	o.expectStored()
}

// TestStoreLocked holds the file's write lock while an outage begins, as a backup program may.
func TestStoreLocked(t *testing.T) {
	o := newOutside(t)
	o.start()
	o.awaitState("Check0", 1)
	o.awaitHistory(1)
	other := openRing(t, o.file("small/skywatch.db"), "rw")
	other.db.SetMaxOpenConns(1)
	if _, err := other.db.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	o.expectService()
	if _, err := other.db.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	other.db.Close()
	o.expectStored()
}
