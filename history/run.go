// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"fmt"
	"time"

	"skywatch/internal/probe"
)

// endTime is how long the end of the process waits for the disk.
const endTime = 10 * time.Second

// The pace of attempts to make the store take writes again.
const (
	retryMin = time.Second
	retryMax = 30 * time.Second
)

// Run commits what waits every flush_interval, and earlier when much does; it opens the file when that has not succeeded yet or must be
// done again. When ctx ends it commits all that waits, closes the file and gives up the lock; a disk that does not answer is given up
// after endTime, and what waits is lost then.
func (s *Store) Run(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(endTime)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		return s.unstored()
	}
}

// unstored says what is lost with a disk that does not answer.
func (s *Store) unstored() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Errorf("closing history %q: no answer from the disk within %s, %s and %s not stored, want a working disk",
		s.cfg.Path, endTime, probe.Count(len(s.queue.rows), "result"), probe.Count(len(s.kept), "state"))
}

func (s *Store) run(ctx context.Context) error {
	interval := time.Duration(s.cfg.FlushInterval)
	timer := time.NewTimer(s.pause(0, interval))
	defer timer.Stop()
	retry := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			s.reopen(context.WithoutCancel(ctx)) // a last try to store what waits; the store has said why it refuses
			return s.Close()
		case <-s.wake:
		case <-timer.C:
		}
		if err := s.flush(ctx); err != nil {
			retry = min(max(2*retry, retryMin), retryMax)
		} else {
			retry = 0
		}
		timer.Reset(s.pause(retry, interval))
	}
}

// pause is the time until the next flush: a store that refuses is tried sooner.
func (s *Store) pause(retry, interval time.Duration) time.Duration {
	if retry == 0 && s.Err() != nil {
		return retryMin
	}
	if retry > 0 {
		return retry
	}
	return interval
}

// flush commits all that waits, letting others have their turn between commits.
func (s *Store) flush(ctx context.Context) error {
	if err := s.reopen(ctx); err != nil {
		return err
	}
	for more := true; more && ctx.Err() == nil; {
		err := s.attend(context.WithoutCancel(ctx), "storing results in history", func() (err error) {
			if err := s.usable(); err != nil {
				return err
			}
			more, err = s.step()
			return err
		})
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// step does the next part of a flush.
func (s *Store) step() (more bool, err error) {
	if s.renamesWait() {
		if err := s.adopt(); err != nil {
			return false, err
		}
	}
	if more, err = s.flushOne(); more || err != nil {
		return more, err
	}
	if s.foldDue {
		return true, s.foldStep()
	}
	return false, s.writeStates(false)
}

// reopen opens the file where it is closed.
func (s *Store) reopen(ctx context.Context) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	if s.db != nil {
		return nil
	}
	return s.open()
}
