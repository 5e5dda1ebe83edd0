// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skywatch/internal/probetest"
)

// mailServer is a Dovecot with all its ports, and the accounts of its recipe.
type mailServer struct {
	*server
	imap, imaps, pop3, pop3s, lmtp int
}

const mailUser, mailPassword, goodToken = "watch@skywatch.test", "Watch-pw1", "good-token-of-the-test"

// mailServer starts a Dovecot; env is what its recipe is told.
func (p *peers) mailServer(env ...string) *mailServer {
	p.t.Helper()
	m := &mailServer{imap: probetest.HoldPort(), imaps: probetest.HoldPort(), pop3: probetest.HoldPort(), pop3s: probetest.HoldPort(), lmtp: probetest.HoldPort()}
	imap, pop3 := greets(m.imap, "* OK"), greets(m.pop3, "+OK")
	ready := func() error {
		if err := imap(); err != nil {
			return err
		}
		return pop3()
	}
	m.server = p.server("dovecot", ready, m.imap, m.imaps, m.pop3, m.pop3s, m.lmtp, probetest.HoldPort())
	m.env = env
	m.start()
	return m
}

// introspection answers what a token is worth (RFC 7662): goodToken is the user's.
func introspection(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := map[string]any{"active": r.PostFormValue("token") == goodToken}
		if answer["active"] == true {
			answer["username"] = mailUser
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(s.Close)
	return s
}

// deliver hands a message over by LMTP (RFC 2033), as a mail server does.
func (m *mailServer) deliver(to, header string) {
	t := m.peers.t
	t.Helper()
	conn, err := net.DialTimeout("tcp", address(m.lmtp), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	c := textproto.NewConn(conn)
	for _, step := range []struct {
		say  string
		want int
	}{
		{"", 220}, {"LHLO test", 250}, {"MAIL FROM:<test@skywatch.test>", 250}, {"RCPT TO:<" + to + ">", 250}, {"DATA", 354},
		{strings.ReplaceAll(header, "\n", "\r\n") + "\r\nhello\r\n.", 250}, {"QUIT", 221},
	} {
		if step.say != "" {
			fmt.Fprintf(conn, "%s\r\n", step.say)
		}
		if _, _, err := c.ReadResponse(step.want); err != nil {
			t.Fatalf("delivering to %s: after %q: %v", to, step.say, err)
		}
	}
}

// subjects gives the subjects of the messages in a Maildir of the user; folder is "" or ".Name".
func (m *mailServer) subjects(folder string) (all []string) {
	t := m.peers.t
	t.Helper()
	files, err := filepath.Glob(filepath.Join(m.peers.dir, "dovecot", "mail", mailUser, "Maildir", folder, "*", "*.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if _, after, ok := strings.Cut(string(data), "Subject: "); ok && err == nil {
			subject, _, _ := strings.Cut(after, "\n")
			all = append(all, strings.TrimSpace(subject))
		}
	}
	return all
}
