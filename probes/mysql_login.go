// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomysql

package probes

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"

	"github.com/go-sql-driver/mysql"

	"skywatch/internal/probe"
)

// mysqlRefusals are the errors by which a server refuses the credential: access denied, password expired, account locked or blocked; those
// above 3000 are of MySQL, those above 4000 of MariaDB.
var mysqlRefusals = []uint16{1045, 1698, 1862, 3118, 3955, 4150, 4151}

// mysqlTooLate are the errors of a login after the credential was accepted: not this database, or no such.
var mysqlTooLate = []uint16{1044, 1049}

// errMySQLSHA256 is about a method that the driver answers with the password itself only when it makes the TLS handshake.
var errMySQLSHA256 = errors.New("the account uses sha256_password, want caching_sha2_password or another method")

// mysqlTalk is a session that is logged in.
type mysqlTalk struct {
	*mysqlWire
	session driver.Conn
}

// mysqlLog takes what the driver has to say into the trace.
type mysqlLog struct{ log *slog.Logger }

// Print is that of the driver's interface.
func (l mysqlLog) Print(v ...any) { l.log.Debug("driver", "says", fmt.Sprint(v...)) }

// logIn has the driver log in over the wire.
func (p *MySQL) logIn(ctx context.Context, wire *mysqlWire) (*mysqlTalk, error) {
	who, err := wire.login()
	if err != nil {
		return nil, err
	}
	conf := mysql.NewConfig()
	conf.User, conf.Passwd, conf.DBName = who.username, who.Secret.Reveal(), p.Database
	conf.Net, conf.Addr = "tcp", wire.server
	if wire.secured {
		conf.Net = "unix" // for the driver: a way on which nobody listens, so that a method that needs one may send the password
	}
	conf.DialFunc = func(context.Context, string, string) (net.Conn, error) { return wire, nil }
	conf.Logger = mysqlLog{wire.r.Log}
	conf.ConnectionAttributes = "program_name:skywatch"
	conf.AllowCleartextPasswords = p.CleartextLogins && wire.secured
	connector, err := mysql.NewConnector(conf)
	if err != nil {
		return nil, probe.Failf(probe.ReasonConfig, "logging in to %q: %w", wire.server, err)
	}
	m := &mysqlTalk{mysqlWire: wire}
	if m.session, err = connector.Connect(ctx); err != nil {
		return nil, m.loginError(who, err)
	}
	who.accepted(wire.r)
	wire.done("auth")
	return m, nil
}

// loginError says why a login failed, and notes what the server thinks of the credential.
func (m *mysqlTalk) loginError(who *login, err error) error {
	var refusal *mysql.MySQLError
	if m.err == nil && errors.As(err, &refusal) {
		if slices.Contains(mysqlRefusals, refusal.Number) {
			if !m.secured {
				m.r.Log.Info("without TLS a server refuses accounts that must have it in the same words")
			}
			return who.refused(m.r, refusal.Error())
		}
		if slices.Contains(mysqlTooLate, refusal.Number) {
			who.accepted(m.r)
		}
	}
	return m.failure(fmt.Sprintf("logging in to %q as %q", m.server, who.username), "the login accepted", err)
}

// mysqlForm explains an error of the driver about a form of the password that it does not have, or may not send; "" = about something else.
func mysqlForm(err error) string {
	switch {
	case errors.Is(err, errMySQLSHA256):
		return err.Error()
	case errors.Is(err, mysql.ErrCleartextPassword):
		return "the server wants the password in clear, which needs TLS and allow_cleartext_passwords, want another form"
	case errors.Is(err, mysql.ErrOldPassword):
		return "the server wants the password in the form of before MySQL 4.1, which anybody can read, want another form"
	case errors.Is(err, mysql.ErrUnknownPlugin):
		return "the server wants the password in a form that is not known here, want another form"
	}
	return ""
}

// failure says what went wrong, from what the driver gives and what the wire knows.
func (m *mysqlTalk) failure(doing, want string, err error) error {
	var refusal *mysql.MySQLError
	switch form := mysqlForm(cmp.Or(m.err, err)); {
	case form != "":
		return probe.Failf(probe.ReasonResponse, "%s: %s", doing, form)
	case errors.Is(err, errMySQLRows):
		return probe.Failf(probe.ReasonResponse, "%s: %w", doing, err)
	case m.err != nil:
		return mysqlReadError(doing, m.err, want)
	case errors.As(err, &refusal):
		return probe.Failf(probe.ReasonResponse, "%s: got %s, want %s", doing, m.r.Evidence(refusal.Error()), want)
	}
	return probe.Failf(probe.ReasonProtocol, "%s: %s, want %s", doing, m.r.Evidence(err.Error()), want)
}

// ask runs a command of the driver. A packet that makes the driver run past its end is the server's fault.
func (m *mysqlTalk) ask(doing string, command func() error) (err error) {
	defer func() {
		fault := recover()
		if _, ok := fault.(runtime.Error); ok {
			m.r.Log.Debug("driver gave up", "fault", fault)
			err = probe.Failf(probe.ReasonProtocol, "%s at %q: got a malformed packet, want an answer", doing, m.server)
		} else if fault != nil {
			panic(fault)
		}
	}()
	if err := command(); err != nil {
		return m.failure(fmt.Sprintf("%s at %q", doing, m.server), "it done", err)
	}
	return nil
}

// close says goodbye, which also ends the driver's goroutine.
func (m *mysqlTalk) close() { m.session.Close() }
