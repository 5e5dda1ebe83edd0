// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"os"
	"path/filepath"
)

// shrink brings a file that is larger than max_size, since that was lowered, below it: what is too much goes, the rest is copied into a
// new file, which takes the old one's place. This happens at start only; a running store reuses its pages and never copies.
func (s *Store) shrink() error {
	s.limit = s.geo.pages
	if err := s.trim(); err != nil {
		return err
	}
	if err := s.trimTexts(); err != nil {
		return err
	}
	if !s.roomFor(s.geo.txn) {
		if err := s.reclaim(s.geo.txn); err != nil {
			return err
		}
	}
	if err := s.checkpoint(); err != nil {
		return err
	}
	before := s.pages * pageSize
	if err := s.copySmaller(s.cfg.Path + ".new"); err != nil {
		s.log.Warn("history stays larger than max_size", "path", s.cfg.Path, "bytes", before, "err", err)
		if s.db != nil {
			return nil
		}
		return err
	}
	if err := s.connect(modeWrite); err != nil {
		return err
	}
	s.log.Info("history made smaller", "path", s.cfg.Path, "bytes_before", before, "bytes", s.pages*pageSize)
	return s.loadTables()
}

// copySmaller puts a compact copy of the file in its place, and leaves the connection closed then.
func (s *Store) copySmaller(name string) error {
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		return err
	}
	if info, err := os.Stat(s.cfg.Path); err == nil && s.eng.create != nil {
		s.eng.create(name, privateMode)
		os.Chmod(name, info.Mode().Perm()) // what fails leaves the copy for the owner alone
	}
	if _, err := s.db.Exec("VACUUM INTO ?", name); err != nil {
		os.Remove(name)
		return err
	}
	if err := syncPath(name); err != nil {
		os.Remove(name)
		return err
	}
	s.closeFile() // which removes log and shared memory: they must not meet the new file
	if err := s.eng.rename(name, s.cfg.Path); err != nil {
		return err
	}
	return syncPath(filepath.Dir(name))
}

func syncPath(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
