// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomysql

package probes

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"skywatch/internal/probe"
)

// The modes of the mysql prober.
const (
	mysqlPing        = "ping"        // log in, and ask whether the server is there
	mysqlQuery       = "query"       // judge the first row of a query
	mysqlTransaction = "transaction" // write rows, read them back, remove them
)

var (
	descMySQLPhase = phaseDesc("mysql", "resolve, connect, greeting, tls, auth, then ping, or query, or create, insert, select and drop, "+
		"or with a table begin, insert, select, delete and rollback")
	descMySQLVersion = &probe.Desc{Name: "probe_mysql_version_info", Labels: []string{"version"}, Help: "The version that the server tells."}
	descMySQLValue   = &probe.Desc{Name: "probe_mysql_query_value", Help: "The number in the chosen column of the query's first row."}
	descMySQLRows    = &probe.Desc{Name: "probe_mysql_query_rows", Help: "Number of rows that the query gave."}
)

func init() {
	register("mysql", newMySQL, slices.Concat(serviceDescs, []*probe.Desc{descMySQLPhase, descMySQLVersion, descMySQLValue, descMySQLRows})...)
}

// MySQL logs in to a server that speaks MySQL's protocol (MySQL, MariaDB) and works there. TLS begins within the protocol, after the
// server's greeting, so that `tls: starttls` and `tls: tls` mean the same: without TLS the probe fails.
type MySQL struct {
	ServiceConfig   `yaml:",inline"`
	Mode            string  `yaml:"mode"`                      // mysqlPing, mysqlQuery or mysqlTransaction
	Database        string  `yaml:"database,omitempty"`        // to work in; "" = none
	Table           string  `yaml:"table,omitempty"`           // a lasting table for the transaction; "" = a temporary one
	Query           string  `yaml:"query,omitempty"`           // one statement that gives rows
	Column          string  `yaml:"column,omitempty"`          // whose value counts; "" = the first
	Expect          *Regexp `yaml:"expect,omitempty"`          // what the value must match; nil = it must be a number
	CleartextLogins bool    `yaml:"allow_cleartext_passwords"` // whether a server may ask for the password itself, if the way is TLS
}

func newMySQL(o Options) probe.Prober {
	p := &MySQL{ServiceConfig: newServiceConfig(o, 3306, 3306), Mode: mysqlTransaction}
	p.ready.within, p.ready.blank = true, true // MySQL has accounts without password
	return p
}

// tableName is a table that needs no thought about quoting, in a database or not.
var tableName = regexp.MustCompile(`^[0-9A-Za-z$_]{1,64}(\.[0-9A-Za-z$_]{1,64})?$`)

// Validate checks the module.
func (p *MySQL) Validate() error {
	if err := p.validate(); err != nil {
		return err
	}
	if p.CleartextLogins && p.TLS == tlsNone {
		return errors.New("allow_cleartext_passwords: given with tls: none, want TLS")
	}
	switch p.Mode {
	case mysqlPing:
		return errors.Join(p.without("table", p.Table), p.withoutQuery())
	case mysqlQuery:
		if p.Query == "" {
			return errors.New("query: missing, want a statement for mode query")
		}
		return p.without("table", p.Table)
	case mysqlTransaction:
		return errors.Join(p.withoutQuery(), p.validateTable())
	}
	return fmt.Errorf("mode: found %q, want %s, %s or %s", p.Mode, mysqlPing, mysqlQuery, mysqlTransaction)
}

func (p *MySQL) validateTable() error {
	switch {
	case p.Table == "" && p.Database == "":
		return errors.New("database: missing, want one for the temporary table of mode transaction")
	case p.Table != "" && !tableName.MatchString(p.Table):
		return fmt.Errorf("table: found %q, want letters, digits, $ and _, and at most one dot after the name of a database", p.Table)
	}
	return nil
}

// withoutQuery refuses the keys that only mode query has.
func (p *MySQL) withoutQuery() error {
	expect := ""
	if p.Expect != nil {
		expect = "given"
	}
	return errors.Join(p.without("query", p.Query), p.without("column", p.Column), p.without("expect", expect))
}

// without refuses a key that the mode does not have.
func (p *MySQL) without(key, value string) error {
	if value == "" {
		return nil
	}
	return fmt.Errorf("%s: has no meaning with mode %s, want it left out", key, p.Mode)
}

// Probe succeeds when the login and the work do.
func (p *MySQL) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	if !p.wanted(t) {
		return probe.Failf(probe.ReasonConfig, "probing %q: no account to log in with, want username or credential", t)
	}
	return p.ready.dialer.each(ctx, r, func(ctx context.Context, r *probe.Recorder) error { return p.attempt(ctx, t, r) })
}

// attempt probes one address.
func (p *MySQL) attempt(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	l, err := p.open(ctx, t, descMySQLPhase, 0, r)
	if err != nil {
		return err
	}
	defer l.close()
	return p.work(ctx, l)
}

// work holds the conversation on an open link.
func (p *MySQL) work(ctx context.Context, l *link) error {
	wire, err := p.greet(ctx, l)
	if err != nil {
		return err
	}
	// The connection has the deadline and is closed when the probe is cancelled, so the driver need not watch for that as well.
	ctx = context.WithoutCancel(ctx)
	m, err := p.logIn(ctx, wire)
	if err != nil {
		return err
	}
	defer m.close()
	switch p.Mode {
	case mysqlPing:
		return m.ping(ctx)
	case mysqlQuery:
		return p.judgeQuery(ctx, m)
	}
	return p.transact(ctx, m)
}
