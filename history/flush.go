// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import "hash/maphash"

// stored draws the consequences of a committed batch.
func (s *Store) stored(b *batch) {
	for key, e := range b.series {
		if _, known := s.catalog.series[key]; known {
			s.catalog.series[key] = e
		} else {
			s.catalog.addSeries(key, e)
		}
	}
	for text, id := range b.texts {
		s.catalog.addText(maphash.String(s.seed, text), id, len(text))
	}
	for _, t := range b.traces {
		s.traceID = t.id
		s.traces += costOf(len(t.body))
	}
	s.results, s.requests, s.hour = b.results, b.request, b.hour
	s.taken(b.until)
	if b.left > 0 {
		s.metrics.lost.Add(float64(b.left))
		s.warnSeries()
	}
}

// warnSeries says once that there are more checks or /probe targets than the history has room for.
func (s *Store) warnSeries() {
	s.mu.Lock()
	warned := s.warned
	s.warned = true
	s.mu.Unlock()
	if !warned {
		s.log.Warn("history has no room for more names, their results are left out", "checks", s.catalog.checks, "requests", s.catalog.requests,
			"max_size", s.cfg.MaxSize.String())
	}
}

// rawPages is what a commit of raw results may dirty. The rest of the log is kept for transitions while a reader blocks the checkpoint.
func (s *Store) rawPages() int64 { return s.geo.txn / 2 }

// flushOne commits one batch of the queue. It needs the turn.
func (s *Store) flushOne() (more bool, err error) {
	b := s.plan(s.rawPages())
	if len(b.rows) == 0 {
		s.stored(b)
		return false, nil
	}
	if err := s.beforeOverwriting(b); err != nil {
		return false, err
	}
	if !s.fits(s.rawPages() + s.geo.txn/3) {
		if err := s.checkpoint(); err != nil {
			return false, err
		}
		if !s.fits(s.rawPages() + s.geo.txn/3) {
			return false, errBlocked
		}
	}
	if err := s.write(b.cost(), b.store); err != nil {
		return false, err
	}
	s.stored(b)
	return true, s.afterBatch(b)
}

// beforeOverwriting folds the slots into the counters that the batch would overwrite.
func (s *Store) beforeOverwriting(b *batch) error {
	if b.results.next-s.folded <= s.results.slots {
		return nil
	}
	return s.fold()
}

// afterBatch keeps the tables within their shares, and does what is due once an hour.
func (s *Store) afterBatch(b *batch) error {
	if err := s.trim(); err != nil {
		return err
	}
	if err := s.trimTexts(); err != nil {
		return err
	}
	if len(b.spans) == 0 {
		return nil
	}
	s.foldDue = true
	return s.pruneSeries()
}

// flushAll commits all that waits; with everything, also states that only grew older.
func (s *Store) flushAll(everything bool) error {
	if err := s.usable(); err != nil {
		return err
	}
	for more := true; more; {
		var err error
		if more, err = s.flushOne(); err != nil {
			return err
		}
	}
	return s.writeStates(everything)
}
