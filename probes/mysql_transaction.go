// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomysql

package probes

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"

	"skywatch/internal/probe"
)

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
	if err := m.writeAndRead(ctx, table, token, p.Table != ""); err != nil {
		return err
	}
	return m.step(ctx, after)
}

// writeAndRead does the work between the two ends of the transaction. Rows in a lasting table are deleted also when something goes wrong:
// an engine without transactions would keep them.
func (m *mysqlTalk) writeAndRead(ctx context.Context, table, token string, lasting bool) error {
	err := m.insert(ctx, table, token)
	if err == nil {
		err = m.readBack(ctx, table, token)
	}
	switch {
	case !lasting:
		return err
	case err == nil:
		return m.delete(ctx, table, token)
	case m.err == nil:
		left, failed := m.remove(ctx, table, token)
		m.r.Log.Debug("deleted what was written", "rows", left, "err", failed)
	}
	return err // the end of the connection rolls back
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
	changed, err := m.remove(ctx, table, token)
	if err != nil {
		return err
	}
	if changed != int64(len(mysqlNumbers)) {
		return probe.Failf(probe.ReasonResponse, "deleting the rows at %q: %d deleted, want %d", m.server, changed, len(mysqlNumbers))
	}
	m.done("delete")
	return nil
}

// remove deletes the rows of this probe, and gives their number.
func (m *mysqlTalk) remove(ctx context.Context, table, token string) (int64, error) {
	return m.exec(ctx, "deleting the rows", "DELETE FROM "+table+" WHERE token = '"+token+"'")
}
