// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomysql

package probes

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"skywatch/internal/probe"
)

// The bounds of a result.
const (
	mysqlRowsMax  = 10000 // rows that are counted
	mysqlRowsKept = 4     // rows whose values are looked at
)

// mysqlRows is a result: all of its columns, and the values of its first rows. A nil value is NULL.
type mysqlRows struct {
	columns []string
	kept    [][]*string
	count   int
}

func (m *mysqlTalk) ping(ctx context.Context) error {
	err := m.ask("pinging", func() error { return m.session.(driver.Pinger).Ping(ctx) })
	if err == nil {
		m.done("ping")
	}
	return err
}

// exec runs a statement and gives the number of rows it changed.
func (m *mysqlTalk) exec(ctx context.Context, doing, statement string) (changed int64, err error) {
	m.r.Log.Debug("statement", "text", statement)
	err = m.ask(doing, func() error {
		result, err := m.session.(driver.ExecerContext).ExecContext(ctx, statement, nil)
		if err == nil {
			changed, err = result.RowsAffected()
		}
		return err
	})
	return changed, err
}

// query runs a statement and reads its rows.
func (m *mysqlTalk) query(ctx context.Context, doing, statement string) (result mysqlRows, err error) {
	m.r.Log.Debug("statement", "text", statement)
	err = m.ask(doing, func() error {
		rows, err := m.session.(driver.QueryerContext).QueryContext(ctx, statement, nil)
		if err != nil {
			return err
		}
		result.columns = slices.Clone(rows.Columns())
		if err := result.read(rows); err != nil || len(result.columns) == 0 || m.ended() {
			return err
		}
		return mysql.ErrMalformPkt
	})
	return result, err
}

var errMySQLRows = fmt.Errorf("got more than %d rows, want fewer", mysqlRowsMax)

// read takes the rows. One of them is in memory at a time, besides those kept.
func (q *mysqlRows) read(rows driver.Rows) error {
	values := make([]driver.Value, len(q.columns))
	for {
		err := rows.Next(values)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if q.count++; q.count > mysqlRowsMax {
			return errMySQLRows
		}
		if len(q.kept) == mysqlRowsKept {
			continue
		}
		texts := make([]*string, len(values))
		for i, value := range values {
			texts[i] = mysqlText(value)
		}
		q.kept = append(q.kept, texts)
	}
}

// mysqlText gives a value as text; nil = NULL. The driver uses the bytes of the value again.
func mysqlText(value driver.Value) *string {
	var text string
	switch v := value.(type) {
	case nil:
		return nil
	case []byte:
		text = string(v)
	case float32:
		text = strconv.FormatFloat(float64(v), 'g', -1, 32)
	default:
		text = fmt.Sprint(v)
	}
	return &text
}

// judgeQuery runs the module's query and judges the value of the chosen column in the first row.
func (p *MySQL) judgeQuery(ctx context.Context, m *mysqlTalk) error {
	result, err := m.query(ctx, "querying", p.Query)
	if err != nil {
		return err
	}
	m.done("query")
	m.r.Set(descMySQLRows, float64(result.count))
	column, err := p.chosen(m, result)
	if err != nil {
		return err
	}
	if result.count == 0 {
		return probe.Failf(probe.ReasonResponse, "querying at %q: got no rows, want at least one", m.server)
	}
	name, value := result.columns[column], result.kept[0][column]
	if value == nil {
		return probe.Failf(probe.ReasonResponse, "querying at %q: column %s of the first row is NULL, want a value", m.server, m.r.Evidence(name))
	}
	m.r.Log.Debug("value", "column", name, "value", m.r.Evidence(*value), "rows", result.count)
	number, err := strconv.ParseFloat(*value, 64)
	numeric := err == nil && !math.IsNaN(number) && !math.IsInf(number, 0)
	if numeric {
		m.r.Set(descMySQLValue, number)
	}
	want := "a number"
	if p.Expect != nil {
		want = fmt.Sprintf("a match of %q", p.Expect)
	}
	if p.Expect == nil && !numeric || p.Expect != nil && !p.Expect.MatchString(*value) {
		return probe.Failf(probe.ReasonResponse, "querying at %q: column %s of the first row is %s, want %s", m.server, m.r.Evidence(name), m.r.Evidence(*value), want)
	}
	return nil
}

// chosen finds the column whose value counts.
func (p *MySQL) chosen(m *mysqlTalk, result mysqlRows) (int, error) {
	if len(result.columns) == 0 {
		return 0, probe.Failf(probe.ReasonResponse, "querying at %q: got an answer without columns, want rows", m.server)
	}
	if p.Column == "" {
		return 0, nil
	}
	i := slices.IndexFunc(result.columns, func(name string) bool { return strings.EqualFold(name, p.Column) })
	if i < 0 {
		return 0, probe.Failf(probe.ReasonResponse, "querying at %q: got the columns %s, want %q among them", m.server,
			m.r.Evidence(strings.Join(result.columns, ", ")), p.Column)
	}
	return i, nil
}
