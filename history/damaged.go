// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"errors"
	"fmt"
	"os"
)

// replaceDamaged sets a file aside that turned out damaged while in use, and begins a new one. It needs the turn.
func (s *Store) replaceDamaged(cause error) {
	s.closeFile()
	if err := s.setAside(cause); err != nil {
		s.setErr(s.explain("opening history", err))
		return
	}
	if err := s.open(); err != nil {
		s.closeFile()
	}
}

// setAside renames the file, its log and its shared memory to dated names.
func (s *Store) setAside(cause error) error {
	aside := s.cfg.Path + ".damaged-" + stampTime(s.now())
	for n := 2; s.eng.size(aside) > 0; n++ {
		aside = fmt.Sprintf("%s.damaged-%s-%d", s.cfg.Path, stampTime(s.now()), n)
	}
	for _, suffix := range []string{"-shm", "-wal", ""} {
		if err := s.eng.rename(s.cfg.Path+suffix, aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("setting the damaged file aside: %w, want a writable directory", bare(err))
		}
	}
	s.forgetTraces()
	s.log.Error("history was damaged, beginning a new one", "path", s.cfg.Path, "aside", aside, "err", cause)
	return nil
}

// forgetTraces drops the ids of traces that the new file does not have.
func (s *Store) forgetTraces() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.last)
	for i := range s.queue.rows {
		s.queue.rows[i].traceID = 0
	}
}
