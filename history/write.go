// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"database/sql"
)

// write runs f in a transaction that dirties at most the given number of pages; f may run twice. It needs the turn.
func (s *Store) write(pages int64, f func(*sql.Tx) error) error {
	if s.readOnly {
		return errReadOnly
	}
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.makeRoom(pages); err != nil {
		return err
	}
	err := s.transact(f)
	if s.failed(err, codeFull) && s.ownLimit() {
		if err = s.reclaim(s.geo.pages / 16); err == nil {
			err = s.transact(f)
		}
	}
	if err != nil {
		return err
	}
	s.setErr(nil)
	s.account()
	return nil
}

func (s *Store) transact(f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		tx.Rollback()
		return err
	}
	err = tx.Commit()
	if s.eng.commits != nil {
		s.eng.commits()
	}
	return err
}

// makeRoom sees to it that a transaction of so many pages fits into the log and into the file.
func (s *Store) makeRoom(pages int64) error {
	if !s.fits(pages) {
		if err := s.checkpoint(); err != nil {
			return err
		}
		if !s.fits(pages) {
			return errBlocked
		}
	}
	if s.roomFor(pages) {
		return nil
	}
	if err := s.reclaim(pages); err != nil {
		return err
	}
	if !s.fits(pages) { // reclaiming wrote too
		if err := s.checkpoint(); err != nil {
			return err
		}
	}
	return nil
}

// fits tells whether the log has room for so many pages.
func (s *Store) fits(pages int64) bool {
	return max(s.walSize, walHeader)+pages*frameSize <= s.geo.wal
}

// reservePages are kept free, so that deleting always works.
const reservePages = 8

func (s *Store) roomFor(pages int64) bool {
	return s.limit-s.pages+s.free >= pages+reservePages
}

// ownLimit tells whether the file is full by our own limit, and not the disk.
func (s *Store) ownLimit() bool {
	return s.measure() == nil && s.limit-s.pages+s.free < s.geo.txn
}

// account measures file and log after a commit, and empties the log when a later transaction might not fit. The commit stands whatever
// comes of it, so a failure is kept for settle.
func (s *Store) account() {
	before := s.walSize
	err := s.measure()
	s.metrics.written.Add(float64(max(0, s.walSize-before)))
	if err == nil && s.walSize > s.geo.wal/2 {
		err = s.checkpoint()
	}
	if err != nil {
		s.fault = err
	}
	s.metrics.sizes(s)
}

func (s *Store) measure() error {
	s.walSize = s.eng.size(s.cfg.Path + "-wal")
	return s.db.QueryRow("SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count").Scan(&s.pages, &s.free)
}

// checkpoint moves the log's pages into the file and empties the log. That a reader keeps it from doing so is no error.
func (s *Store) checkpoint() error {
	before := s.eng.size(s.cfg.Path + "-wal")
	moving := s.eng.logged(s.cfg.Path + "-wal")
	var busy, frames, moved int64
	err := s.db.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if err != nil && !s.failed(err, codeBusy, codeLocked) {
		return err
	}
	if err := s.measure(); err != nil {
		return err
	}
	if s.walSize < before {
		s.metrics.written.Add(float64(moving * pageSize))
	}
	return nil
}
