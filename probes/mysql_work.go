// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomysql

package probes

import (
	"context"
	"crypto/rand"
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

// mysqlStep is a part of the transaction.
type mysqlStep struct{ phase, doing, statement string }

// transact writes three rows, reads them back and removes them: in a temporary table, which only this session sees, or in one that lasts,
// within a transaction that is rolled back. Rows of others are neither read nor changed.
func (p *MySQL) transact(ctx context.Context, m *mysqlTalk) error {
	table, token := "`skywatch_probe`", rand.Text() // which marks the rows of one probe
	before := mysqlStep{"create", "creating a temporary table", "CREATE TEMPORARY TABLE " + table + " (number INT NOT NULL PRIMARY KEY, token VARCHAR(64) NOT NULL)"}
	after := mysqlStep{"drop", "dropping the temporary table", "DROP TEMPORARY TABLE " + table}
	if p.Table != "" {
		table = "`" + strings.ReplaceAll(p.Table, ".", "`.`") + "`"
		before = mysqlStep{"begin", "beginning a transaction", "START TRANSACTION"}
		after = mysqlStep{"rollback", "rolling back the transaction", "ROLLBACK"}
	}
	if err := m.step(ctx, before); err != nil {
		return err
	}
	if err := m.insert(ctx, table, token); err != nil {
		return err
	}
	if err := m.readBack(ctx, table, token); err != nil {
		return err
	}
	if p.Table != "" {
		if err := m.delete(ctx, table, token); err != nil {
			return err
		}
	}
	return m.step(ctx, after)
}

func (m *mysqlTalk) step(ctx context.Context, s mysqlStep) error {
	_, err := m.exec(ctx, s.doing, s.statement)
	if err == nil {
		m.done(s.phase)
	}
	return err
}

// mysqlNumbers are those of the rows that the transaction writes.
var mysqlNumbers = []string{"1", "2", "3"}

func (m *mysqlTalk) insert(ctx context.Context, table, token string) error {
	for _, number := range mysqlNumbers {
		if _, err := m.exec(ctx, "inserting a row", "INSERT INTO "+table+" (number, token) VALUES ("+number+", '"+token+"')"); err != nil {
			return err
		}
	}
	m.done("insert")
	return nil
}

// readBack looks for exactly the rows that were written.
func (m *mysqlTalk) readBack(ctx context.Context, table, token string) error {
	result, err := m.query(ctx, "reading the rows back", "SELECT number, token FROM "+table+" WHERE token = '"+token+"' ORDER BY number")
	if err != nil {
		return err
	}
	var want, got []string
	for _, number := range mysqlNumbers {
		want = append(want, number+" "+token)
	}
	for _, row := range result.kept {
		if len(row) == 2 && row[0] != nil && row[1] != nil {
			got = append(got, *row[0]+" "+*row[1])
		}
	}
	if result.count != len(want) || !slices.Equal(got, want) {
		return probe.Failf(probe.ReasonResponse, "reading the rows back at %q: got %d rows %s, want the %d that were written: %q", m.server,
			result.count, m.r.Evidence(strings.Join(got, ", ")), len(want), strings.Join(want, ", "))
	}
	m.done("select")
	return nil
}

func (m *mysqlTalk) delete(ctx context.Context, table, token string) error {
	changed, err := m.exec(ctx, "deleting the rows", "DELETE FROM "+table+" WHERE token = '"+token+"'")
	if err != nil {
		return err
	}
	if changed != int64(len(mysqlNumbers)) {
		return probe.Failf(probe.ReasonResponse, "deleting the rows at %q: %d deleted, want %d", m.server, changed, len(mysqlNumbers))
	}
	m.done("delete")
	return nil
}
