// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"database/sql"

	"skywatch/internal/probe"
)

// tally sums up the stored results, span by span, in steps that let others have their turn.
func (s *Store) tally(ctx context.Context, t *tallying) error {
	var parts [][2]int64
	err := s.query(ctx, "counting results in history", func(q querier) (err error) {
		t.addWaiting(s.waiting(queueSize))
		parts, err = s.spansOf(q, t.from, t.to)
		return err
	})
	if err != nil {
		return err
	}
	for _, part := range parts {
		for from := part[0]; from < part[1]; from += scanStep {
			to := min(part[1], from+scanStep)
			err := s.query(ctx, "counting results in history", func(q querier) error { return s.tallyStep(q, t, from, to) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tallying) addWaiting(rows []pending, _ uint64) {
	for _, p := range rows {
		if p.check != "" && p.at >= t.from && p.at < t.to {
			t.add(p.check, p.verdict, 1, int64(p.attempts), p.took, p.took)
		}
	}
}

// spansOf gives the ranges of sequences that may hold results that began in [from, to).
func (s *Store) spansOf(q querier, from, to int64) (parts [][2]int64, err error) {
	err = each(q, `SELECT seq, coalesce(next, ?1), low IS NULL OR (low < ?2 AND high >= ?3) FROM (SELECT seq, low, high, lead(seq) OVER (ORDER BY seq) AS next
		FROM span)`, []any{s.results.next, to, from}, func(rows *sql.Rows) error {
		var part [2]int64
		var wanted bool
		if err := rows.Scan(&part[0], &part[1], &wanted); err != nil {
			return err
		}
		part[0] = max(part[0], s.results.oldest())
		if wanted && part[0] < part[1] {
			parts = append(parts, part)
		}
		return nil
	})
	return parts, err
}

func (s *Store) tallyStep(q querier, t *tallying, from, to int64) error {
	for _, part := range s.results.ranges(from, to) {
		err := each(q, `SELECT s.name, r.verdict, r.n, r.attempts, r.took, r.longest FROM (
				SELECT series, verdict, count(*) AS n, sum(attempts) AS attempts, sum(took) AS took, max(took) AS longest FROM result
				WHERE slot BETWEEN ? AND ? AND seq >= ? AND seq < ? AND at >= ? AND at < ? GROUP BY series, verdict) r
			JOIN series s ON s.id = r.series`, []any{part.first, part.last, from, to, t.from, t.to}, func(rows *sql.Rows) error {
			var check string
			var verdict probe.Verdict
			var n, attempts, took, longest int64
			if err := rows.Scan(&check, &verdict, &n, &attempts, &took, &longest); err != nil {
				return err
			}
			t.add(check, verdict, n, attempts, took, longest)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
