// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noftp

package probes

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const ftpListing = "total 8\r\ndrwxr-xr-x 2 0 0 4096 Nov 21 upload\r\n-rw-r--r-- 1 0 0 15 Nov 21 pub.txt\r\n"

var _ = enroll("ftp", subject{
	section: `{tls: none, username: watch, password: secret-pw, upload: up}`,
	healthy: func(t testing.TB) string { return probetest.Serve(t, (&ftpFake{listing: ftpListing}).serve).Addr },
	presence: map[situation]string{
		healthy:  tcpDialMetrics + " probe_ftp_duration_seconds probe_ftp_banner_info probe_ftp_list_entries probe_ftp_transferred_bytes",
		refused:  tcpDialMetrics + " probe_ftp_duration_seconds",
		unsolved: tcpDialMetrics,
		silent:   tcpDialMetrics + " probe_ftp_duration_seconds",
		early:    tcpDialMetrics + " probe_ftp_duration_seconds",
	},
	echo: func(text string) []probetest.Step { return []probetest.Step{probetest.Send("220 " + text + "\r\n")} },
})

// probeFTP makes a probe of a scripted server; the section is without braces and logs in unless it says otherwise.
func probeFTP(t *testing.T, section string, script ...probetest.Step) probe.Result {
	t.Helper()
	if !strings.Contains(section, "username") {
		section += ", username: watch, password: secret-pw"
	}
	m := testModule(t, Options{}, "ftp", "{"+section+"}")
	server := probetest.Serve(t, script...)
	return runProbe(t, t.Context(), m, strings.Replace(server.Addr, "127.0.0.1", "localhost", 1), long)
}

// TestFTPConfig gives modules that make no sense.
func TestFTPConfig(t *testing.T) {
	for section, want := range map[string]string{
		`{passive: active}`:      `passive: found "active", want auto, epsv or pasv`,
		`{directory: "a\nDELE"}`: `directory: found "a\nDELE", want a path in one line`,
		`{upload: "a\rDELE"}`:    `upload: found "a\rDELE", want a path in one line`,
		`{tls: maybe}`:           `tls: found "maybe", want none, starttls or tls`,
	} {
		_, err := buildModules(t, Options{}, "modules: {m: {prober: ftp, ftp: "+section+"}}")
		if want = `module "m": line 1: ftp: ` + want; err == nil || err.Error() != want {
			t.Errorf("%s gives %v, want %s", section, err, want)
		}
	}
}

// TestFTPConversation shows what is said to the server.
func TestFTPConversation(t *testing.T) {
	ca := probetest.NewCA(t)
	secure := probetest.Config(ca.Good())
	trust := fmt.Sprintf("tls_config: {ca_file: %q}", ca.File())
	login := "USER watch|PASS secret-pw|"
	list := "TYPE A|EPSV|LIST|"
	file := "TYPE I|EPSV|STOR up/FILE|EPSV|RETR up/FILE|DELE up/FILE|"
	for name, test := range map[string]struct {
		section string
		server  *ftpFake
		want    string
	}{
		"list":             {"tls: none", &ftpFake{}, login + list + "QUIT"},
		"directory":        {"tls: none, directory: /pub dir", &ftpFake{}, login + "CWD /pub dir|" + list + "QUIT"},
		"login alone":      {"tls: none, directory: ''", &ftpFake{}, login + "QUIT"},
		"upload":           {"tls: none, upload: up/", &ftpFake{}, login + list + file + "QUIT"},
		"upload alone":     {"tls: none, directory: '', upload: .", &ftpFake{}, login + strings.ReplaceAll(file, "up/", "") + "QUIT"},
		"TLS":              {trust + ", upload: up", &ftpFake{secure: secure}, "AUTH TLS|" + login + "PBSZ 0|PROT P|" + list + file + "QUIT"},
		"PASV":             {"tls: none, passive: pasv", &ftpFake{}, login + "TYPE A|PASV|LIST|QUIT"},
		"no EPSV":          {"tls: none, upload: up", &ftpFake{replies: map[string]string{"EPSV": "500 what?"}}, login + "TYPE A|EPSV|PASV|LIST|" + strings.ReplaceAll(file, "EPSV", "PASV") + "QUIT"},
		"anonymous":        {"tls: none, username: anonymous", &ftpFake{}, "USER anonymous|PASS skywatch@|" + list + "QUIT"},
		"name is enough":   {"tls: none, directory: ''", &ftpFake{replies: map[string]string{"USER": "230 hello"}}, "USER watch|QUIT"},
		"by certificate":   {"tls: none, directory: ''", &ftpFake{replies: map[string]string{"USER": "232 hello"}}, "USER watch|QUIT"},
		"account":          {"tls: none, directory: '', account: acct", &ftpFake{replies: map[string]string{"PASS": "332 account?", "ACCT": "230 in"}}, login + "ACCT acct|QUIT"},
		"account at once":  {"tls: none, directory: '', account: acct", &ftpFake{replies: map[string]string{"USER": "332 account?", "ACCT": "202 in"}}, "USER watch|ACCT acct|QUIT"},
		"password is more": {"tls: none, directory: ''", &ftpFake{replies: map[string]string{"PASS": "202 not needed"}}, login + "QUIT"},
		"nobody":           {"tls: none, username: ''", &ftpFake{}, "FEAT|QUIT"},
		"nobody, no FEAT":  {"tls: none, username: ''", &ftpFake{replies: map[string]string{"FEAT": "530 log in first"}}, "FEAT|QUIT"},
	} {
		res := probeFTP(t, test.section, test.server.serve)
		if !res.Success() {
			t.Errorf("%s: %s: %s", name, res.Reason, res.Err)
		}
		got := regexp.MustCompile(`\.skywatch-[A-Z0-9]{26}`).ReplaceAllString(test.server.commands(), "FILE")
		if diff := cmp.Diff(strings.Split(test.want, "|"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("%s: commands (-want +got):\n%s", name, diff)
		}
		if len(test.server.files) > 0 {
			t.Errorf("%s: %d files are left", name, len(test.server.files))
		}
	}
}

// TestFTPWithoutAnAccount: work that only a login can do is not passed over in silence.
func TestFTPWithoutAnAccount(t *testing.T) {
	for _, section := range []string{"directory: /pub", "upload: up", "directory: '', upload: ."} {
		server := &ftpFake{}
		res := probeFTP(t, "tls: none, username: '', "+section, server.serve)
		want := fmt.Sprintf("logging in to %q: no account given, want a username or a credential, to list a directory or to write a file", res.Target)
		if res.Reason != probe.ReasonConfig || res.Err != want || server.commands() != "" {
			t.Errorf("%s: %s: %s, commands %s, want config: %s", section, res.Reason, res.Err, server.commands(), want)
		}
	}
}

// TestFTPBanner: what is kept of a greeting is its first line, as far as it is fit for a label.
func TestFTPBanner(t *testing.T) {
	long := strings.Repeat("a", maxReplyLine-len("220-"))
	for greeting, want := range map[string]string{"220-hi\r\nthere\r\n220 ready\r\n": "hi", "220-" + long + "\r\n220 ready\r\n": long[:maxBanner], "220\r\n": ""} {
		res := probeFTP(t, "tls: none", probetest.Send(greeting))
		if _, ok := probetest.Value(res.Samples, descFTPBanner.Name, want); !ok {
			t.Errorf("%.20q: %v, want the banner %.20q", greeting, res.Samples, want)
		}
	}
}

// TestFTPImplicitTLS has TLS first.
func TestFTPImplicitTLS(t *testing.T) {
	ca := probetest.NewCA(t)
	server := &ftpFake{secure: probetest.Config(ca.Good()), listing: ftpListing}
	server.secure.SetSessionTicketKeys([][32]byte{{1}}) // the same for both connections
	res := probeFTP(t, fmt.Sprintf("tls: tls, tls_config: {ca_file: %q}", ca.File()), probetest.TLS(server.secure), server.serve)
	if !res.Success() || !strings.HasPrefix(server.commands(), "USER") {
		t.Errorf("%s: %s, commands %s", res.Reason, res.Err, server.commands())
	}
	for _, s := range res.Samples {
		if s.Desc == descFTPEntries && s.Value != 2 {
			t.Errorf("%v entries, want 2", s.Value)
		}
	}
	if !strings.Contains(res.Trace.String(), "resumed=true") {
		t.Error("the data connection did not go on with the session of the control connection")
	}
}

// TestFTPRefusals are answers by which a server refuses.
func TestFTPRefusals(t *testing.T) {
	for _, test := range []struct {
		section, command, reply string
		reason                  probe.Reason
		err                     string // after the server's name
		outcomes                []bool
	}{
		{"tls: none", "USER", "530 not you", probe.ReasonAuth, ` as "watch": refused with "530 not you", want it accepted`, []bool{false}},
		{"tls: none", "PASS", "530 Login incorrect.", probe.ReasonAuth, ` as "watch": refused with "530 Login incorrect.", want it accepted`, []bool{false}},
		{"tls: none", "PASS", "421 too many users", probe.ReasonResponse, `: got "421 too many users", want 230 or 202 or 332`, nil},
		{"tls: none", "PASS", "500 what?", probe.ReasonResponse, `: got "500 what?", want 230 or 202 or 332`, nil},
		{"tls: none", "PASS", "332 account?", probe.ReasonResponse, `: got "332 account?", want 230`, nil},
		{"tls: none", "TYPE", "504 no", probe.ReasonResponse, `: got "504 no", want 200`, []bool{true}},
		{"tls: none", "EPSV", "421 bye", probe.ReasonResponse, `: got "421 bye", want 229`, []bool{true}},
		{"tls: none, passive: epsv", "EPSV", "500 what?", probe.ReasonResponse, `: got "500 what?", want 229`, []bool{true}},
		{"tls: none, directory: x", "CWD", "550-no\r\n550 such", probe.ReasonResponse, `: got "550-no 550 such", want 250 or 200`, []bool{true}},
		{"tls: none", "LIST", "450 busy", probe.ReasonResponse, `: got "450 busy", want 150 or 125`, []bool{true}},
		{"tls: none, upload: up", "STOR", "553 Could not create file.", probe.ReasonResponse, `: got "553 Could not create file.", want 150 or 125`, []bool{true}},
		{"tls: none, upload: up", "DELE", "550 no", probe.ReasonResponse, `: got "550 no", want 250 or 200`, []bool{true}},
		{"tls: starttls", "AUTH", "502 what?", probe.ReasonTLS, `: got "502 what?", want 234`, nil},
		{"tls: starttls", "AUTH", "421 later", probe.ReasonResponse, `: got "421 later", want 234`, nil},
		{"tls: none, username: ''", "FEAT", "421 later", probe.ReasonResponse, `: got "421 later", want 211`, nil},
	} {
		server := &ftpFake{replies: map[string]string{test.command: test.reply}}
		res := probeFTP(t, test.section, server.serve)
		var outcomes []bool
		for _, login := range res.Logins {
			outcomes = append(outcomes, login.Accepted)
		}
		if res.Reason != test.reason || !strings.HasSuffix(res.Err, test.err) || !slices.Equal(outcomes, test.outcomes) {
			t.Errorf("%s %s: %s: %s, logins %v, want %s: ...%s, %v", test.command, test.reply, res.Reason, res.Err, outcomes, test.reason, test.err, test.outcomes)
		}
	}
	for greeting, want := range map[string]probe.Reason{"421 full\r\n": probe.ReasonResponse, "120 wait\r\n421 full\r\n": probe.ReasonResponse} {
		if res := probeFTP(t, "tls: none", probetest.Send(greeting)); res.Reason != want || !strings.Contains(res.Err, `got "421 full", want 220`) {
			t.Errorf("%q: %s: %s, want %s", greeting, res.Reason, res.Err, want)
		}
	}
}

// TestFTPDataFailures is about data connections that do not come about, or do not end.
func TestFTPDataFailures(t *testing.T) {
	ca := probetest.NewCA(t)
	trust := fmt.Sprintf("tls_config: {ca_file: %q}", ca.File())
	_, port, _ := strings.Cut(probetest.RefusedAddr(t), ":")
	strange := probetest.Config(ca.Expired())
	secure := probetest.Config(ca.Good())
	for name, test := range map[string]struct {
		section string
		server  *ftpFake
		reason  probe.Reason
		text    string
	}{
		"refused port": {"tls: none", &ftpFake{replies: map[string]string{"EPSV": "229 fine (|||" + port + "|)"}}, probe.ReasonConnect, "opening a data connection: connecting to"},
		"no PBSZ":      {trust, &ftpFake{secure: secure, replies: map[string]string{"PBSZ": "502 what?"}}, probe.ReasonTLS, `got "502 what?", want 200`},
		"no PROT":      {trust, &ftpFake{secure: secure, replies: map[string]string{"PROT": "536 not that"}}, probe.ReasonTLS, `got "536 not that", want 200`},
		"PROT later":   {trust, &ftpFake{secure: secure, replies: map[string]string{"PROT": "431 not now"}}, probe.ReasonResponse, `got "431 not now", want 200`},
		"strange data": {trust, &ftpFake{secure: secure, data: func(conn net.Conn) { tls.Server(conn, strange).Handshake() }}, probe.ReasonTLS, "opening a data connection: TLS handshake"},
		"never begun":  {"tls: none", &ftpFake{replies: map[string]string{"LIST": "150 soon"}}, probe.ReasonTimeout, "data not moved in time"},
		"stuck list":   {"tls: none", &ftpFake{data: func(conn net.Conn) { io.Copy(io.Discard, conn) }}, probe.ReasonTimeout, "data not moved in time"},
	} {
		m := testModule(t, Options{}, "ftp", "{username: watch, password: secret-pw, "+test.section+"}")
		target := strings.Replace(probetest.Serve(t, test.server.serve).Addr, "127.0.0.1", "localhost", 1)
		inTime(t, test.reason, func(t testing.TB, timeout time.Duration) {
			res := runProbe(t, t.Context(), m, target, timeout)
			if res.Reason != test.reason || !strings.Contains(res.Err, test.text) {
				t.Errorf("%s: %s: %s, want %s: ...%s...", name, res.Reason, res.Err, test.reason, test.text)
			}
		})
	}
}

// TestFTPSpoiledFile: a file that comes back changed is deleted all the same.
func TestFTPSpoiledFile(t *testing.T) {
	server := &ftpFake{spoil: true}
	res := probeFTP(t, "tls: none, upload: up", server.serve)
	if want := regexp.MustCompile(`: got 1025 bytes of which the first \d+ are right, want the 1024 that were uploaded$`); res.Reason != probe.ReasonResponse || !want.MatchString(res.Err) {
		t.Errorf("%s: %s, want response: ...%s", res.Reason, res.Err, want)
	}
	if !strings.Contains(server.commands(), "DELE up/.skywatch-") || len(server.files) > 0 {
		t.Errorf("%d files are left, commands:\n%s", len(server.files), server.commands())
	}
}

// TestFTPLeftovers: files of probes that are over are deleted, those of others left alone, and in the end nothing is remembered.
func TestFTPLeftovers(t *testing.T) {
	old, running := time.Now().Add(-time.Second).Unix(), time.Now().Add(time.Hour).Unix()
	store := new(probe.MemoryStore)
	if err := store.Put(ftpFilesKey, fmt.Appendf(nil, "%d up/.skywatch-OLD\n%d up/.skywatch-GONE\n%d up/.skywatch-BUSY\n%d up/.skywatch-RUNNING\nrubbish\n", old, old, old, running)); err != nil {
		t.Fatal(err)
	}
	server := &ftpFake{replies: map[string]string{"DELE up/.skywatch-GONE": "550 not here", "DELE up/.skywatch-BUSY": "450 busy"}}
	m := testModule(t, Options{}, "ftp", "{tls: none, username: watch, password: secret-pw, directory: '', upload: up}")
	c := probe.Check{Module: m, Target: probe.NewTarget(probetest.Serve(t, server.serve).Addr), Timeout: long}
	if res := probe.Run(t.Context(), c, probe.Env{Store: store}); !res.Success() {
		t.Fatal(res.Err)
	}
	if said := server.commands(); !strings.Contains(said, "DELE up/.skywatch-OLD\nDELE up/.skywatch-GONE\nDELE up/.skywatch-BUSY\nEPSV") || strings.Contains(said, "RUNNING") {
		t.Errorf("commands:\n%s", said)
	}
	left, _ := store.Get(ftpFilesKey)
	if want := fmt.Sprintf("%d up/.skywatch-BUSY\n%d up/.skywatch-RUNNING\n", old, running); string(left) != want {
		t.Errorf("remembered %q, want %q", left, want)
	}
	// A probe that ends in the middle of its upload leaves its file to the next one.
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	stuck := &ftpFake{data: func(net.Conn) {
		cancel()
		<-over
	}}
	c.Target = probe.NewTarget(probetest.Serve(t, stuck.serve).Addr)
	if res := probe.Run(ctx, c, probe.Env{Store: store}); res.Verdict != probe.Aborted {
		t.Errorf("verdict %s, %s: %s, want aborted", res.Verdict, res.Reason, res.Err)
	}
	close(over)
	if left, _ := store.Get(ftpFilesKey); strings.Count(string(left), "up/.skywatch-") != 2 {
		t.Errorf("remembered %q, want the file of the probe that ended too early besides", left)
	}
}

// TestFTPFilesUnread: a list of files that cannot be read is not written over.
func TestFTPFilesUnread(t *testing.T) {
	store, before := &unreadStore{key: ftpFilesKey}, "1 up/.skywatch-OLD\n"
	if err := store.Put(ftpFilesKey, []byte(before)); err != nil {
		t.Fatal(err)
	}
	server := &ftpFake{}
	m := testModule(t, Options{}, "ftp", "{tls: none, username: watch, password: secret-pw, directory: '', upload: up}")
	c := probe.Check{Module: m, Target: probe.NewTarget(probetest.Serve(t, server.serve).Addr), Timeout: long}
	res := probe.Run(t.Context(), c, probe.Env{Store: store})
	for _, want := range []string{`old files are not looked for err="no answer in time"`, `what was uploaded is not remembered err="no answer in time"`} {
		if trace := fmt.Sprint(res.Trace); !res.Success() || !strings.Contains(trace, want) {
			t.Errorf("%s: %s, want success and %s in\n%s", res.Reason, res.Err, want, trace)
		}
	}
	if left, _ := store.MemoryStore.Get(ftpFilesKey); string(left) != before {
		t.Errorf("remembered %q, want %q", left, before)
	}
}

// TestFTPFileWithoutAnAnswer: the server may have made a file before it went away, or before it found no data connection.
func TestFTPFileWithoutAnAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		reply string // to STOR; "" = none, the server goes away
		left  int    // files that are remembered
	}{
		"gone":         {"", 1},
		"no data":      {"425 Failed to establish connection.", 0},
		"refused":      {"553 Could not create file.", 0},
		"out of order": {"226 done", 0},
	} {
		store := new(probe.MemoryStore)
		server := &ftpFake{replies: map[string]string{"STOR": test.reply}}
		m := testModule(t, Options{}, "ftp", "{tls: none, username: watch, password: secret-pw, directory: '', upload: up}")
		c := probe.Check{Module: m, Target: probe.NewTarget(probetest.Serve(t, server.serve).Addr), Timeout: long}
		if res := probe.Run(t.Context(), c, probe.Env{Store: store}); res.Success() || !strings.Contains(res.Err, test.reply) {
			t.Errorf("%s: %s: %s, want the failure of the upload", name, res.Reason, res.Err)
		}
		if left, _ := store.Get(ftpFilesKey); strings.Count(string(left), "up/.skywatch-") != test.left {
			t.Errorf("%s: remembered %q, want %d files", name, left, test.left)
		}
		if deleted := strings.Contains(server.commands(), "DELE up/.skywatch-"); deleted != (name == "no data" || name == "out of order") {
			t.Errorf("%s: commands:\n%s", name, server.commands())
		}
	}
}

// TestFTPAnonymousHasNoSecret: without a secret there is none to keep from a server.
func TestFTPAnonymousHasNoSecret(t *testing.T) {
	for section, want := range map[string]int{
		"username: anonymous": 0, "username: FTP": 0, "username: anonymous, password: x": 1, "username: ftp, account: x": 1, "username: watch": 1,
		"tls: none": 0,
	} {
		p := testModule(t, Options{}, "ftp", "{"+section+"}").Prober.(Service)
		if got, err := p.Logins(probe.NewTarget("ftp.example.org")); len(got) != want || err != nil {
			t.Errorf("%s: %v (%v), want %d logins", section, got, err, want)
		}
		if _, err := p.Logins(probe.NewTarget("a:b:c")); err == nil {
			t.Errorf("%s: no error for a target that is none", section)
		}
	}
}

// TestFTPKeepsSecrets: a server says the password and the account, as they are and encoded.
func TestFTPKeepsSecrets(t *testing.T) {
	for _, text := range slices.Concat(spellings("secret-pw"), spellings("acct-4711")) {
		for _, server := range []*ftpFake{
			{replies: map[string]string{"PASS": "530 not " + text}},
			{replies: map[string]string{"PASS": "230-not\r\n " + text + "\r\n230 but", "TYPE": "504 " + text}},
			{replies: map[string]string{"PASS": "332 account", "ACCT": "530 not " + text}},
		} {
			res := probeFTP(t, "tls: none, account: acct-4711", server.serve)
			if res.Success() {
				t.Error("verdict up, want a refusal")
			}
			wantSecretFree(t, res, text)
		}
	}
}
