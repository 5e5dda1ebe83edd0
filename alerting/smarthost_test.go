// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// answer is what a smarthost does instead of its usual reply.
type answer struct {
	text   string // reply; "" = the usual one
	cut    bool   // close the connection and reply nothing
	silent bool   // reply nothing and wait for the client to go
	lose   bool   // at the final dot, with cut or silent: do not take the message
}

// smarthost is a small SMTP server of which every reply can be scripted. It keeps what it takes.
type smarthost struct {
	secure   *tls.Config // offers STARTTLS, or speaks TLS from the start
	implicit bool
	login    string // "user:password" that AUTH PLAIN must give; "" = no AUTH
	script   func(step string, n int) answer

	mu     sync.Mutex
	taken  []taken
	steps  []string // all replies, as "EHLO", "MAIL", ..., "." for the final dot
	served sync.WaitGroup
}

// taken is a message that the smarthost took responsibility for.
type taken struct {
	id       string // Message-ID without brackets
	rcpts    []string
	header   mail.Header
	body     string
	answered bool // the client was told so
}

// dial connects without a network; it is the dialer of an email notifier.
func (s *smarthost) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	s.served.Go(func() { s.serve(server) })
	return client, nil
}

// listen gives the address of the server on the loopback interface.
func (s *smarthost) listen(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.served.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); s.served.Wait() })
	return l.Addr().String()
}

// session is one connection.
type session struct {
	*smarthost
	conn     net.Conn
	in       *bufio.Reader
	rcpts    []string
	loggedIn bool
	secured  bool
}

func (s *smarthost) serve(conn net.Conn) {
	c := &session{smarthost: s, conn: conn}
	defer func() { c.conn.Close() }()
	if s.implicit {
		c.conn, c.secured = tls.Server(conn, s.secure), true
	}
	c.in = bufio.NewReader(c.conn)
	for ok := c.reply("greeting", "220 smarthost ESMTP"); ok; {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return
		}
		ok = c.command(strings.TrimRight(line, "\r\n"))
	}
}

// reply answers as scripted; false ends the session.
func (c *session) reply(step, usual string) bool {
	return c.say(c.scripted(step), usual)
}

func (c *session) scripted(step string) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.steps = append(c.steps, step)
	if c.script == nil {
		return answer{}
	}
	return c.script(step, len(c.steps))
}

func (c *session) say(a answer, usual string) bool {
	switch {
	case a.cut:
		return false
	case a.silent:
		io.Copy(io.Discard, c.in)
		return false
	case a.text != "":
		usual = a.text
	}
	_, err := fmt.Fprint(c.conn, strings.ReplaceAll(usual, "\n", "\r\n")+"\r\n")
	return err == nil
}

func (c *session) command(line string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb = strings.ToUpper(verb); verb {
	case "EHLO":
		return c.reply(verb, "250-smarthost\n"+c.extensions()+"250 8BITMIME")
	case "STARTTLS":
		if !c.reply(verb, "220 go on") {
			return false
		}
		c.conn, c.secured = tls.Server(c.conn, c.secure), true
		c.in = bufio.NewReader(c.conn)
		return true
	case "AUTH":
		return c.auth(rest)
	case "MAIL":
		if c.login != "" && !c.loggedIn {
			return c.reply(verb, "530 log in first")
		}
		c.rcpts = nil
		return c.reply(verb, "250 ok")
	case "RCPT":
		return c.recipient(rest)
	case "DATA":
		return c.data()
	case "QUIT":
		c.reply(verb, "221 bye")
		return false
	}
	return c.reply(verb, "250 ok")
}

func (c *session) extensions() string {
	all := ""
	if c.secure != nil && !c.secured {
		all += "250-STARTTLS\n"
	}
	if c.login != "" {
		all += "250-AUTH PLAIN\n"
	}
	return all
}

func (c *session) auth(rest string) bool {
	text, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
	if strings.ReplaceAll(strings.TrimPrefix(string(text), "\x00"), "\x00", ":") != c.login {
		return c.reply("AUTH", "535 5.7.8 refused: "+rest)
	}
	c.loggedIn = true
	return c.reply("AUTH", "235 ok")
}

func (c *session) recipient(rest string) bool {
	a := c.scripted("RCPT")
	if a.text == "" || strings.HasPrefix(a.text, "2") {
		c.rcpts = append(c.rcpts, strings.Trim(strings.TrimPrefix(rest, "TO:"), "<>"))
	}
	return c.say(a, "250 ok")
}

func (c *session) data() bool {
	a := c.scripted("DATA")
	if !c.say(a, "354 go on") || a.text != "" && !strings.HasPrefix(a.text, "354") {
		return !a.cut && !a.silent
	}
	text, err := io.ReadAll(textproto.NewReader(c.in).DotReader())
	if err != nil {
		return false
	}
	return c.take(string(text))
}

// take is the answer to the final dot.
func (c *session) take(text string) bool {
	a := c.scripted(".")
	msg, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		return c.say(answer{text: "554 " + err.Error()}, "")
	}
	body, _ := io.ReadAll(msg.Body)
	if !a.lose && (a.text == "" || strings.HasPrefix(a.text, "2")) {
		c.mu.Lock()
		c.taken = append(c.taken, taken{
			id: strings.Trim(msg.Header.Get("Message-ID"), "<>"), rcpts: c.rcpts, header: msg.Header, body: string(body),
			answered: !a.cut && !a.silent,
		})
		c.mu.Unlock()
	}
	return c.say(a, "250 taken")
}
