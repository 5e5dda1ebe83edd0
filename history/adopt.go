// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
)

// Adopt gives checks what is stored under their former names: state, results, counters, transitions and memory. was holds the former
// names by the present one. A state that a check has under its present name stays. What cannot be stored before ctx ends, or at all now,
// the error says why; Run does it once the store takes writes.
func (s *Store) Adopt(ctx context.Context, was map[string][]string) error {
	if s.readOnly {
		return s.explain(renamingDoing, errReadOnly)
	}
	if !s.keepRenames(was) {
		return nil
	}
	err := s.attend(ctx, renamingDoing, s.adopt)
	if err != nil {
		s.nudge()
	}
	return err
}

const renamingDoing = "renaming checks in history"

// keepRenames takes renames to be stored, and renames in what is not yet stored. It tells whether there are any.
func (s *Store) keepRenames(was map[string][]string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, former := range was {
		delete(s.renames, name) // a reload may take a rename back
		for _, old := range former {
			if old != name {
				s.renames[old] = name
				s.renameWaiting(name, old)
			}
		}
	}
	for i := range s.queue.rows {
		if name, renamed := s.renames[s.queue.rows[i].check]; renamed {
			s.queue.rows[i].check = name
		}
	}
	return len(s.renames) > 0
}

// renameWaiting renames what is remembered of a check until it is stored. It needs mu.
func (s *Store) renameWaiting(name, old string) {
	if st, ok := s.kept[old]; ok {
		delete(s.kept, old)
		if _, newer := s.kept[name]; !newer {
			st.Check = name
			s.kept[name] = st
		}
	}
	if last, ok := s.last[old]; ok {
		s.last[name] = last
		delete(s.last, old)
	}
}

// adopt stores the renames that wait: in one transaction, unless the log has no room for it. One that is broken off is begun again: what
// was renamed is then no longer found under its old name. It needs the turn.
func (s *Store) adopt() error {
	if err := s.usable(); err != nil {
		return err
	}
	waiting := s.waitingRenames()
	work, err := s.findRenames(waiting)
	if err != nil {
		return err
	}
	for left := work; len(left) > 0 && err == nil; {
		left, err = s.storeRenames(left)
	}
	if err == nil {
		s.dropRenames(waiting)
	}
	if len(work) == 0 {
		return err
	}
	return cmp.Or(s.reloadNames(), err)
}

func (s *Store) reloadNames() (err error) {
	if s.catalog, err = s.loadCatalog(); err != nil {
		return err
	}
	return s.loadStateNames()
}

func (s *Store) renamesWait() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.renames) > 0
}

func (s *Store) waitingRenames() (list []renaming) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, name := range s.renames {
		list = append(list, renaming{name: name, old: old})
	}
	slices.SortFunc(list, func(a, b renaming) int { return cmp.Compare(a.old, b.old) })
	return list
}

// dropRenames forgets what was stored, unless it is to be renamed once more.
func (s *Store) dropRenames(stored []renaming) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range stored {
		if s.renames[r.old] == r.name {
			delete(s.renames, r.old)
		}
	}
}

// renaming is a former name with what is stored under it.
type renaming struct {
	name, old   string
	series      []int64
	transitions int64
	pages       int64 // that renaming all but the transitions dirties
}

// The pages that renaming a transition dirties, with its index, and those of a series.
const (
	transitionRenamePages = 4
	seriesRenamePages     = 2
)

// findRenames gives the renames under whose old name something is stored.
func (s *Store) findRenames(waiting []renaming) (found []renaming, err error) {
	series := map[string][]int64{}
	err = each(s.db, "SELECT id, name FROM series WHERE name <> ''", nil, func(rows *sql.Rows) error {
		var id int64
		var name string
		defer func() { series[name] = append(series[name], id) }()
		return rows.Scan(&id, &name)
	})
	if err != nil {
		return nil, err
	}
	for _, r := range waiting {
		err := s.db.QueryRow(`SELECT (SELECT coalesce(sum(6 + (length(facts) + length(err) + length(targets)) / 1500), 0) FROM state WHERE name = ?1)
			+ (SELECT coalesce(sum(6 + length(value) / 1500), 0) FROM memory WHERE name = ?1),
			(SELECT count(*) FROM transition WHERE name = ?1)`, r.old).Scan(&r.pages, &r.transitions)
		if err != nil {
			return nil, err
		}
		r.series = series[r.old]
		r.pages += seriesRenamePages * int64(len(r.series))
		if r.pages+r.transitions > 0 {
			found = append(found, r)
		}
	}
	return found, nil
}

// storeRenames stores the first renames as far as one transaction goes, and gives the rest.
func (s *Store) storeRenames(list []renaming) (left []renaming, err error) {
	pages, room := int64(reservePages), s.geo.txn-reservePages
	n := 0
	for ; n < len(list) && pages+list[n].pages+transitionRenamePages*list[n].transitions <= room; n++ {
		pages += list[n].pages + transitionRenamePages*list[n].transitions
	}
	part, left := slices.Clone(list[:n]), list[n:]
	if n == 0 { // one with more transitions than fit; the shares of all else are small
		first := list[0]
		first.transitions = max(1, (room-pages-first.pages)/transitionRenamePages)
		part, pages = []renaming{first}, room
		left = slices.Clone(list)
		left[0].series, left[0].pages, left[0].transitions = nil, 0, max(0, left[0].transitions-first.transitions)
	}
	return left, s.write(pages, func(tx *sql.Tx) error {
		for _, r := range part {
			if err := r.store(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r renaming) store(tx *sql.Tx) error {
	for _, change := range []string{
		"UPDATE OR IGNORE state SET name = ?1 WHERE name = ?2",
		"DELETE FROM state WHERE ?1 <> ?2 AND name = ?2",
		"UPDATE OR IGNORE memory SET name = ?1 WHERE name = ?2",
		"DELETE FROM memory WHERE ?1 <> ?2 AND name = ?2",
	} {
		if _, err := tx.Exec(change, r.name, r.old); err != nil {
			return err
		}
	}
	_, err := tx.Exec("UPDATE transition SET name = ?1 WHERE id IN (SELECT id FROM transition WHERE name = ?2 ORDER BY id LIMIT ?3)",
		r.name, r.old, r.transitions)
	if err != nil {
		return err
	}
	for _, id := range r.series {
		if _, err := tx.Exec("UPDATE series SET name = ?1 WHERE id = ?2", r.name, id); err != nil {
			return err
		}
	}
	return nil
}
