// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSecretHides(t *testing.T) {
	s := Secret("hunter22")
	text, _ := s.MarshalText()
	value, _ := s.MarshalYAML()
	encoded, _ := json.Marshal(struct{ S Secret }{s})
	all := fmt.Sprintf("%s %v %+v %#v %q %s %v %s %s", s, s, s, s, s, text, value, encoded, s.LogValue())
	if strings.Contains(all, "hunter") || strings.Count(all, secretText) != 8 { // JSON escapes its own <
		t.Errorf("printed as %s", all)
	}
	if Secret("").String() != "" || s.Reveal() != "hunter22" {
		t.Error("the empty secret or Reveal is wrong")
	}
}

func TestTargetStripsUserinfo(t *testing.T) {
	for _, test := range []struct{ in, text, password string }{
		{"host:80", "host:80", ""},
		{"user:pw@host:80", "host:80", "pw"},
		{"http://user:pw@host/a@b?c=d@e", "http://host/a@b?c=d@e", "pw"},
		{"http://user:p@w@host/", "http://host/", "p@w"},
		{"http://user@host", "http://host", ""},
		{"http://host/path?q=user:pw@x", "http://host/path?q=user:pw@x", ""},
		{"http://host#user:pw@x", "http://host#user:pw@x", ""},
		{"", "", ""},
	} {
		target := NewTarget(test.in)
		if target.String() != test.text || target.Password().Reveal() != test.password || target.Raw() != test.in {
			t.Errorf("%q: %q with password %q, want %q with %q", test.in, target, target.Password().Reveal(), test.text, test.password)
		}
	}
}

func TestTargetTextIsBounded(t *testing.T) {
	address := "http://user:pw@host/" + strings.Repeat("\u00e9", maxTargetText)
	target := NewTarget(address)
	if text := target.String(); len(text) > maxTargetText+3 || !strings.HasPrefix(text, "http://host/\u00e9") || !strings.HasSuffix(text, "\u00e9...") {
		t.Errorf("%d bytes shown: %.40s", len(text), text)
	}
	if target.Raw() != address {
		t.Error("the address itself was changed")
	}
}

func TestReasonOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want Reason
	}{
		{nil, ReasonNone},
		{Failf(ReasonTLS, "x"), ReasonTLS},
		{fmt.Errorf("outer: %w", Failf(ReasonTLS, "x")), ReasonTLS},
		{Failf(ReasonAuth, "outer: %w", Failf(ReasonTLS, "x")), ReasonAuth},
		{Failf(ReasonProtocol, "x: %w", os.ErrDeadlineExceeded), ReasonTimeout},
		{Failf(ReasonProtocol, "x: %w and %w", errors.New("y"), context.DeadlineExceeded), ReasonTimeout},
		{&net.DNSError{Err: "no such host"}, ReasonResolve},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, ReasonConnect},
		{errors.New("x"), ReasonInternal},
	} {
		if got := ReasonOf(test.err); got != test.want {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
}

func TestWords(t *testing.T) {
	want := "[resolve connect tls auth timeout protocol response config internal] [up down inconclusive] none aborted reason99 verdict99"
	if got := fmt.Sprint(Reasons(), Verdicts(), Verdict(0), Aborted, Reason(99), Verdict(99)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestEvidence(t *testing.T) {
	if got := Evidence("a\x00\"ä"); got != `"a\x00\"ä"` {
		t.Errorf("got %s", got)
	}
	if got := Evidence(strings.Repeat("ä", 200)); got != `"`+strings.Repeat("ä", 150)+`"...` {
		t.Errorf("got %s", got)
	}
	if got := Evidence("x" + strings.Repeat("ä", 200)); got != `"x`+strings.Repeat("ä", 149)+`"...` {
		t.Errorf("cut inside a rune: %s", got)
	}
}

func TestWorstCase(t *testing.T) {
	c := Check{Timeout: 4 * time.Second, Attempts: 5, RetryDelay: time.Second}
	if got := c.WorstCase(); got != 24*time.Second {
		t.Errorf("got %s, want 24s", got)
	}
	c.Attempts = 0
	if got := c.WorstCase(); got != 4*time.Second {
		t.Errorf("got %s, want 4s", got)
	}
}
