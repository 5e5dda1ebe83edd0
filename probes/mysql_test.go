// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomysql

package probes

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

var _ = enroll("mysql", subject{
	section: `{tls: none, username: watch, password: secret-pw, database: app}`,
	healthy: func(t testing.TB) string { return probetest.Serve(t, mysqlLets(mysqlWorks(nil))...).Addr },
	presence: map[situation]string{
		healthy:  tcpDialMetrics + " probe_mysql_duration_seconds probe_mysql_version_info",
		refused:  tcpDialMetrics + " probe_mysql_duration_seconds",
		unsolved: tcpDialMetrics,
		silent:   tcpDialMetrics + " probe_mysql_duration_seconds",
		early:    tcpDialMetrics + " probe_mysql_duration_seconds",
	},
	echo: func(text string) []probetest.Step {
		return []probetest.Step{mysqlGreets(mysqlPlainOffer), mysqlAnswers(1, mysqlFail(1045, "28000", "no "+text+" here"))}
	},
})

// probeMySQL makes a probe of a scripted server; the section is without braces.
func probeMySQL(t *testing.T, section string, script ...probetest.Step) probe.Result {
	t.Helper()
	m := testModule(t, Options{}, "mysql", "{username: watch, password: secret-pw, "+section+"}")
	server := probetest.Serve(t, script...)
	return runProbe(t, t.Context(), m, strings.Replace(server.Addr, "127.0.0.1", "localhost", 1), long)
}

// TestMySQLConfig gives modules that make no sense.
func TestMySQLConfig(t *testing.T) {
	for section, want := range map[string]string{
		`{mode: look}`:                   `mode: found "look", want ping, query or transaction`,
		`{}`:                             `database: missing, want one for the temporary table of mode transaction`,
		`{table: "a;b"}`:                 `table: found "a;b", want letters, digits, $ and _, and at most one dot after the name of a database`,
		`{table: "a.b.c"}`:               `table: found "a.b.c", want letters, digits, $ and _, and at most one dot after the name of a database`,
		`{mode: query}`:                  `query: missing, want a statement for mode query`,
		`{mode: ping, table: t}`:         `table: has no meaning with mode ping, want it left out`,
		`{mode: ping, query: SELECT 1}`:  `query: has no meaning with mode ping, want it left out`,
		`{database: d, column: c}`:       `column: has no meaning with mode transaction, want it left out`,
		`{database: d, expect: x}`:       `expect: has no meaning with mode transaction, want it left out`,
		`{mode: ping, tls: maybe}`:       `tls: found "maybe", want none, starttls or tls`,
		`{mode: ping, password: x}`:      `password without username, want both`,
		`{mode: ping, credential: none}`: `credential: "none" is not configured, want it under credentials`,
		`{mode: ping, tls: none, allow_cleartext_passwords: true}`: `allow_cleartext_passwords: given with tls: none, want TLS`,
	} {
		_, err := buildModules(t, Options{}, "modules: {m: {prober: mysql, mysql: "+section+"}}")
		if want = `module "m": line 1: mysql: ` + want; err == nil || err.Error() != want {
			t.Errorf("%s gives %v, want %s", section, err, want)
		}
	}
}

// TestMySQLNeedsAnAccount: nobody is no user.
func TestMySQLNeedsAnAccount(t *testing.T) {
	res := runProbe(t, t.Context(), testModule(t, Options{}, "mysql", "{mode: ping}"), "127.0.0.1:1", long)
	if want := `probing "127.0.0.1:1": no account to log in with, want username or credential`; res.Err != want || res.Reason != probe.ReasonConfig {
		t.Errorf("%s: %s, want config: %s", res.Reason, res.Err, want)
	}
}

// TestMySQLTransaction shows what is said to the server.
func TestMySQLTransaction(t *testing.T) {
	for section, want := range map[string][]string{
		"database: app": {
			"CREATE TEMPORARY TABLE `skywatch_probe` (number INT NOT NULL PRIMARY KEY, token VARCHAR(64) NOT NULL)",
			"INSERT INTO `skywatch_probe` (number, token) VALUES (1, 'TOKEN')", "INSERT INTO `skywatch_probe` (number, token) VALUES (2, 'TOKEN')",
			"INSERT INTO `skywatch_probe` (number, token) VALUES (3, 'TOKEN')",
			"SELECT number, token FROM `skywatch_probe` WHERE token = 'TOKEN' ORDER BY number", "DROP TEMPORARY TABLE `skywatch_probe`",
		},
		"table: app.t$1": {
			"START TRANSACTION", "INSERT INTO `app`.`t$1` (number, token) VALUES (1, 'TOKEN')",
			"INSERT INTO `app`.`t$1` (number, token) VALUES (2, 'TOKEN')", "INSERT INTO `app`.`t$1` (number, token) VALUES (3, 'TOKEN')",
			"SELECT number, token FROM `app`.`t$1` WHERE token = 'TOKEN' ORDER BY number", "DELETE FROM `app`.`t$1` WHERE token = 'TOKEN'", "ROLLBACK",
		},
	} {
		var mu sync.Mutex
		var got []string
		var token string
		note := func(statement string) {
			mu.Lock()
			defer mu.Unlock()
			if found := mysqlInserted.FindStringSubmatch(statement); found != nil {
				token = found[2]
			}
			got = append(got, statement)
		}
		if res := probeMySQL(t, "tls: none, "+section, mysqlLets(mysqlWorks(note))...); !res.Success() {
			t.Errorf("%s: %s", section, res.Err)
		}
		mu.Lock()
		for i := range got {
			got[i] = strings.ReplaceAll(got[i], token, "TOKEN")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: statements (-want +got):\n%s", section, diff)
		}
		mu.Unlock()
	}
}

// TestMySQLCleansUp: rows that are in a lasting table when the transaction fails are deleted, and the failure is that of the transaction.
func TestMySQLCleansUp(t *testing.T) {
	for section, want := range map[string]int{"table: t": 1, "database: app": 0} {
		var mu sync.Mutex
		deleted := 0
		answer := func(_ testing.TB, c *probetest.Conn) error {
			for {
				_, command, err := mysqlGets(c)
				if err != nil || command[0] == 1 {
					return nil
				}
				reply := mysqlFine
				switch {
				case strings.Contains(command, "VALUES (2, "):
					reply = mysqlFail(1062, "23000", "Duplicate entry")
				case strings.Contains(command, "DELETE FROM `t` WHERE token = '"):
					mu.Lock()
					deleted++
					mu.Unlock()
				}
				if _, err := io.WriteString(c, mysqlFrame(1, reply)); err != nil {
					return err
				}
			}
		}
		res := probeMySQL(t, "tls: none, "+section, mysqlLets(answer)...)
		if want := `inserting a row at `; res.Reason != probe.ReasonResponse || !strings.HasPrefix(res.Err, want) || !strings.Contains(res.Err, "Duplicate entry") {
			t.Errorf("%s: %s: %s, want response: %s...", section, res.Reason, res.Err, want)
		}
		mu.Lock()
		if deleted != want {
			t.Errorf("%s: %d times deleted, want %d", section, deleted, want)
		}
		mu.Unlock()
	}
}

// TestMySQLLoginFailures tells refusals of the credential from all others, for the guard against lock-outs too.
func TestMySQLLoginFailures(t *testing.T) {
	for _, test := range []struct {
		number   uint16
		state    string
		reason   probe.Reason
		outcomes []bool
	}{
		{1045, "28000", probe.ReasonAuth, []bool{false}},
		{1698, "28000", probe.ReasonAuth, []bool{false}},
		{1862, "HY000", probe.ReasonAuth, []bool{false}},
		{3118, "HY000", probe.ReasonAuth, []bool{false}},
		{4151, "HY000", probe.ReasonAuth, []bool{false}},
		{1044, "42000", probe.ReasonResponse, []bool{true}},
		{1049, "42000", probe.ReasonResponse, []bool{true}},
		{1040, "08004", probe.ReasonResponse, nil},
		{1203, "42000", probe.ReasonResponse, nil},
		{1226, "42000", probe.ReasonResponse, nil},
		{1251, "08004", probe.ReasonResponse, nil},
	} {
		res := probeMySQL(t, "tls: none, mode: ping", mysqlGreets(mysqlPlainOffer), mysqlAnswers(1, mysqlFail(test.number, test.state, "so it is")))
		want := fmt.Sprintf(`"Error %d (%s): so it is"`, test.number, test.state)
		var outcomes []bool
		for _, login := range res.Logins {
			outcomes = append(outcomes, login.Accepted)
		}
		if res.Reason != test.reason || !strings.Contains(res.Err, want) || !slices.Equal(outcomes, test.outcomes) {
			t.Errorf("%s: %s, logins %v, want %s: %s, %v", res.Reason, res.Err, outcomes, test.reason, want, test.outcomes)
		}
	}
	res := probeMySQL(t, "tls: none, mode: ping", probetest.Send(mysqlFrame(0, mysqlFail(1129, "", "Host is blocked"))))
	if want := `: refused with "Error 1129: Host is blocked", want a greeting`; res.Reason != probe.ReasonResponse || !strings.HasSuffix(res.Err, want) {
		t.Errorf("%s: %s, want response: ...%s", res.Reason, res.Err, want)
	}
}

// TestMySQLQuery judges results.
func TestMySQLQuery(t *testing.T) {
	columns := []string{"State", "Lag"}
	for _, test := range []struct {
		section string
		packets []string
		value   any // nil = none
		failure string
	}{
		{"column: lag", mysqlResult(columns, []any{"on", "12.5"}, []any{"off", 3}), 12.5, ""},
		{"expect: ^on$", mysqlResult(columns, []any{"on", 0}), nil, ""},
		{"expect: '^[0-5]$', column: Lag", mysqlResult(columns, []any{"on", 7}), 7.0, `column "Lag" of the first row is "7", want a match of "^[0-5]$"`},
		{"column: Lag", mysqlResult(columns, []any{"on", nil}), nil, `column "Lag" of the first row is NULL, want a value`},
		{"column: State", mysqlResult(columns, []any{"on", 1}), nil, `column "State" of the first row is "on", want a number`},
		{"column: State", mysqlResult(columns, []any{"inf", 1}), nil, `column "State" of the first row is "inf", want a number`},
		{"column: nope", mysqlResult(columns, []any{"on", 1}), nil, `got the columns "State, Lag", want "nope" among them`},
		{"column: Lag", mysqlResult(columns), nil, `got no rows, want at least one`},
		{"column: Lag", []string{mysqlFine}, nil, `got an answer without columns, want rows`},
		{"column: Lag", []string{mysqlFail(1146, "42S02", "no such table")}, nil, `got "Error 1146 (42S02): no such table", want it done`},
	} {
		res := probeMySQL(t, "tls: none, mode: query, query: SHOW, "+test.section, mysqlLets(mysqlAnswers(0, test.packets...))...)
		if want := probe.ReasonResponse; test.failure != "" && (res.Reason != want || !strings.HasSuffix(res.Err, ": "+test.failure)) {
			t.Errorf("%s: %s: %s, want %s: ...%s", test.section, res.Reason, res.Err, want, test.failure)
		}
		if test.failure == "" && !res.Success() {
			t.Errorf("%s: %s, want up", test.section, res.Err)
		}
		var value any
		for _, s := range res.Samples {
			if s.Desc == descMySQLValue {
				value = s.Value
			}
		}
		if value != test.value {
			t.Errorf("%s: value %v, want %v", test.section, value, test.value)
		}
	}
}

// TestMySQLReadsBack finds what is not what was written.
func TestMySQLReadsBack(t *testing.T) {
	script := mysqlLets(mysqlAnswers(0, mysqlFine), mysqlAnswers(0, mysqlFine), mysqlAnswers(0, mysqlFine), mysqlAnswers(0, mysqlFine),
		mysqlAnswers(0, mysqlResult([]string{"number", "token"}, []any{1, "foreign"})...))
	res := probeMySQL(t, "tls: none, database: app", script...)
	if want := `: got 1 rows "1 foreign", want the 3 that were written: "1 `; res.Reason != probe.ReasonResponse || !strings.Contains(res.Err, want) {
		t.Errorf("%s: %s, want response: ...%s...", res.Reason, res.Err, want)
	}
}
