// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Open tries once to take the lock, open the file and bring it up to date. A damaged file is set aside and a new one begun. After an
// error the store can still be used: its calls fail with that error until a later try succeeds.
func (s *Store) Open(ctx context.Context) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	return s.open()
}

// open needs the turn.
func (s *Store) open() error {
	if s.db != nil || s.readOnly {
		return s.Err()
	}
	err := s.takeLock()
	if err == nil {
		err = s.openFile()
	}
	if s.failed(err, codeCorrupt, codeNotADB) {
		s.closeFile()
		if err = s.setAside(err); err == nil {
			err = s.openFile()
		}
	}
	if err != nil {
		s.closeFile()
		err = s.explain("opening history", err)
	}
	s.setErr(err)
	if err == nil {
		s.openedFirst()
	}
	return err
}

// openedFirst does what waits for the file to open, so that nothing is told under a former name. A rename that fails is tried again
// with the next flush, which tells of it.
func (s *Store) openedFirst() {
	if s.renamesWait() {
		s.adopt()
	}
	s.tellPast()
}

// privateMode is that of a new file: traces and the texts of mails are in it. One that is there keeps the mode it has, since somebody may
// have opened it up to a group on purpose; so do a copy of it and one that is set aside.
const privateMode fs.FileMode = 0o600

func (s *Store) openFile() error {
	if err := s.refuseForeign(); err != nil {
		return err
	}
	if s.eng.create != nil {
		s.eng.create(s.cfg.Path, privateMode)
	}
	err := s.connect(modeWrite)
	if s.failed(err, codeCantOpen, codeIO, codeProtocol) || err == errNoWAL {
		s.closeFile()
		err = s.connect(modeExclusive)
	}
	if err != nil {
		return err
	}
	if err := s.migrate(); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	return s.load()
}

var errNoWAL = fmt.Errorf("no write-ahead log on this file system, want one that locks files")

func (s *Store) connect(m mode) error {
	limit := s.geo.pages
	if pages := s.eng.size(s.cfg.Path) / pageSize; pages > limit {
		limit = pages + s.geo.txn + reservePages
	}
	db, err := sql.Open(s.eng.driver, s.eng.dsn(s.cfg.Path, limit, m))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	s.db, s.file = db, file{hour: -1, limit: limit}
	var journal string
	if err := db.QueryRow("PRAGMA journal_mode").Scan(&journal); err != nil {
		return err
	}
	if journal != "wal" && m != modeRead && m != modeFrozen {
		return errNoWAL
	}
	var n int
	if err := db.QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&n); err != nil {
		return err
	}
	return s.measure()
}

// applicationID marks the file as skywatch's: "skyw".
const applicationID = 0x736b7977

// refuseForeign looks into the header, before SQLite touches the file, for one that is not ours or from a later release.
func (s *Store) refuseForeign() error {
	f, err := os.Open(s.cfg.Path)
	if err != nil {
		return nil // opening it will tell
	}
	defer f.Close()
	var header [100]byte
	if n, _ := f.ReadAt(header[:], 0); n < len(header) || string(header[:16]) != "SQLite format 3\x00" {
		return nil // new or damaged
	}
	version, id := binary.BigEndian.Uint32(header[60:]), binary.BigEndian.Uint32(header[68:])
	if id == 0 && version == 0 && binary.BigEndian.Uint32(header[40:]) == 0 { // the schema cookie: never had a table
		return nil
	}
	return checkVersion(int64(id), int64(version))
}

func checkVersion(id, version int64) error {
	if id != applicationID {
		return fmt.Errorf("a database of another program (application id %#x), want one of skywatch's", id)
	}
	if latest := int64(len(migrations())); version > latest {
		return fmt.Errorf("written by a later release (format %d), want format %d at most", version, latest)
	}
	return nil
}

// quickCheckBytes is the size up to which the whole file is checked when it is opened. Larger ones are checked table by table without
// raw results and traces, where damage is noticed when it is read.
const quickCheckBytes = 8 << 20

func (s *Store) check() error {
	checks := []string{"PRAGMA quick_check(1)"}
	if s.pages*pageSize > quickCheckBytes {
		checks = nil
		for _, table := range []string{"meta", "series", "text", "span", "counters", "memory", "state", "transition", "delivery", "message"} {
			checks = append(checks, "PRAGMA quick_check("+table+")")
		}
	}
	for _, check := range checks {
		var verdict string
		if err := s.db.QueryRow(check).Scan(&verdict); err != nil {
			return err
		}
		if verdict != "ok" {
			return damage(verdict)
		}
	}
	return nil
}

// damage is what a check of the file found.
type damage string

func (d damage) Error() string { return "database is damaged: " + string(d) }

// load reads what the store keeps in memory of the file, and fits the file to a changed max_size.
func (s *Store) load() error {
	if err := s.loadTables(); err != nil {
		return err
	}
	if s.pages > s.geo.pages {
		return s.shrink()
	}
	return nil
}

func (s *Store) loadTables() (err error) {
	if s.results, err = s.resize("result", s.geo.slots); err != nil {
		return err
	}
	if s.requests, err = s.resize("request", s.geo.requestSlots); err != nil {
		return err
	}
	if err := s.makeView(); err != nil {
		return err
	}
	if s.folded, err = s.metaInt("folded", 0); err != nil {
		return err
	}
	if err := s.neverBack(); err != nil {
		return err
	}
	if s.catalog, err = s.loadCatalog(); err != nil {
		return err
	}
	if err := s.loadStateNames(); err != nil {
		return err
	}
	err = s.db.QueryRow(`SELECT coalesce((SELECT hour FROM span ORDER BY seq DESC LIMIT 1), -1), (SELECT coalesce(sum(cost), 0) FROM trace),
		(SELECT coalesce(max(id), 0) FROM trace), (`+outboxBytes+")").Scan(&s.hour, &s.traces, &s.traceID, &s.outbox)
	if err != nil {
		return err
	}
	return s.checkpoint()
}

// neverBack makes sure that sequences are not given twice when all results were removed for want of room.
func (s *Store) neverBack() error {
	var last int64
	if err := s.db.QueryRow("SELECT coalesce(max(seq), 0) FROM span").Scan(&last); err != nil {
		return err
	}
	s.results.next = max(s.results.next, s.folded, last)
	return nil
}

// OpenReadOnly opens the file for a command while no daemon runs. Its writing calls fail.
func OpenReadOnly(ctx context.Context, o Options) (*Store, error) {
	o.Registerer = nil
	s := New(o)
	s.readOnly = true
	s.err = errReadOnly
	if _, err := os.Stat(s.cfg.Path); err != nil {
		return nil, fmt.Errorf("opening history %q: %w, want the file of a daemon that has run", s.cfg.Path, bare(err))
	}
	if err := s.openToRead(ctx); err != nil {
		s.closeFile()
		return nil, s.explain("opening history", err)
	}
	return s, nil
}

func (s *Store) openToRead(ctx context.Context) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	if err := s.refuseForeign(); err != nil {
		return err
	}
	err := s.connect(modeRead)
	if s.failed(err, codeCantOpen, codeReadOnly, codeIO) && s.eng.size(s.cfg.Path+"-wal") == 0 {
		s.closeFile()
		err = s.connect(modeFrozen) // SQLite needs no file beside it then
	}
	if err != nil {
		return err
	}
	if err := s.refuseOlder(); err != nil {
		return err
	}
	for _, r := range []*ring{&s.results, &s.requests} {
		r.table = "result"
		if r == &s.requests {
			r.table = "request"
		}
		if r.slots, err = s.metaInt(r.table+"_slots", 0); err != nil {
			return err
		}
		if r.next, err = r.findNext(s.db); err != nil {
			return err
		}
	}
	s.folded, err = s.metaInt("folded", 0)
	return err
}

// refuseOlder refuses a file that has no column yet for what would be read.
func (s *Store) refuseOlder() error {
	var version int
	err := s.db.QueryRow("PRAGMA user_version").Scan(&version)
	if latest := len(migrations()); err == nil && version < latest {
		return fmt.Errorf("written by an earlier release (format %d), want format %d, which the daemon makes of it when it starts", version, latest)
	}
	return err
}

// closeFile ends the connection; the store can be opened again. It needs the turn.
func (s *Store) closeFile() {
	if s.db != nil {
		s.db.Close()
		s.db = nil
	}
}

// Close commits what waits and closes the file. It is for commands; Run does it for a daemon.
func (s *Store) Close() error {
	s.turn <- struct{}{}
	defer s.release()
	var err error
	if s.db != nil && !s.readOnly {
		err = s.explain("closing history", s.settle(s.finish()))
	}
	s.closeFile()
	s.dropLock()
	s.mu.Lock()
	s.err = errClosed
	s.mu.Unlock()
	return err
}

// finish writes all that waits.
func (s *Store) finish() error {
	if err := s.flushAll(true); err != nil {
		return err
	}
	if err := s.fold(); err != nil {
		return err
	}
	return s.checkpoint()
}

// stampTime is the form of a time in a file name.
func stampTime(t time.Time) string { return t.Format("20060102-150405") }
