// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package lockout

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skywatch/internal/probe"
)

// at tries a login at a port of the server.
func (f *fixture) at(s *server, secret probe.Secret, port int) error {
	l := login(secret)
	l.Address = fmt.Sprint("mail:", port)
	return f.try(context.Background(), probe.OriginSchedule, s, l)
}

// TestPortsOfAHostShareTheCount: behind 25, 143, 587, 993 and so on there is mostly one account. Each port has one try of its own, since it
// may well accept what the others refuse; then the refusals of all count, before and after a restart.
func TestPortsOfAHostShareTheCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFixture(DefaultConfig()), &server{secret: "right"}
		ports := []int{25, 143, 465, 587, 993}
		for round := range 4 {
			for _, port := range ports {
				if err := f.at(s, "wrong", port); err != errRefused && !heldUp(err) {
					t.Fatalf("port %d: %v", port, err)
				}
			}
			if s.refused != len(ports) {
				t.Fatalf("%d refused in round %d, want one for each of %d ports", s.refused, round, len(ports))
			}
			f.restart(DefaultConfig())
		}
		err := f.at(s, "wrong", 25)
		want := `logins to "mail:25" with credential "box" are paused until 01:01 after 5 refusals in a row, want a working secret`
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if got := f.Notices(); len(got) != 5 || !strings.HasSuffix(got[0], "after 5 refusals in a row") {
			t.Errorf("notices %q", got)
		}
		time.Sleep(time.Hour + time.Minute)
		for _, port := range ports {
			f.at(s, "wrong", port)
		}
		if s.refused != len(ports)+1 {
			t.Errorf("%d refused after the pause, want one more", s.refused-len(ports))
		}
		for _, port := range ports {
			if err := f.at(s, "right", port); err != nil {
				t.Errorf("the changed secret at port %d: %v", port, err)
			}
		}
	})
}

// TestAPortThatAcceptsIsNotHeldUp by one of the same host that refuses, not even after a restart, and does not clear its count.
func TestAPortThatAcceptsIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, good, bad := newFixture(DefaultConfig()), &server{secret: "mine"}, &server{secret: "other"}
		for i := range 10 {
			f.at(bad, "mine", 25)
			if err := f.at(good, "mine", 993); err != nil {
				t.Errorf("round %d: %v, want it accepted", i, err)
			}
			if i > 5 {
				f.restart(DefaultConfig())
			}
		}
		if bad.refused != 3 {
			t.Errorf("%d refused, want 3", bad.refused)
		}
	})
}

// hangUp begins a login and is gone before the server judges it.
func (f *fixture) hangUp(ctx context.Context, secret probe.Secret, origin probe.Origin) error {
	pass, hold := f.Begin(probe.Check{Module: &probe.Module{Name: "imap"}, Origin: origin}, []probe.Login{login(secret)})
	if hold != nil {
		return hold
	}
	defer pass.End()
	err := pass.Enter(ctx, login(secret))
	pass.Leave(true)
	return err
}

// TestHangingUpIsNoWayAround: a server may take seconds for a refusal. Who does not wait for it, because the time of a probe is shorter or
// the client of a request is gone, has the server refuse no more than the count in pause_min.
func TestHangingUpIsNoWayAround(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, sent := newFixture(DefaultConfig()), 0
		var last error
		for i := range 60 {
			if err := f.hangUp(t.Context(), "wrong", []probe.Origin{probe.OriginRequest, probe.OriginSchedule}[i%2]); err == nil {
				sent++
			} else {
				last = err
			}
			time.Sleep(time.Minute)
		}
		if sent != 3+3 {
			t.Errorf("%d sent in an hour, want 3 and one in 15 minutes", sent)
		}
		want := `logging in to "mail:993": the last 6 logins got no answer in time, which may have been a refusal; the next one is made after 01:02, want an answer`
		if last == nil || last.Error() != want || probe.ReasonOf(last) != probe.ReasonTimeout {
			t.Errorf("got %v, want %s", last, want)
		}
		if err := f.check(&server{secret: "right"}, "right"); err != nil {
			t.Errorf("another secret: %v", err)
		}
	})
}

// TestASlowServerThatKnowsTheSecret hangs for a while: each check is to find that out, and when it is over.
func TestASlowServerThatKnowsTheSecret(t *testing.T) {
	f, s := newFixture(DefaultConfig()), &server{secret: "right"}
	if err := f.check(s, "right"); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := f.hangUp(t.Context(), "right", probe.OriginSchedule); err != nil {
			t.Fatalf("held up: %v", err)
		}
	}
	if err := f.check(s, "right"); err != nil {
		t.Error(err)
	}
	if err := f.check(s, "wrong"); err != errRefused {
		t.Error(err)
	}
	for range 3 {
		f.hangUp(t.Context(), "wrong", probe.OriginSchedule)
	}
	if err := f.hangUp(t.Context(), "wrong", probe.OriginSchedule); err == nil {
		t.Error("a secret that was refused since is sent on")
	}
}
