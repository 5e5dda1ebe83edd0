// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"skywatch/internal/probetest"
)

// mariadb gives a database server.
func (p *peers) mariadb(port int) *server {
	return p.server("mariadb", func() error { return greetsAsDatabase(port) }, port)
}

// greetsAsDatabase tells whether the first packet is a greeting of protocol version 10.
func greetsAsDatabase(port int) error {
	conn, err := net.DialTimeout("tcp", address(port), 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	start := make([]byte, 5)
	if _, err := io.ReadFull(conn, start); err != nil || start[4] != 10 {
		return fmt.Errorf("greeting %q (%v), want protocol version 10", start, err)
	}
	return nil
}

// root runs a statement as the administrator and gives the first value; "" = no rows.
func (s *server) root(statement string) string {
	s.peers.t.Helper()
	conf := mysql.NewConfig()
	conf.User, conf.Net, conf.Addr = "root", "unix", filepath.Join(s.peers.dir, "mariadb", "s")
	value, err := firstValue(s.peers.t, conf, statement)
	if err != nil {
		s.peers.t.Fatalf("%s: %v", statement, err)
	}
	return value
}

func firstValue(t *testing.T, conf *mysql.Config, statement string) (string, error) {
	connector, err := mysql.NewConnector(conf)
	if err != nil {
		return "", err
	}
	conn, err := connector.Connect(t.Context())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	rows, err := conn.(driver.QueryerContext).QueryContext(t.Context(), statement, nil)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	row := make([]driver.Value, len(rows.Columns()))
	if len(row) == 0 || rows.Next(row) != nil {
		return "", nil
	}
	if text, ok := row[len(row)-1].([]byte); ok {
		return string(text), nil
	}
	return fmt.Sprint(row[len(row)-1]), nil
}

// TestMySQL takes the mysql prober through what every one that logs in must pass, at a real MariaDB.
func TestMySQL(t *testing.T) {
	p := newPeers(t)
	port := probetest.HoldPort()
	server := p.mariadb(port)
	server.start()
	matrix{
		prober: "mysql", server: server, secure: "tls: starttls, database: app", clear: "tls: none, database: app", securePort: port, clearPort: port,
		username: "watch", password: "Watch-pw1", greeted: afterReply("mysql_native_password"),
		loggedIn: func(toServer, _ []byte) bool { return bytes.Contains(toServer, []byte("CREATE TEMPORARY TABLE")) },
	}.run(t)
	if tables := server.root("SELECT GROUP_CONCAT(table_name ORDER BY 1) FROM information_schema.tables WHERE table_schema = 'app'"); tables != "orders,watched" {
		t.Errorf("tables %s, want those there were", tables)
	}
	server.stop()
}

// TestMySQLWork is about accounts, tables and queries of a real MariaDB.
func TestMySQLWork(t *testing.T) {
	p := newPeers(t)
	port := probetest.HoldPort()
	server := p.mariadb(port)
	server.start()
	trust := fmt.Sprintf("tls_config: {ca_file: %q}", filepath.Join(p.pki(), "ca.pem"))
	modules := ""
	module := func(name, section string) {
		modules += fmt.Sprintf("  %s: {prober: mysql, timeout: 60s, mysql: {%s}}\n", name, section)
	}
	watch := "username: watch, password: Watch-pw1, tls: none, "
	query := func(name, text string) { module(name, watch+"mode: query, query: "+text) }
	module("tls", "username: watch, password: Watch-pw1, tls: tls, database: app, "+trust)
	module("ping", watch+"mode: ping")
	module("ed25519", "username: watch_ed, password: Ed-pw1, database: app, "+trust)
	module("ed25519_clear", "username: watch_ed, password: Ed-pw1, database: app, tls: none")
	module("must_tls", "username: watch_tls, password: Tls-pw1, database: app, "+trust)
	module("must_tls_clear", "username: watch_tls, password: Tls-pw1, database: app, tls: none")
	module("poor", "username: watch_poor, password: Poor-pw1, database: app, tls: none")
	module("unknown_database", watch+"database: nowhere")
	module("table", watch+"table: app.watched")
	module("no_table", watch+"table: app.nothing")
	module("unwritable", watch+"table: app.orders")
	query("value", `"SELECT COUNT(*) FROM app.orders"`)
	query("expect", `"SELECT id, state FROM app.orders ORDER BY id", column: state, expect: "^open$"`)
	query("unexpected", `"SELECT id, state FROM app.orders ORDER BY id", column: state, expect: "^done$"`)
	query("lag", `"SHOW SLAVE STATUS", column: Seconds_Behind_Master`)
	query("nothing", `"SELECT NULL AS Seconds_Behind_Master"`)
	query("broken", `"SELEC 1"`)
	query("two", `"SELECT 1; SELECT 2"`)
	query("file", `"LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE app.watched"`)
	query("big", `"SELECT REPEAT('x', 2000000)"`)
	c := newCommand(t, p.dir, modules, "watch", "Watch-pw1")
	for module, reason := range map[string]string{
		"tls": "", "ping": "", "ed25519": "", "ed25519_clear": "", "must_tls": "", "must_tls_clear": "auth", "poor": "response", "unknown_database": "response",
		"table": "", "no_table": "response", "unwritable": "response", "expect": "", "unexpected": "response", "lag": "response", "nothing": "response",
		"broken": "response", "two": "response", "file": "response", "big": "protocol",
	} {
		c.want(module, local(port), reason)
	}
	if o := c.want("value", local(port), ""); o.Metrics["probe_mysql_query_value"] != 2 || o.Metrics["probe_mysql_query_rows"] != 1 {
		t.Errorf("metrics %v, want the value 2 of 1 row", o.Metrics)
	}
	if rows := server.root("SELECT COUNT(*) FROM app.watched"); rows != "0" {
		t.Errorf("%s rows in the table, want none left", rows)
	}
	if numbers := server.root("SELECT auto_increment FROM information_schema.tables WHERE table_name = 'watched'"); numbers == "1" {
		t.Error("nothing was ever inserted into the table, want the rows of the probes")
	}
	if o := c.want("unknown_database", local(port), "response"); !strings.Contains(o.Error, "Error 1044 (42000)") {
		t.Errorf("%s, want the number and SQLSTATE", o.Error)
	}
}

// TestMySQLCrowded: neither a full server nor a full account is a refusal of the password.
func TestMySQLCrowded(t *testing.T) {
	p := newPeers(t)
	port := probetest.HoldPort()
	t.Setenv("MARIADB_CONNECTIONS", "10") // the least that MariaDB takes
	server := p.mariadb(port)
	server.start()
	c := newCommand(t, p.dir, "  full: {prober: mysql, timeout: 60s, mysql: {username: watch, password: Watch-pw1, tls: none, mode: ping}}\n"+
		"  one: {prober: mysql, timeout: 60s, mysql: {username: watch_one, password: One-pw1, tls: none, mode: ping}}\n", "watch", "Watch-pw1")
	hold := func(user, password string) {
		conf := mysql.NewConfig()
		conf.User, conf.Passwd, conf.Addr = user, password, address(port)
		connector, err := mysql.NewConnector(conf)
		if err != nil {
			t.Fatal(err)
		}
		var conn driver.Conn
		eventually(t, "a connection of "+user, func() (err error) { // those of probes may not be over yet
			conn, err = connector.Connect(t.Context())
			return err
		})
		t.Cleanup(func() { conn.Close() })
	}
	hold("watch_one", "One-pw1")
	if o := c.want("one", local(port), "response"); !strings.Contains(o.Error, "Error 1226 (42000)") {
		t.Errorf("%s, want the limit of the account", o.Error)
	}
	for range 9 {
		hold("watch", "Watch-pw1")
	}
	if o := c.want("full", local(port), "response"); !strings.Contains(o.Error, "Too many connections") {
		t.Errorf("%s, want too many connections", o.Error)
	}
}
