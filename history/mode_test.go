// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// wantMode checks the modes of all files of a store but its lock.
func wantMode(t *testing.T, path string, want fs.FileMode, files int) {
	t.Helper()
	names, err := filepath.Glob(path + "*")
	must(t, err)
	found := 0
	for _, name := range names {
		info, err := os.Stat(name)
		must(t, err)
		if name == path+".lock" {
			continue
		}
		if found++; info.Mode().Perm() != want {
			t.Errorf("%s has mode %s, want %s", filepath.Base(name), info.Mode().Perm(), want)
		}
	}
	if found != files {
		t.Errorf("files %v, want %d beside the lock", names, files)
	}
}

// A new file, its log and its shared memory, a copy of it and one that is set aside are for the owner alone.
func TestFilesArePrivate(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	s := openStore(t, o)
	must(t, recordFall(s, 1, clock.Now(), "t"))
	wantMode(t, o.Config.Path, 0o600, 3)
	must(t, s.Close())
	must(t, os.Truncate(o.Config.Path, 5*pageSize))
	s = openStore(t, o)
	must(t, recordFall(s, 1, clock.Now(), "t"))
	wantMode(t, o.Config.Path, 0o600, 4)
}

// A file that was opened up to others on purpose stays so, also when it is made smaller.
func TestModeOfAFileStays(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	o.Config.MaxSize = 4 << 20
	s := openStore(t, o)
	must(t, os.Chmod(o.Config.Path, 0o640))
	s = reopenStore(t, s)
	for id := range int64(30) {
		must(t, recordFall(s, id+1, clock.step(time.Second), noise(testRandom(id), 60<<10)))
	}
	wantMode(t, o.Config.Path, 0o640, 3)
	must(t, s.Close())
	before := fileSize(o.Config.Path)
	o.Config.MaxSize = 1 << 20
	s = openStore(t, o)
	must(t, recordFall(s, 100, clock.Now(), "t"))
	wantMode(t, o.Config.Path, 0o640, 3)
	if now := fileSize(o.Config.Path); now >= before {
		t.Errorf("the file has %d bytes, before %d, want it made smaller", now, before)
	}
}
