// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
	"skywatch/internal/record"
)

const canary = "correct-horse-42"

var sample = record.Message{
	ID: 1, Notifier: "ops", Kind: record.KindAlert, MessageID: "2.ring@example.org", InReplyTo: "1.ring@example.org",
	References: []string{"1.ring@example.org", "0.ring@example.org"}, Subject: "UP Größe", Text: "Größe is up\n.\n" + strings.Repeat("x", 1200) + "\n",
	SealedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
}

func mailTo(server *smarthost, to ...string) *email {
	if to == nil {
		to = []string{"a@example.org"}
	}
	config := EmailConfig{Smarthost: "127.0.0.1:25", TLS: tlsNone, From: "Skywatch <watch@example.org>", To: to, Hello: "here"}
	return &email{config: config, version: "1.0", dial: server.dial}
}

func TestEmailIsWhatWasSealed(t *testing.T) {
	server := new(smarthost)
	if err := mailTo(server, "A <a@example.org>", "b@example.org").Notify(t.Context(), sample); err != nil {
		t.Fatal(err)
	}
	server.served.Wait()
	got := server.taken[0]
	subject, _ := new(mime.WordDecoder).DecodeHeader(got.header.Get("Subject"))
	body, _ := io.ReadAll(quotedprintable.NewReader(strings.NewReader(got.body)))
	for what, pair := range map[string][2]string{
		"subject":    {subject, sample.Subject},
		"text":       {strings.TrimRight(string(body), "\n"), strings.TrimRight(sample.Text, "\n")},
		"message id": {got.id, sample.MessageID},
		"reply":      {got.header.Get("In-Reply-To"), "<1.ring@example.org>"},
		"references": {got.header.Get("References"), "<1.ring@example.org> <0.ring@example.org>"},
		"date":       {got.header.Get("Date"), "Sun, 01 Mar 2026 12:00:00 +0000"},
		"from":       {got.header.Get("From"), `"Skywatch" <watch@example.org>`},
		"to":         {strings.Join(got.rcpts, " "), "a@example.org b@example.org"},
		"agent":      {got.header.Get("User-Agent"), "skywatch/1.0"},
		"automatic":  {got.header.Get("Auto-Submitted"), "auto-generated"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
		}
	}
}

func TestTheSameMessageIsTheSameMail(t *testing.T) {
	server := new(smarthost)
	for range 2 {
		if err := mailTo(server).Notify(t.Context(), sample); err != nil {
			t.Fatal(err)
		}
	}
	server.served.Wait()
	if server.taken[0].body != server.taken[1].body || fmt.Sprint(server.taken[0].header) != fmt.Sprint(server.taken[1].header) {
		t.Errorf("second copy %+v, want %+v", server.taken[1], server.taken[0])
	}
}

// at makes a script that answers one step, the first of its name.
func at(step string, a answer) func(string, int) answer {
	done := false
	return func(got string, _ int) answer {
		if got != step || done {
			return answer{}
		}
		done = true
		return a
	}
}

func TestEmailOutcomes(t *testing.T) {
	tests := []struct {
		step  string
		do    answer
		want  outcome
		taken bool
		text  string
	}{
		{"greeting", answer{text: "421 busy"}, outcomeFailed, false, `sending mail through "127.0.0.1:25": server said "421 busy"`},
		{"greeting", answer{text: "554 go away"}, outcomeRefused, false, `server said "554 go away"`},
		{"greeting", answer{cut: true}, outcomeFailed, false, "EOF"},
		{"greeting", answer{silent: true}, outcomeFailed, false, "timeout"},
		{"greeting", answer{text: "220" + strings.Repeat("x", 2<<20)}, outcomeFailed, false, "more than 1048576 bytes received"},
		{"MAIL", answer{text: "451 later"}, outcomeFailed, false, `MAIL FROM <watch@example.org>: server said "451 later"`},
		{"MAIL", answer{text: "550-no\n550 never"}, outcomeRefused, false, `server said "550 no\nnever"`},
		{"RCPT", answer{text: "550 unknown"}, outcomeRefused, false, `RCPT TO <a@example.org>: server said "550 unknown"`},
		{"RCPT", answer{text: "450 greylisted"}, outcomeFailed, false, `RCPT TO <a@example.org>: server said "450 greylisted"`},
		{"RCPT", answer{cut: true}, outcomeFailed, false, "RCPT TO <a@example.org>"},
		{"DATA", answer{text: "452 full"}, outcomeFailed, false, `DATA: server said "452 full"`},
		{"DATA", answer{silent: true}, outcomeFailed, false, "DATA: "},
		{".", answer{text: "552 too large"}, outcomeRefused, false, `end of DATA: server said "552 too large"`},
		{".", answer{text: "451 scanner"}, outcomeFailed, false, `end of DATA: server said "451 scanner"`},
		{".", answer{text: "251 forwarded"}, outcomeSent, true, ""},
		{".", answer{cut: true}, outcomeDoubtful, true, "the message went out but no answer came: EOF"},
		{".", answer{cut: true, lose: true}, outcomeDoubtful, false, "no answer came"},
		{".", answer{silent: true}, outcomeDoubtful, true, "no answer came"},
		{".", answer{text: "what?"}, outcomeDoubtful, false, "no answer came"},
		{"QUIT", answer{text: "500 no"}, outcomeSent, true, ""},
		{"QUIT", answer{cut: true}, outcomeSent, true, ""},
		{"QUIT", answer{silent: true}, outcomeSent, true, ""},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %.12v", test.step, test.do), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &smarthost{script: at(test.step, test.do)}
				begin := time.Now()
				err := mailTo(server).Notify(t.Context(), sample)
				if took := time.Since(begin); took > mailTime {
					t.Errorf("took %s, want at most %s", took, mailTime)
				}
				got := outcomeOf(err)
				if got.outcome != test.want || !strings.Contains(got.text, test.text) {
					t.Errorf("%s: %q, want %s: ...%q", got.outcome, got.text, test.want, test.text)
				}
				server.served.Wait()
				if taken := len(server.taken) == 1; taken != test.taken {
					t.Errorf("taken: %v, want %v", taken, test.taken)
				}
			})
		})
	}
}

func TestACutConnectionBeforeTheDotIsNoDoubt(t *testing.T) {
	client, server := net.Pipe()
	conn := new(mailConn)
	conn.adopt(t.Context(), client)
	server.Close()
	if _, err := conn.Write([]byte("x")); err == nil {
		t.Fatal("writing to a closed pipe succeeded")
	}
	var typed *DeliveryError
	if err := afterDot(errors.New("closed"), conn); errors.As(err, &typed) {
		t.Errorf("%+v after a write that failed, want no doubt", typed)
	}
}

func TestSomeRecipientsRefused(t *testing.T) {
	server := &smarthost{script: at("RCPT", answer{text: "550 unknown"})}
	got := outcomeOf(mailTo(server, "a@example.org", "b@example.org").Notify(t.Context(), sample))
	want := `sending mail through "127.0.0.1:25": taken, but not for every recipient: RCPT TO <a@example.org>: server said "550 unknown"`
	if got.outcome != outcomePartial || got.text != want {
		t.Errorf("%s: %q, want partial: %q", got.outcome, got.text, want)
	}
	server.served.Wait()
	if rcpts := server.taken[0].rcpts; !slices.Equal(rcpts, []string{"b@example.org"}) {
		t.Errorf("taken for %q, want b@example.org", rcpts)
	}
}

func TestEmailEncryption(t *testing.T) {
	ca := probetest.NewCA(t)
	good := probetest.Config(ca.For("127.0.0.1", "localhost"))
	tests := []struct {
		name   string
		mode   string
		server *smarthost
		ca     string
		want   string // "" = sent
	}{
		{"starttls", tlsStart, &smarthost{secure: good, login: "me:" + canary}, ca.File(), ""},
		{"tls", tlsImplicit, &smarthost{secure: good, implicit: true, login: "me:" + canary}, ca.File(), ""},
		{"none", tlsNone, &smarthost{login: "me:" + canary}, "", ""},
		{"starttls not offered", tlsStart, &smarthost{login: "me:" + canary}, "", "does not support STARTTLS"},
		{"unknown authority", tlsStart, &smarthost{secure: good}, "", "certificate"},
		{"wrong password", tlsStart, &smarthost{secure: good, login: "me:other"}, ca.File(), "535 5.7.8 refused"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := mailTo(test.server)
			e.dial = new(net.Dialer).DialContext
			e.config.Smarthost, e.config.TLS = test.server.listen(t), test.mode
			e.config.TLSConfig = MailTLS{CAFile: test.ca, ServerName: "localhost"}
			e.config.Username = "me"
			e.config.PasswordFile = filepath.Join(t.TempDir(), "password")
			if err := os.WriteFile(e.config.PasswordFile, []byte(canary+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := e.config.validate(); err != nil {
				t.Fatal(err)
			}
			err := e.Notify(t.Context(), sample)
			if test.want == "" && err != nil {
				t.Errorf("error %v, want none", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want ...%q", err, test.want)
			}
			if err != nil {
				secretIn(t, err.Error())
			}
		})
	}
}

// secretIn finds the canary in any spelling that the probe package masks.
func secretIn(t *testing.T, text string) {
	t.Helper()
	if probe.Mask(text, canary) != text {
		t.Errorf("%q has the secret in it", text)
	}
}

func TestNoPasswordOverAnOpenLine(t *testing.T) {
	server := &smarthost{login: "me:" + canary}
	e := mailTo(server)
	e.config.Smarthost, e.config.Username, e.config.Password = "mail.example.org:25", "me", canary
	err := e.Notify(t.Context(), sample)
	if err == nil || !strings.Contains(err.Error(), "unencrypted connection") {
		t.Errorf("error %v, want one that names the unencrypted connection", err)
	}
	server.served.Wait()
	if slices.Contains(server.steps, "AUTH") {
		t.Errorf("steps %q, want no AUTH", server.steps)
	}
}

func TestEmailEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &smarthost{script: at("MAIL", answer{silent: true})}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		if err := mailTo(server).Notify(ctx, sample); err == nil {
			t.Error("sent, want a failure")
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("took %s, want 3s", took)
		}
		server.served.Wait()
	})
}
