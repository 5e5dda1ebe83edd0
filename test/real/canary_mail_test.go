// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"crypto/md5"
	"encoding/hex"
	"strings"
)

// parrotSMTP speaks SMTP.
func parrotSMTP(c *parrotTalk) {
	if c.mood == moodTurnsAway {
		c.say("421-4.3.2 %s\r\n421 4.3.2 %s", c.secret, c.echo())
		return
	}
	c.say("220 %s", c.echo())
	for said, ok := c.line(); ok; said, ok = c.line() {
		verb, rest, _ := strings.Cut(said, " ")
		switch verb {
		case "EHLO":
			c.say("250-%s", c.echo())
			for _, word := range c.words() {
				c.say("250-%s %s", word, c.secret)
			}
			c.say("250 AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2 %s", c.secret)
		case "AUTH":
			parrotAuthSMTP(c, rest)
		case "QUIT":
			c.say("221 %s", c.echo())
			return
		default:
			c.say("550 5.1.1 %s", c.echo())
		}
	}
}

// parrotAuthSMTP is AUTH.
func parrotAuthSMTP(c *parrotTalk, rest string) {
	mechanism, initial, _ := strings.Cut(rest, " ")
	ask := func(challenge string) (answer string, ok bool) {
		c.say("334 %s", encoded(challenge))
		return c.line()
	}
	switch mechanism {
	case "PLAIN":
		c.sasl(initial)
	case "LOGIN":
		ask("Username:")
		password, _ := ask("Password:")
		c.sasl(password)
	case "CRAM-MD5":
		if answer, ok := ask(canaryChallenge); ok { // a probe may be cancelled at any time
			c.cramMD5(answer)
		}
	case "XOAUTH2":
		c.sasl(initial)
		if c.mood == moodRefuses {
			ask(`{"status":"` + c.secret + `"}`)
		}
	}
	if c.mood == moodRefuses {
		c.say("535-5.7.8 %s\r\n535 5.7.8 %s", c.secret, c.echo())
		return
	}
	c.say("235 2.7.0 %s", c.echo())
}

// parrotIMAP speaks IMAP.
func parrotIMAP(c *parrotTalk) {
	if c.mood == moodTurnsAway {
		c.say("* BYE [%s] %s", c.secret, c.echo())
		return
	}
	caps := "CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=CRAM-MD5 AUTH=XOAUTH2 " + strings.Join(c.says, " ")
	c.say("* OK [%s] %s", caps, c.echo())
	for said, ok := c.line(); ok; said, ok = c.line() {
		tag, command, _ := strings.Cut(said, " ")
		verb, rest, _ := strings.Cut(command, " ")
		switch {
		case verb == "CAPABILITY":
			c.say("* %s\r\n%s OK %s", caps, tag, c.echo())
			continue
		case verb == "LOGOUT":
			c.say("* BYE %s\r\n%s OK %s", c.echo(), tag, c.echo())
			return
		case verb == "LOGIN":
			c.heard = append(c.heard, rest)
		case verb == "AUTHENTICATE":
			parrotAuthIMAP(c, rest)
		default:
			c.say("* NO %s\r\n%s NO [%s] %s", c.echo(), tag, c.secret, c.echo())
			continue
		}
		if c.mood == moodRefuses {
			c.say("* NO %s\r\n%s NO [%s] %s", c.echo(), tag, c.secret, c.echo())
			continue
		}
		c.say("%s OK [%s] %s", tag, caps, c.echo())
	}
}

// parrotAuthIMAP is AUTHENTICATE, without its outcome.
func parrotAuthIMAP(c *parrotTalk, rest string) {
	mechanism, initial, _ := strings.Cut(rest, " ")
	if mechanism == "CRAM-MD5" {
		c.say("+ %s", encoded(canaryChallenge))
		if answer, ok := c.line(); ok { // a probe may be cancelled at any time
			c.cramMD5(answer)
		}
		return
	}
	c.sasl(initial)
	if mechanism == "XOAUTH2" && c.mood == moodRefuses {
		c.say("+ %s", encoded(c.secret))
		c.line()
	}
}

// parrotPOP3 speaks POP3.
func parrotPOP3(c *parrotTalk) {
	if c.mood == moodTurnsAway {
		c.say("-ERR [%s] %s", c.secret, c.echo())
		return
	}
	c.say("+OK %s %s", c.echo(), canaryChallenge)
	for said, ok := c.line(); ok; said, ok = c.line() {
		verb, rest, _ := strings.Cut(said, " ")
		switch verb {
		case "CAPA":
			c.say("+OK %s\r\nUSER\r\n%s\r\n%s\r\n.", c.echo(), strings.Join(c.says, "\r\n"), c.echo())
			continue
		case "USER":
			c.say("+OK %s", c.echo())
			continue
		case "QUIT":
			c.say("+OK %s", c.echo())
			return
		case "PASS":
			c.heard = append(c.heard, rest)
		case "APOP":
			sum := md5.Sum([]byte(canaryChallenge + c.secret))
			if digest := hex.EncodeToString(sum[:]); rest != "watch "+digest {
				c.t.Errorf("got %q for APOP, want %q", rest, "watch "+digest)
			}
			c.prove(strings.TrimPrefix(rest, "watch "))
			c.digest([]byte(strings.TrimPrefix(rest, "watch ")))
		}
		if c.mood == moodFails && (verb == "PASS" || verb == "APOP") {
			c.say("+OK %s", c.echo())
			continue
		}
		c.say("-ERR [%s] %s", c.secret, c.echo())
	}
}

// parrotFTP speaks FTP; with account it also wants that, which is the secret then.
func parrotFTP(account bool) func(c *parrotTalk) {
	return func(c *parrotTalk) {
		if c.mood == moodTurnsAway {
			c.say("421-%s\r\n%s\r\n421 %s", c.echo(), c.echo(), c.echo())
			return
		}
		c.say("220-%s\r\n%s\r\n220 %s", c.echo(), c.echo(), c.echo())
		for said, ok := c.line(); ok; said, ok = c.line() {
			verb, rest, _ := strings.Cut(said, " ")
			if verb == "PASS" || verb == "ACCT" {
				c.heard = append(c.heard, rest)
			}
			switch {
			case verb == "USER":
				c.say("331 %s", c.echo())
			case verb == "PASS" && account:
				c.say("332 %s", c.echo())
			case (verb == "PASS" || verb == "ACCT") && c.mood == moodFails:
				c.say("230-%s\r\n230 %s", c.echo(), c.echo())
			case verb == "PASS" || verb == "ACCT":
				c.say("530-%s\r\n530 %s", c.echo(), c.echo())
			default:
				c.say("550 %s", c.echo())
			}
		}
	}
}
