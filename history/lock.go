// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// takeLock makes this process the only writer of the file, until dropLock or its end.
func (s *Store) takeLock() error {
	if s.lock != nil {
		return nil
	}
	f, err := os.OpenFile(s.cfg.Path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("making %q: %w, want a writable directory", s.cfg.Path+".lock", bare(err))
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("locking %q: %w, want a file system that locks files", f.Name(), err)
		}
		return fmt.Errorf("in use by %s, want it for this process alone", holder(f))
	}
	s.lock = f
	if err := f.Truncate(0); err == nil {
		fmt.Fprintf(f, "%d\n", os.Getpid()) // for people only: without it the lock holds as well
	}
	return nil
}

// holder names the process that holds a lock.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 32))
	if pid := strings.TrimSpace(string(text)); err == nil && pid != "" {
		return "process " + pid
	}
	return "another process"
}

func (s *Store) dropLock() {
	if s.lock != nil {
		s.lock.Close()
		s.lock = nil
	}
}

// Listen opens the socket <path>.sock on which the daemon answers commands; only the file's owner may connect. A stale socket of an
// earlier process is removed, so the caller must hold the lock: its store is open.
func Listen(path string) (net.Listener, error) {
	name := path + ".sock"
	if info, err := os.Lstat(name); err == nil && info.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(name); err != nil {
			return nil, fmt.Errorf("listening on %q: removing the old socket: %w, want a writable directory", name, bare(err))
		}
	}
	l, err := net.Listen("unix", name)
	if err != nil {
		return nil, fmt.Errorf("listening on %q: %w, want a short path, free, in a writable directory", name, bare(err))
	}
	if err := os.Chmod(name, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("listening on %q: %w, want a file system with modes", name, bare(err))
	}
	return l, nil
}
