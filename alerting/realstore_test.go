// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"skywatch/history"
	"skywatch/internal/record"
)

// realJournal is the store of package history with faults around its calls. What it commits is mirrored to the disk that stage checks.
type realJournal struct {
	store  *history.Store
	mirror *journal
	fault  func(call string) (before, after error)
}

func (j realJournal) do(call string, commits ...func() error) error {
	before, after := j.fault(call)
	if before != nil {
		return before
	}
	for _, commit := range commits {
		if err := commit(); err != nil {
			return err
		}
	}
	return after
}

func (j realJournal) Load(ctx context.Context) (saved record.Saved, err error) {
	err = j.do("load", func() (err error) {
		saved, err = j.store.Load(ctx)
		return err
	})
	return saved, err
}

func (j realJournal) Record(ctx context.Context, states []record.CheckState, ts []record.Transition, ds []record.Delivery) error {
	return j.do("record",
		func() error { return j.store.Record(ctx, states, ts, ds) }, func() error { return j.mirror.Record(ctx, states, ts, ds) })
}

func (j realJournal) Seal(ctx context.Context, m record.Message, supersedes []int64) error {
	return j.do("seal", func() error { return j.store.Seal(ctx, m, supersedes) }, func() error { return j.mirror.Seal(ctx, m, supersedes) })
}

func (j realJournal) Mark(ctx context.Context, m record.Message) error {
	return j.do("mark", func() error { return j.store.Mark(ctx, m) }, func() error { return j.mirror.Mark(ctx, m) })
}

func (j realJournal) Keep(states []record.CheckState) {
	if before, _ := j.fault("keep"); before == nil {
		j.store.Keep(states)
	}
}

// onStore makes the processes of a stage use one file, each opening it anew.
func (s *stage) onStore(dir string) {
	s.open = func(p *process) (Journal, func()) {
		config := history.DefaultConfig()
		config.Path = filepath.Join(dir, "ring.db")
		store := history.New(history.Options{Config: config})
		if err := store.Open(context.Background()); err != nil {
			s.t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { store.Run(ctx) })
		return realJournal{store, &journal{disk: s.disk}, p.atCall}, func() {
			cancel()
			running.Wait()
		}
	}
}

// TestEveryFaultPointOnTheRealStore is TestEveryFaultPoint with the ring in place of the journal in memory.
func TestEveryFaultPointOnTheRealStore(t *testing.T) {
	calls, replies := 0, 0
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.onStore(dir)
		calls, replies = s.play()
		s.check()
	})
	for _, f := range points(calls, replies) {
		dir := t.TempDir()
		t.Run(f.name, func(t *testing.T) {
			t.Parallel() // most of the time goes to waiting for the disk
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, f)
				s.onStore(dir)
				s.play()
				s.check()
			})
		})
	}
}
