// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// query runs f, which reads for people: pages, summaries. Readers wait in a line of their own, of which one at a time asks for the turn,
// so however many there are a commit has at most one query before it; and that one keeps the turn for half of patience at most.
func (s *Store) query(ctx context.Context, doing string, f func(querier) error) error {
	select {
	case s.readers <- struct{}{}:
	case <-ctx.Done():
		return s.busy(ctx)
	}
	defer func() { <-s.readers }() // after the turn was given back: who commits gets it first
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	ctx, cancel := context.WithTimeout(ctx, s.patience/2)
	defer cancel()
	return s.read(ctx, doing, f)
}

// consult runs f, which reads what the daemon itself cannot go on without. It does not stand in line with the readers of pages.
func (s *Store) consult(ctx context.Context, doing string, f func(querier) error) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	return s.read(ctx, doing, f)
}

// read runs f until ctx ends. A damaged file is dealt with as for writing. It needs the turn.
func (s *Store) read(ctx context.Context, doing string, f func(querier) error) error {
	err := s.usable()
	if err == nil {
		err = f(timed{ctx, s.db})
	}
	if errors.Is(err, sql.ErrNoRows) || err == nil {
		return err
	}
	s.settle(err)
	if ctx.Err() != nil {
		err = fmt.Errorf("not done yet, want less to read or more time: %w", ctx.Err())
	}
	return s.explain(doing, err)
}

// each calls scan for every row of a query.
func each(q querier, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := q.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// querier is what a database, one that is asked for a limited time, and a transaction have in common.
type querier interface {
	Query(query string, args ...any) (*sql.Rows, error)
	QueryRow(query string, args ...any) *sql.Row
}

// timed breaks off what runs when its context ends.
type timed struct {
	ctx context.Context // of one call of read, which made it
	db  *sql.DB
}

func (t timed) Query(query string, args ...any) (*sql.Rows, error) {
	return t.db.QueryContext(t.ctx, query, args...)
}

func (t timed) QueryRow(query string, args ...any) *sql.Row {
	return t.db.QueryRowContext(t.ctx, query, args...)
}
