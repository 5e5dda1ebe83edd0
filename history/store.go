// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"skywatch/internal/record"
)

const (
	busyTimeout = 300 * time.Millisecond // SQLite waits this long for another process
	patience    = time.Second            // a writing call waits this long in all
)

// Options are what a Store needs. The zero values of all but Config work.
type Options struct {
	Config     Config
	Now        func() time.Time      // nil = time.Now
	Location   *time.Location        // of what is given back; nil = local
	Log        *slog.Logger          // nil = none
	Registerer prometheus.Registerer // nil = no metrics

	// Past is given the counters of earlier processes once, when the file is opened for the first time, be it late. It must not call
	// the store. nil = nobody asks.
	Past func([]record.Counters)
}

// Store is the history. It is safe for concurrent use. While it refuses writes every call fails fast, and Run tries again.
type Store struct {
	cfg      Config
	now      func() time.Time
	loc      *time.Location
	log      *slog.Logger
	geo      geometry
	eng      engine
	readOnly bool
	patience time.Duration
	metrics  *metrics
	packer   packer
	past     func([]record.Counters) // nil once it was called
	seed     maphash.Seed

	readers chan struct{} // one token: of those who read for people, who holds it may ask for the turn

	turn chan struct{} // one token: who holds it may use what follows
	db   *sql.DB       // nil while closed
	lock *os.File
	file // what is known of the open file

	mu      sync.Mutex // guards what follows
	err     error      // why the store refuses writes
	queue   queue
	last    map[string]lastResult
	kept    map[string]record.CheckState // to be written with a later flush
	renames map[string]string            // former names to present ones, to be stored
	wake    chan struct{}                // tells Run that many results wait
	warned  bool                         // that there are too many series
}

// file is the store's picture of the open file, read when it is opened.
type file struct {
	results  ring
	requests ring
	catalog  catalog
	hour     int64             // of the running span; -1 = none
	folded   int64             // results below this sequence are in the counters
	foldDue  bool              // an hour has ended
	folding  *folding          // under way; nil = none
	traces   int64             // bytes of the stored traces
	traceID  int64             // of the newest trace
	outbox   int64             // bytes of transitions and messages
	states   map[string]uint64 // hash of what was last written of a state; 0 = written by an earlier process
	stateLen int64             // bytes of the states, about
	statesAt time.Time         // when all states were last written
	fault    error             // of what followed a commit; settle deals with it
	limit    int64             // pages the file may have now: more than geometry says while it is too large at its start
	walSize  int64             // after the last commit
	pages    int64
	free     int64
}

var (
	errNotOpen  = errors.New("not open yet, want to be asked later")
	errReadOnly = errors.New("opened for reading only, want no change")
	errClosed   = errors.New("closed, want no more calls")
	errBlocked  = errors.New("another process reads in it and keeps the write-ahead log from being emptied, want it to end")
	errNoRoom   = errors.New("no room left within max_size, want a larger one")
)

// New makes a store that is not open. It never fails and touches no file.
func New(o Options) *Store { return newStore(o, newEngine()) }

func newStore(o Options, eng engine) *Store {
	s := &Store{
		cfg: o.Config, now: o.Now, loc: o.Location, log: o.Log, geo: newGeometry(o.Config), eng: eng, patience: patience,
		readers: make(chan struct{}, 1), turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), err: errNotOpen, past: o.Past, seed: maphash.MakeSeed(),
		last: map[string]lastResult{}, kept: map[string]record.CheckState{}, renames: map[string]string{},
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.loc == nil {
		s.loc = time.Local
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.metrics = newMetrics(o.Registerer, s.Err)
	return s
}

// Err tells why the store refuses writes; nil when it takes them.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *Store) setErr(err error) {
	s.mu.Lock()
	was := s.err
	s.err = err
	s.mu.Unlock()
	switch {
	case err != nil && (was == nil || was == errNotOpen):
		s.log.Error("history refuses writes, working from memory", "err", err)
	case err == nil && was != nil && was != errNotOpen:
		s.log.Info("history takes writes again", "path", s.cfg.Path)
	}
}

// acquire waits for the turn.
func (s *Store) acquire(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return s.busy(ctx)
	}
}

func (s *Store) busy(ctx context.Context) error {
	return fmt.Errorf("using history %q: busy with another call, want an answer in time: %w", s.cfg.Path, ctx.Err())
}

func (s *Store) release() { <-s.turn }

// commit runs a writing call while holding the turn. It returns within patience whatever the disk does; a call that outlasts it keeps
// the turn until it ends, which Run waits for when it closes the store, though not for ever, and its outcome is not known to the caller.
func (s *Store) commit(ctx context.Context, doing string, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	return s.attend(ctx, doing, f)
}

// attend is commit for as long as ctx allows.
func (s *Store) attend(ctx context.Context, doing string, f func() error) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		defer s.release()
		done <- s.explain(doing, s.settle(f()))
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s %q: no answer from the disk, want one in time: %w", doing, s.cfg.Path, ctx.Err())
	}
}

// settle draws the consequences of a failure: a damaged file is set aside, one that cannot be worked with is closed. It needs the turn.
func (s *Store) settle(err error) error {
	cause := err
	if cause == nil {
		cause = s.fault
	}
	s.fault = nil
	s.consider(cause)
	return err
}

func (s *Store) consider(err error) {
	switch {
	case err == nil || s.readOnly:
	case s.failed(err, codeCorrupt, codeNotADB):
		s.setErr(s.explain("writing history", err))
		s.replaceDamaged(err)
	case s.failed(err, codeIO, codeReadOnly, codeCantOpen, codeProtocol):
		s.setErr(s.explain("writing history", err))
		s.closeFile()
	case s.failed(err, codeFull, codeBusy, codeLocked) || errors.Is(err, errBlocked) || errors.Is(err, errNoRoom):
		s.setErr(s.explain("writing history", err))
	}
}

// usable tells why no call can be made; nil = one can.
func (s *Store) usable() error {
	if s.db != nil {
		return nil
	}
	if err := s.Err(); err != nil {
		return err
	}
	return errClosed
}
