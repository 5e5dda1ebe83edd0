// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"slices"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// scanStep is how many slots a query reads before it lets others have their turn.
const scanStep = 10_000

// Results gives the newest results of a check, what is not yet stored included.
func (s *Store) Results(ctx context.Context, check string, limit int) ([]record.Stored, error) {
	var ids []any
	var list []record.Stored
	marks := ""
	next := int64(0)
	err := s.query(ctx, "reading results from history", func(q querier) error {
		next, list = s.results.next, s.waitingResults(limit, func(p pending) bool { return p.check == check && check != "" })
		return each(q, "SELECT id FROM series WHERE name = ? AND name <> ''", []any{check}, func(rows *sql.Rows) error {
			var id int64
			defer func() { ids, marks = append(ids, id), marks+",?" }()
			return rows.Scan(&id)
		})
	})
	if err != nil || len(ids) == 0 {
		return list, err
	}
	return s.scanBack(ctx, &s.results, next, list, limit, "AND r.series IN ("+marks[1:]+")", ids)
}

// Recent gives the newest results of all checks and requests.
func (s *Store) Recent(ctx context.Context, limit int) ([]record.Stored, error) {
	var all []record.Stored
	for _, requests := range []bool{false, true} {
		var list []record.Stored
		of, next := &s.results, int64(0)
		if requests {
			of = &s.requests
		}
		err := s.query(ctx, "reading results from history", func(querier) error {
			next, list = of.next, s.waitingResults(limit, func(p pending) bool { return (p.check == "") == requests })
			return nil
		})
		if err == nil {
			list, err = s.scanBack(ctx, of, next, list, limit, "", nil)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	slices.SortStableFunc(all, func(a, b record.Stored) int { return b.At.Compare(a.At) })
	return all[:min(limit, len(all))], nil
}

func (s *Store) waitingResults(limit int, want func(pending) bool) []record.Stored {
	rows, _ := s.waiting(queueSize)
	var list []record.Stored
	for _, p := range slices.Backward(rows) {
		if len(list) >= limit {
			break
		}
		if want(p) {
			list = append(list, record.Stored{
				Check: p.check, Target: p.target, Module: p.module, Origin: p.origin, At: s.fromMilli(p.at), Attempts: p.attempts,
				Took: time.Duration(p.took) * time.Microsecond, Verdict: p.verdict, Reason: p.reason, Err: p.err, Trace: p.traceID,
			})
		}
	}
	return list
}

// scanBack appends the results of a ring before a sequence to a list, newest first, until there are limit of them.
func (s *Store) scanBack(ctx context.Context, of *ring, to int64, list []record.Stored, limit int, where string, args []any) ([]record.Stored, error) {
	for more := true; more && len(list) < limit; {
		err := s.query(ctx, "reading results from history", func(q querier) error {
			r := *of
			from := max(r.oldest(), to-scanStep)
			parts := r.ranges(from, to)
			slices.Reverse(parts)
			for _, part := range parts {
				found, err := s.readResults(q, r.table, where+" AND seq BETWEEN ? AND ? AND slot BETWEEN ? AND ? ORDER BY slot DESC LIMIT ?",
					append(slices.Clone(args), from, to-1, part.first, part.last, limit-len(list)))
				if err != nil {
					return err
				}
				list = append(list, found...)
			}
			to, more = from, from > r.oldest()
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (s *Store) readResults(q querier, table, where string, args []any) (list []record.Stored, err error) {
	err = each(q, `SELECT s.name, s.target, s.module, origin, at, took, attempts, verdict, reason, coalesce(t.text, ''),
		CASE WHEN r.trace >= (SELECT min(id) FROM trace) THEN r.trace ELSE 0 END
		FROM `+table+` r JOIN series s ON s.id = r.series LEFT JOIN text t ON t.id = r.text WHERE 1 `+where, args, func(rows *sql.Rows) error {
		var r record.Stored
		var at, took int64
		err := rows.Scan(&r.Check, &r.Target, &r.Module, &r.Origin, &at, &took, &r.Attempts, &r.Verdict, &r.Reason, &r.Err, &r.Trace)
		r.At, r.Took = s.fromMilli(at), time.Duration(took)*time.Microsecond
		list = append(list, r)
		return err
	})
	return list, err
}

// Transitions gives the newest transitions of a check, or of all checks for "", without their traces.
func (s *Store) Transitions(ctx context.Context, check string, limit int) (list []record.Transition, err error) {
	err = s.query(ctx, "reading transitions from history", func(q querier) (err error) {
		where, args := "WHERE name = ? ORDER BY id DESC LIMIT ?", []any{check, limit}
		if check == "" {
			where, args = "ORDER BY id DESC LIMIT ?", args[1:]
		}
		list, err = s.loadTransitions(q, where, args...)
		return err
	})
	return list, err
}

// ErrNoTrace is what Trace gives for an id that was never given or whose trace is no longer kept. It is an fs.ErrNotExist.
var ErrNoTrace error = noTrace{}

type noTrace struct{}

func (noTrace) Error() string { return "not kept, want one that has not made room for newer ones" }
func (noTrace) Unwrap() error { return fs.ErrNotExist }

// Trace gives the text of a stored trace.
func (s *Store) Trace(ctx context.Context, id int64) (text string, err error) {
	err = s.query(ctx, "asking history", func(q querier) error {
		var body []byte
		err := q.QueryRow("SELECT body FROM trace WHERE id = ?", id).Scan(&body)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNoTrace
		}
		if err == nil {
			text, err = unpack(body)
		}
		return err
	})
	return text, err
}

// Outages gives the incidents that overlap a span of time, newest first.
func (s *Store) Outages(ctx context.Context, from, to time.Time, limit int) (list []record.Outage, err error) {
	err = s.query(ctx, "reading outages from history", func(q querier) error {
		return each(q, outagesQuery, []any{int64(record.Down), toNano(to), toNano(from), limit}, func(rows *sql.Rows) error {
			var o record.Outage
			var began, ended int64
			err := rows.Scan(&o.Check, &began, &ended, &o.Reason, &o.Err, &o.Trace)
			o.From, o.To = s.fromNano(began), s.fromNano(ended)
			list = append(list, o)
			return err
		})
	})
	return list, err
}

// outagesQuery says incident <> 0 so that SQLite takes the index that has no others.
const outagesQuery = `SELECT t.name, t.at, coalesce(e.at, 0), t.reason, t.err, CASE WHEN t.trace >= (SELECT min(id) FROM trace) THEN t.trace ELSE 0 END
	FROM transition t LEFT JOIN transition e ON e.id = (SELECT id FROM transition WHERE incident = t.id AND incident <> 0 AND id > t.id
		AND to_state <> ?1 ORDER BY id LIMIT 1)
	WHERE t.incident = t.id AND t.to_state = ?1 AND t.at < ?2 AND (e.at IS NULL OR e.at > ?3) ORDER BY t.id DESC LIMIT ?4`

// Tallies counts the results that began in [from, to) by check, what is not yet stored included.
func (s *Store) Tallies(ctx context.Context, from, to time.Time) ([]record.Tally, error) {
	t := &tallying{from: from.UnixMilli(), to: to.UnixMilli(), byCheck: map[string]*record.Tally{}}
	if err := s.tally(ctx, t); err != nil {
		return nil, err
	}
	list := make([]record.Tally, 0, len(t.byCheck))
	for _, sum := range t.byCheck {
		if sum.Up > 0 {
			sum.TookMean /= time.Duration(sum.Up)
		}
		list = append(list, *sum)
	}
	slices.SortFunc(list, func(a, b record.Tally) int { return cmp.Compare(a.Check, b.Check) })
	return list, nil
}

// tallying sums up; TookMean holds the sum until the end.
type tallying struct {
	from, to int64
	byCheck  map[string]*record.Tally
}

func (t *tallying) add(check string, v probe.Verdict, n, attempts, took, longest int64) {
	sum := t.byCheck[check]
	if sum == nil {
		sum = &record.Tally{Check: check}
		t.byCheck[check] = sum
	}
	sum.Attempts += uint64(attempts)
	switch v {
	case probe.Up:
		sum.Up += uint64(n)
		sum.TookMean += time.Duration(took) * time.Microsecond
		sum.TookMax = max(sum.TookMax, time.Duration(longest)*time.Microsecond)
	case probe.Down:
		sum.Down += uint64(n)
	case probe.Inconclusive:
		sum.Inconclusive += uint64(n)
	}
}
