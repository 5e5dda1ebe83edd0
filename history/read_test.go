// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skywatch/internal/record"
)

// However many read without pause, a commit that asks for the turn has one query before it.
func TestCommitsPassReaders(t *testing.T) {
	o := testOptions(t, newTestClock())
	synctest.Test(t, func(t *testing.T) {
		s := newStore(o, newDisk(t).engine())
		must(t, s.Open(t.Context()))
		defer s.Close()
		var turns []string // written with the turn
		ctx, cancel := context.WithCancel(t.Context())
		goOn := make(chan struct{})
		var readers sync.WaitGroup
		for range 80 {
			readers.Go(func() {
				for ctx.Err() == nil {
					s.query(ctx, "reading", func(querier) error {
						turns = append(turns, "query")
						<-goOn
						return nil
					})
				}
			})
		}
		for range 20 {
			synctest.Wait() // a query has the turn, 79 wait
			turns = nil
			committed := make(chan error)
			go func() {
				committed <- s.commit(t.Context(), "writing", func() error {
					turns = append(turns, "commit")
					return nil
				})
			}()
			synctest.Wait()
			goOn <- struct{}{}
			must(t, <-committed)
			synctest.Wait()
			if want := []string{"commit", "query"}; !slices.Equal(turns, want) {
				t.Errorf("behind the query that had the turn came %v, want %v", turns, want)
			}
		}
		cancel()
		close(goOn)
		readers.Wait()
	})
}

const endless = "WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

// A query ends with its context, or when it has kept the turn for long, whatever it asks for; the store goes on.
func TestQueriesAreBrokenOff(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	ask := func(ctx context.Context) error {
		return s.query(ctx, "reading history", func(q querier) error {
			return each(q, endless, nil, func(*sql.Rows) error { return nil })
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	for range 2 { // the second time it is over before it begins
		if err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("asking for a millisecond: %v", err)
		}
	}
	s.patience = time.Millisecond
	want := `reading history "` + s.cfg.Path + `": not done yet, want less to read or more time: `
	if err := ask(t.Context()); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("asking for ever: %v, want %s...", err, want)
	}
	s.patience = time.Minute
	must(t, recordFall(s, 1, clock.Now(), ""))
	if list, err := s.Transitions(t.Context(), "", 10); err != nil || len(list) != 1 {
		t.Errorf("%d transitions, %v, want 1", len(list), err)
	}
}

// Both ends of an outage are found by the index, however many transitions there are.
func TestOutagesUseTheIndex(t *testing.T) {
	s := openStore(t, testOptions(t, newTestClock()))
	var plan []string
	err := each(s.db, "EXPLAIN QUERY PLAN "+outagesQuery, []any{int64(record.Down), int64(1), int64(0), 10}, func(rows *sql.Rows) error {
		var id, parent, unused int
		var step string
		defer func() { plan = append(plan, step) }()
		return rows.Scan(&id, &parent, &unused, &step)
	})
	must(t, err)
	if text := strings.Join(plan, "\n"); !strings.Contains(text, "transition_incident (incident=? AND rowid>?)") || strings.Contains(text, "TEMP B-TREE") {
		t.Errorf("plan:\n%s", text)
	}
}
