// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomysql

package probes

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// TestMySQLTLS takes both words for TLS, and what may go wrong on the way.
func TestMySQLTLS(t *testing.T) {
	ca := probetest.NewCA(t)
	trust := fmt.Sprintf(", mode: ping, tls_config: {ca_file: %q}", ca.File())
	good, expired := probetest.TLS(probetest.Config(ca.Good())), probetest.TLS(probetest.Config(ca.Expired()))
	greets := mysqlGreets(mysqlTLSOffer)
	asked := mysqlAnswers(1)
	for name, test := range map[string]struct {
		section string
		script  []probetest.Step
		reason  probe.Reason
		text    string
	}{
		"starttls":      {"tls: starttls", []probetest.Step{greets, asked, good, mysqlAnswers(2, mysqlFine), mysqlWorks(nil)}, probe.ReasonNone, ""},
		"tls":           {"tls: tls", []probetest.Step{greets, asked, good, mysqlAnswers(2, mysqlFine), mysqlWorks(nil)}, probe.ReasonNone, ""},
		"expired":       {"tls: tls", []probetest.Step{greets, asked, expired}, probe.ReasonTLS, "certificate has expired"},
		"not offered":   {"tls: tls", []probetest.Step{mysqlGreets(mysqlPlainOffer), mysqlNothingMore}, probe.ReasonTLS, "the server does not offer it, want TLS"},
		"garbage":       {"tls: starttls", []probetest.Step{greets, asked, probetest.Garbage()}, probe.ReasonProtocol, "first record does not look like a TLS handshake"},
		"early text":    {"tls: starttls", []probetest.Step{probetest.Send(mysqlFrame(0, mysqlHello(mysqlTLSOffer, mysqlNative)) + mysqlFrame(2, mysqlFine))}, probe.ReasonProtocol, "first record"},
		"OK before TLS": {"tls: starttls", []probetest.Step{greets, mysqlAnswers(1, mysqlFine)}, probe.ReasonProtocol, "first record does not look like a TLS handshake"},
	} {
		res := probeMySQL(t, test.section+trust, test.script...)
		if res.Reason != test.reason || !strings.Contains(res.Err, test.text) {
			t.Errorf("%s: %s: %s, want %s: ...%s...", name, res.Reason, res.Err, test.reason, test.text)
		}
	}
}

// TestMySQLPasswordForms is about the ways in which a server may ask for the password.
func TestMySQLPasswordForms(t *testing.T) {
	ca := probetest.NewCA(t)
	secured := fmt.Sprintf("mode: ping, tls_config: {ca_file: %q}", ca.File())
	overTLS := func(steps ...probetest.Step) []probetest.Step {
		return append([]probetest.Step{mysqlGreets(mysqlTLSOffer), mysqlAnswers(1), probetest.TLS(probetest.Config(ca.Good()))}, steps...)
	}
	password := func(number byte) probetest.Step {
		return func(_ testing.TB, c *probetest.Conn) error {
			if got, content, err := mysqlGets(c); got != number || content != "secret-pw\x00" {
				return fmt.Errorf("got packet %d %q (%v), want %d with the password", got, content, err, number)
			}
			_, err := io.WriteString(c, mysqlFrame(number+1, mysqlFine))
			return err
		}
	}
	sha2 := "\xfecaching_sha2_password\x00saltsaltsaltsaltsalt\x00"
	clear := "\xfemysql_clear_password\x00"
	for name, test := range map[string]struct {
		section string
		script  []probetest.Step
		failure string // "" = none; else of reason response
	}{
		"caching_sha2 known": {secured, overTLS(mysqlAnswers(2, sha2), mysqlAnswers(4, "\x01\x03", mysqlFine), mysqlWorks(nil)), ""},
		"caching_sha2 whole": {secured, overTLS(mysqlAnswers(2, sha2), mysqlAnswers(4, "\x01\x04"), password(6), mysqlWorks(nil)), ""},
		"clear, allowed":     {secured + ", allow_cleartext_passwords: true", overTLS(mysqlAnswers(2, clear), password(4), mysqlWorks(nil)), ""},
		"clear, over TLS":    {secured, overTLS(mysqlAnswers(2, clear), mysqlNothingMore), "the server wants the password in clear, which needs TLS and allow_cleartext_passwords, want another form"},
		"clear, without TLS": {"tls: none, mode: ping", []probetest.Step{mysqlGreets(mysqlPlainOffer), mysqlAnswers(1, clear), mysqlNothingMore}, "the server wants the password in clear, which needs TLS and allow_cleartext_passwords, want another form"},
		"old":                {"tls: none, mode: ping", []probetest.Step{mysqlGreets(mysqlPlainOffer), mysqlAnswers(1, "\xfe"), mysqlNothingMore}, "the server wants the password in the form of before MySQL 4.1, which anybody can read, want another form"},
		"dialog":             {"tls: none, mode: ping", []probetest.Step{mysqlGreets(mysqlPlainOffer), mysqlAnswers(1, "\xfedialog\x00hm"), mysqlNothingMore}, "the server wants the password in a form that is not known here, want another form"},
		"sha256_password in the greeting": {secured, []probetest.Step{probetest.Send(mysqlFrame(0, mysqlHello(mysqlTLSOffer, "sha256_password"))), mysqlAnswers(1), probetest.TLS(probetest.Config(ca.Good())),
			mysqlAnswers(2, "\xfesha256_password\x00saltsaltsaltsaltsalt\x00"), mysqlNothingMore}, "the account uses sha256_password, want caching_sha2_password or another method"},
		"sha256_password": {secured, overTLS(mysqlAnswers(2, "\xfesha256_password\x00saltsaltsaltsaltsalt\x00"), mysqlNothingMore), "the account uses sha256_password, want caching_sha2_password or another method"},
	} {
		res := probeMySQL(t, test.section, test.script...)
		if test.failure == "" && !res.Success() || test.failure != "" && (res.Reason != probe.ReasonResponse || !strings.HasSuffix(res.Err, `as "watch": `+test.failure)) {
			t.Errorf("%s: %s: %s, want response: ...%s", name, res.Reason, res.Err, test.failure)
		}
	}
}

// mysqlHostile are servers that break the rules, by where: of the greeting, of the login, of the answer to a query.
func mysqlHostile(t *testing.T) map[string][]probetest.Step {
	key := probetest.NewCA(t).Good().Leaf.PublicKey
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	curve := "\x01" + string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	hello := mysqlHello(mysqlPlainOffer, mysqlNative)
	first := func(packet string) []probetest.Step { return []probetest.Step{probetest.Send(packet)} }
	login := func(packets ...string) []probetest.Step {
		return []probetest.Step{mysqlGreets(mysqlPlainOffer), mysqlAnswers(1, packets...)}
	}
	answer := func(packets ...string) []probetest.Step { return mysqlLets(mysqlAnswers(0, packets...)) }
	raw := func(text string) []probetest.Step { return mysqlLets(mysqlAnswers(0), probetest.Send(text)) }
	sha2 := mysqlAnswers(1, "\xfecaching_sha2_password\x00saltsaltsaltsaltsalt\x00")
	return map[string][]probetest.Step{
		"greeting of nothing":     first(mysqlFrame(0, "")),
		"greeting cut short":      first(mysqlFrame(0, hello[:40])),
		"greeting without an end": first(mysqlFrame(0, "\x0a"+strings.Repeat("x", 100))),
		"greeting of version 9":   first(mysqlFrame(0, "\x09"+hello[1:])),
		"greeting before 4.1":     first(mysqlFrame(0, mysqlHello(0, ""))),
		"huge greeting":           first("\xff\xff\xff\x00\x0a"),
		"half a header":           first("\x0a\x00"),
		"greeting with NUL only":  first(mysqlFrame(0, strings.Repeat("\x00", 200))),
		"number out of turn":      {mysqlGreets(mysqlPlainOffer), probetest.Send(mysqlFrame(77, mysqlFine))},
		"OK cut short":            login("\x00"),
		"OK without status":       login("\x00\xfe\x01\x02"),
		"error cut short":         login("\xff\x15"),
		"error, half a state":     login("\xff\x15\x04#28"),
		"unknown answer":          login("\x42hello"),
		"method without end":      login("\xfemysql_native_password"),
		"short challenge":         login("\xfemysql_native_password\x00abc"),
		"empty challenge":         login("\xfemysql_native_password\x00"),
		"method again and again":  {mysqlGreets(mysqlPlainOffer), sha2, mysqlAnswers(3, "\xfemysql_native_password\x00saltsaltsaltsaltsalt\x00")},
		"key of a curve":          {mysqlGreets(mysqlPlainOffer), sha2, mysqlAnswers(3, "\x01\x04"), mysqlAnswers(5, curve)},
		"key that is none":        {mysqlGreets(mysqlPlainOffer), sha2, mysqlAnswers(3, "\x01\x04"), mysqlAnswers(5, "\x01hello")},
		"ed25519, odd challenge":  login("\xfeclient_ed25519\x00abc"),
		"wants a file":            mysqlLets(mysqlAnswers(0, "\xfb/etc/passwd"), mysqlNothingMore),
		"columns without end":     answer("\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"),
		"columns, cut number":     answer("\xfd\x00"),
		"column cut short":        answer("\x01", "\x03def\x00"),
		"column of nothing":       answer("\x01", "\x03def\x00\x00\x00\x01c\x00"),
		"row cut short":           answer("\x02", mysqlColumn("a"), mysqlColumn("b"), "\x01"),
		"end cut short":           answer("\x01", mysqlColumn("a"), "\xfe"),
		"answer's error cut":      answer("\xff"),
		"huge packet":             raw("\xff\xff\xff\x01"),
		"packet of nothing":       raw("\x00\x00\x00\x01"),
		"hangs up":                mysqlLets(mysqlAnswers(0)),
		"rows without end":        mysqlLets(mysqlAnswers(0, "\x01", mysqlColumn("a")), mysqlRowsForEver),
	}
}

// mysqlRowsForEver sends long rows with the right numbers.
func mysqlRowsForEver(_ testing.TB, c *probetest.Conn) error {
	row := "\xfd\x00\x40\x00" + strings.Repeat("x", 0x4000)
	for number := byte(3); ; number++ {
		if _, err := io.WriteString(c, mysqlFrame(number, row)); err != nil {
			return nil
		}
	}
}

// TestMySQLHostile meets servers that break the rules: each is told so, soon, and nothing is left over.
func TestMySQLHostile(t *testing.T) {
	for name, script := range mysqlHostile(t) {
		leakFree(t, situation(name), func(t *testing.T) {
			res := probeMySQL(t, "tls: none, mode: query, query: SELECT 1", script...)
			if res.Reason != probe.ReasonProtocol || res.Took >= long {
				t.Errorf("%s after %s: %s, want protocol\n%s", res.Reason, res.Took, res.Err, res.Trace)
			}
		})
	}
}

// TestMySQLMoreResults: what an OK announces is not read, since the driver would make room for as many columns as it says.
func TestMySQLMoreResults(t *testing.T) {
	res := probeMySQL(t, "tls: none, mode: query, query: SELECT 1", mysqlLets(mysqlAnswers(0, "\x00\x00\x00\x0a\x00\x00\x00", "\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"))...)
	if want := ": got an answer without columns, want rows"; res.Reason != probe.ReasonResponse || !strings.HasSuffix(res.Err, want) {
		t.Errorf("%s: %s, want response: ...%s", res.Reason, res.Err, want)
	}
}

// TestMySQLManyRows: a result that is well formed but too long is no fault of the protocol.
func TestMySQLManyRows(t *testing.T) {
	rows := make([][]any, mysqlRowsMax+1)
	for i := range rows {
		rows[i] = []any{1}
	}
	res := probeMySQL(t, "tls: none, mode: query, query: SELECT 1", mysqlLets(mysqlAnswers(0, mysqlResult([]string{"a"}, rows...)...))...)
	if want := ": got more than 10000 rows, want fewer"; res.Reason != probe.ReasonResponse || !strings.HasSuffix(res.Err, want) {
		t.Errorf("%s: %s, want response: ...%s", res.Reason, res.Err, want)
	}
}

// TestMySQLKeepsAnswersSecret: a server says what the driver made of the password.
func TestMySQLKeepsAnswersSecret(t *testing.T) {
	for name, spell := range map[string]func(string) string{
		"plain": func(s string) string { return s }, "hex": func(s string) string { return hex.EncodeToString([]byte(s)) },
		"base64": func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	} {
		var said string
		echo := func(_ testing.TB, c *probetest.Conn) error {
			_, content, err := mysqlGets(c)
			if err != nil {
				return err
			}
			user := strings.Index(content[32:], "\x00") + 32
			said = spell(content[user+2 : user+2+20])
			_, err = io.WriteString(c, mysqlFrame(2, mysqlFail(1045, "28000", "you said "+said)))
			return err
		}
		res := probeMySQL(t, "tls: none, mode: ping", mysqlGreets(mysqlPlainOffer), echo)
		if !strings.Contains(res.Err, "you said <secret>") {
			t.Errorf("%s: %s, want the answer masked", name, res.Err)
		}
		wantSecretFree(t, res, said)
	}
}

// FuzzMySQL has a server say arbitrary bytes: to the greeting, the login and a query.
func FuzzMySQL(f *testing.F) {
	hello := mysqlFrame(0, mysqlHello(mysqlPlainOffer, mysqlNative))
	fine := hello + mysqlFrame(2, mysqlFine)
	f.Add([]byte(hello))
	f.Add([]byte(hello + mysqlFrame(2, "\xfecaching_sha2_password\x00saltsaltsaltsaltsalt\x00") + mysqlFrame(4, "\x01\x04") + mysqlFrame(6, "\x01-----BEGIN")))
	f.Add([]byte(fine + mysqlFrame(1, "\xfb/etc/passwd")))
	answer := fine
	for i, packet := range mysqlResult([]string{"a"}, []any{1}) {
		answer += mysqlFrame(byte(i+1), packet)
	}
	f.Add([]byte(answer))
	before := goleak.IgnoreCurrent()
	p := &MySQL{ServiceConfig: newServiceConfig(Options{}, 3306, 3306), Mode: mysqlQuery, Query: "SELECT 1"}
	p.TLS, p.Username, p.Password = tlsNone, "watch", "secret-pw"
	f.Fuzz(func(t *testing.T, said []byte) {
		res := runFunc(t, func(ctx context.Context, r *probe.Recorder) error {
			l := &link{config: &p.ServiceConfig, server: "peer:3306", conn: canned{in: bytes.NewReader(said)}, r: r, desc: descMySQLPhase}
			return p.work(context.WithoutCancel(ctx), l)
		})
		switch res.Reason {
		case probe.ReasonNone, probe.ReasonProtocol, probe.ReasonResponse, probe.ReasonAuth:
		default:
			t.Errorf("%s: %s", res.Reason, res.Err)
		}
		probetest.NoneLeft(t, before, goleak.IgnoreAnyFunction("os/signal.loop"), goleak.IgnoreAnyFunction("os/signal.NotifyContext.func1"),
			goleak.IgnoreAnyFunction("internal/fuzz.RunFuzzWorker.func1"))
	})
}

// BenchmarkMySQL makes whole runs against a scripted server on loopback.
func BenchmarkMySQL(b *testing.B) {
	for mode, section := range map[string]string{"ping": "mode: ping", "transaction": "database: app"} {
		b.Run(mode, func(b *testing.B) {
			server := probetest.Serve(b, mysqlLets(mysqlWorks(nil), func(_ testing.TB, c *probetest.Conn) error {
				return c.Conn.(*net.TCPConn).SetLinger(0)
			})...)
			m := testModule(b, Options{}, "mysql", "{tls: none, username: watch, password: secret-pw, "+section+"}")
			c := probe.Check{Module: m, Target: probe.NewTarget(server.Addr), Timeout: long}
			b.ReportAllocs()
			for b.Loop() {
				if res := probe.Run(b.Context(), c, probe.Env{}); !res.Success() {
					b.Fatal(res.Err)
				}
			}
		})
	}
}
