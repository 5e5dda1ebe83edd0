// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// letter is a mail as a reader sees it.
type letter struct {
	id, inReplyTo, references string
	subject, received, text   string
}

func parseLetter(raw string) (letter, error) {
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		return letter{}, fmt.Errorf("reading a mail: %w", err)
	}
	body := m.Body
	if strings.EqualFold(m.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return letter{}, fmt.Errorf("reading a mail: %w", err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	return letter{
		id: m.Header.Get("Message-Id"), inReplyTo: m.Header.Get("In-Reply-To"), references: m.Header.Get("References"),
		subject: subject, received: strings.Join(m.Header["Received"], "\n"), text: string(text),
	}, err
}

// mailbox reads mail over IMAP with TLS, as its owner does.
type mailbox struct {
	address, user, password string
	roots                   *x509.CertPool
}

func openMailbox(t *testing.T, p *peers, imaps int) *mailbox {
	t.Helper()
	pem, err := os.ReadFile(p.pki() + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &mailbox{address: address(imaps), user: "watch@skywatch.test", password: "Watch-pw1", roots: roots}
}

// letters gives all mail of the inbox in the order of arrival.
func (b *mailbox) letters() ([]letter, error) {
	d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: time.Minute}, Config: &tls.Config{RootCAs: b.roots, ServerName: "localhost"}}
	conn, err := d.Dial("tcp", b.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	s := &imapSession{conn: conn, in: bufio.NewReader(conn)}
	if _, err := s.in.ReadString('\n'); err != nil {
		return nil, err
	}
	if _, err := s.command("LOGIN " + b.user + " " + b.password); err != nil {
		return nil, err
	}
	status, err := s.command("SELECT INBOX")
	if err != nil || strings.Contains(status.text, "* 0 EXISTS") {
		return nil, err
	}
	reply, err := s.command("FETCH 1:* (BODY.PEEK[])")
	if err != nil {
		return nil, err
	}
	var all []letter
	for _, raw := range reply.literals {
		l, err := parseLetter(raw)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// imapSession speaks just enough of RFC 3501.
type imapSession struct {
	conn net.Conn
	in   *bufio.Reader
	tag  int
}

type imapReply struct {
	text     string
	literals []string
}

var literalEnd = regexp.MustCompile(`\{(\d+)\}\r\n$`)

// command sends a command and reads up to its tagged reply, which must be OK.
func (s *imapSession) command(text string) (reply imapReply, err error) {
	s.tag++
	tag := "a" + strconv.Itoa(s.tag) + " "
	if _, err := io.WriteString(s.conn, tag+text+"\r\n"); err != nil {
		return reply, err
	}
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return reply, err
		}
		if strings.HasPrefix(line, tag) {
			if !strings.HasPrefix(line, tag+"OK") {
				return reply, fmt.Errorf("imap %q: %q, want OK", text, line)
			}
			return reply, nil
		}
		reply.text += line
		if m := literalEnd.FindStringSubmatch(line); m != nil {
			size, _ := strconv.Atoi(m[1])
			literal := make([]byte, size)
			if _, err := io.ReadFull(s.in, literal); err != nil {
				return reply, err
			}
			reply.literals = append(reply.literals, string(literal))
		}
	}
}
