// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package lockout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"

	"skywatch/internal/probe"
)

// TestPausesGrow: a check every minute for a day and a half sends a wrong secret ten times.
func TestPausesGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s, start := newFixture(DefaultConfig()), &server{secret: "right"}, time.Now()
		var tried []time.Duration
		for range 36 * 60 {
			begun := time.Now()
			if err := f.check(s, "wrong"); err == errRefused {
				tried = append(tried, begun.Sub(start))
			} else if !heldUp(err) {
				t.Fatalf("got %v", err)
			}
			time.Sleep(time.Minute - time.Since(begun))
		}
		want := []time.Duration{0, 1, 2, 18, 49, 110, 231, 472, 833, 1194, 1555, 1916}
		for i := range want {
			want[i] *= time.Minute
		}
		if fmt.Sprint(tried) != fmt.Sprint(want) {
			t.Errorf("tried after %v, want %v", tried, want)
		}
	})
}

// TestNoMoreThanTheCountAreRefused: 64 checks share a secret that is wrong, and begin at once.
func TestNoMoreThanTheCountAreRefused(t *testing.T) {
	for _, most := range []int{1, 3, 7} {
		synctest.Test(t, func(t *testing.T) {
			config := DefaultConfig()
			config.Max = most
			f, s := newFixture(config), &server{secret: "right"}
			var all sync.WaitGroup
			var mu sync.Mutex
			held := 0
			for i := range 64 {
				all.Go(func() {
					origin := []probe.Origin{probe.OriginSchedule, probe.OriginRequest}[i%2]
					err := f.try(context.Background(), origin, s, login("wrong"))
					mu.Lock()
					defer mu.Unlock()
					if heldUp(err) {
						held++
					} else if err != errRefused {
						t.Errorf("got %v", err)
					}
				})
			}
			all.Wait()
			if s.refused != most || held != 64-most {
				t.Errorf("%d logins refused and %d held up, want %d and %d", s.refused, held, most, 64-most)
			}
		})
	}
}

// TestAWorkingSecretIsNotHeldUp: all of 64 get through, some at a time.
func TestAWorkingSecretIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFixture(DefaultConfig()), &server{secret: "right"}
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				if err := f.check(s, "right"); err != nil {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if s.accepted != 64 || s.most != 3 {
			t.Errorf("%d accepted, %d at once, want 64 and 3", s.accepted, s.most)
		}
	})
}

func TestAfterThePauseOneIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFixture(DefaultConfig()), &server{secret: "right"}
		for range 3 {
			f.check(s, "wrong")
		}
		time.Sleep(15 * time.Minute)
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() { f.check(s, "wrong") })
		}
		all.Wait()
		if s.refused != 4 {
			t.Errorf("%d refused, want one more than 3", s.refused)
		}
	})
}

// TestSuccessClears: the server learns the secret during the pause; the first that is let through clears for all.
func TestSuccessClears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFixture(DefaultConfig()), &server{secret: "right"}
		for range 3 {
			f.check(s, "late")
		}
		s.secret = "late"
		if err := f.check(s, "late"); !heldUp(err) {
			t.Errorf("got %v, want a pause", err)
		}
		time.Sleep(15 * time.Minute)
		for range 5 {
			if err := f.check(s, "late"); err != nil {
				t.Errorf("got %v, want it accepted", err)
			}
		}
		s.secret = "other"
		for range 3 {
			if err := f.check(s, "late"); err != errRefused {
				t.Errorf("got %v, want a count from the start", err)
			}
		}
		if data, err := f.memory(accountOf("", login("")).place()).Get(tallyName); err != nil || !strings.Contains(string(data), `"refusals":3`) {
			t.Errorf("stored %s, want 3 refusals", data)
		}
	})
}

// TestTextsAndLog: what the user reads.
func TestTextsAndLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is 2000-01-01 00:00 UTC
		f, s := newFixture(DefaultConfig()), &server{secret: "right"}
		for range 3 {
			f.check(s, "wrong")
		}
		err := f.check(s, "wrong")
		want := `logins to "mail:993" with credential "box" are paused until 00:16 after 3 refusals in a row, want a working secret`
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if got := f.Notices(); len(got) != 1 || got[0] != `Logins to "mail:993" with credential "box" are paused until 00:16 after 3 refusals in a row` {
			t.Errorf("notices %q", got)
		}
		time.Sleep(16 * time.Minute)
		f.check(s, "wrong")
		f.check(s, "right")
		log := "level=WARN msg=\"logins are paused\" credential=box address=mail:993 refusals=3 until=2000-01-01T00:15:00Z\n" +
			"level=INFO msg=\"logins go on\" credential=box address=mail:993 why=\"time is up\"\n" +
			"level=WARN msg=\"logins are paused\" credential=box address=mail:993 refusals=4 until=2000-01-01T00:46:00Z\n" +
			"level=INFO msg=\"logins go on\" credential=box address=mail:993 why=\"secret changed\"\n"
		if f.log.String() != log {
			t.Errorf("logged\n%swant\n%s", f.log.String(), log)
		}
		if got := f.Notices(); len(got) != 0 {
			t.Errorf("notices %q, want none", got)
		}
	})
}

// TestRequestsKeepAPace: not paused, but one in 15 minutes; the wait is told.
func TestRequestsKeepAPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFixture(DefaultConfig()), &server{secret: "right"}
		for range 4 * 60 {
			if err := f.request(s, "wrong"); err != errRefused && !heldUp(err) {
				t.Fatalf("got %v", err)
			}
			time.Sleep(time.Minute - 50*time.Millisecond)
		}
		if s.refused > 3+16 || s.refused < 3+14 {
			t.Errorf("%d refused in 4 hours, want 3 and one in 15 minutes", s.refused)
		}
		hold := new(Hold)
		if err := f.request(s, "wrong"); !errors.As(err, &hold) || hold.After <= 0 || hold.After > 15*time.Minute {
			t.Errorf("got %v, want to be told when", err)
		}
		if err := f.check(s, "wrong"); !errors.As(err, &hold) || hold.After < 5*time.Hour {
			t.Errorf("a check waits %s, want the pause that grew", hold.After)
		}
	})
}

// TestWhatIsOneAccount: another spelling of the server is no way around; other users, servers and modules are other accounts.
func TestWhatIsOneAccount(t *testing.T) {
	f, s := newFixture(DefaultConfig()), &server{secret: "right"}
	for range 3 {
		f.check(s, "wrong")
	}
	ctx := context.Background()
	same := login("wrong")
	same.Address = "MAIL:993"
	if err := f.try(ctx, probe.OriginSchedule, s, same); !heldUp(err) {
		t.Errorf("another spelling gives %v, want a pause", err)
	}
	for name, change := range map[string]func(l *probe.Login){
		"server": func(l *probe.Login) { l.Address = "mail:143" },
		"user":   func(l *probe.Login) { l.Username = "fred" },
		"secret": func(l *probe.Login) { l.Credential = "" },
		"name":   func(l *probe.Login) { l.Credential = "imap" },
	} {
		l := login("wrong")
		change(&l)
		if err := f.try(ctx, probe.OriginSchedule, s, l); err != errRefused {
			t.Errorf("another %s gives %v, want a try", name, err)
		}
	}
}

func TestGuardIsOff(t *testing.T) {
	config := DefaultConfig()
	config.Max = 0
	f, s := newFixture(config), &server{secret: "right"}
	for range 10 {
		if err := f.check(s, "wrong"); err != errRefused {
			t.Errorf("got %v, want a refusal by the server", err)
		}
	}
	f.Apply(DefaultConfig())
	for range 3 {
		f.check(s, "wrong")
	}
	if err := f.check(s, "wrong"); !heldUp(err) {
		t.Errorf("got %v, want a pause once it is on", err)
	}
	f.Apply(config)
	if err := f.check(s, "wrong"); err != errRefused {
		t.Errorf("got %v, want none once it is off", err)
	}
}

// TestWaitingEnds: whoever waits for others gives up with its time, and when a frozen login ends the next one goes on.
func TestWaitingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(DefaultConfig())
		c := probe.Check{Module: &probe.Module{Name: "imap"}, Origin: probe.OriginSchedule}
		var frozen []*Pass
		for range 3 {
			pass, _ := f.Begin(c, nil)
			if err := pass.Enter(t.Context(), login("a")); err != nil {
				t.Fatal(err)
			}
			frozen = append(frozen, pass)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		waiting, _ := f.Begin(c, nil)
		err := waiting.Enter(ctx, login("a"))
		want := `logging in to "mail:993": other logins with the same secret are under way: context deadline exceeded, want their outcome first`
		if err == nil || err.Error() != want || probe.ReasonOf(err) != probe.ReasonTimeout {
			t.Errorf("got %v, want %s", err, want)
		}
		go func() {
			time.Sleep(time.Second)
			frozen[0].Leave(false)
		}()
		if err := waiting.Enter(t.Context(), login("a")); err != nil {
			t.Error(err)
		}
		if hold := waiting.End(); hold != nil {
			t.Errorf("held up: %v", hold)
		}
	})
}

// TestAnAttemptDoesNotWaitForItself: a login that was cut off leaves its place to the next one of the same attempt.
func TestAnAttemptDoesNotWaitForItself(t *testing.T) {
	config := DefaultConfig()
	config.Max = 1
	f, s := newFixture(config), &server{secret: "right"}
	pass, _ := f.Begin(probe.Check{Module: &probe.Module{Name: "imap"}, Origin: probe.OriginSchedule}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	for range 3 {
		if err := pass.Enter(ctx, login("right")); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	pass.Verdict(login("right"), true)
	pass.End()
	if err := f.check(s, "right"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestClockSetBack(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	f, s := newFixture(DefaultConfig()), &server{secret: "right"}
	f.o.Now = func() time.Time { return now }
	for range 3 {
		f.check(s, "wrong")
	}
	now = now.AddDate(-1, 0, 0)
	hold := new(Hold)
	if err := f.check(s, "wrong"); !errors.As(err, &hold) || hold.After > 15*time.Minute {
		t.Errorf("got %v for %s, want a pause from now", err, hold.After)
	}
	if got := f.clock(now.Add(24 * time.Hour)); got != "2025-05-02 12:00" {
		t.Errorf("another day is shown as %s", got)
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	now := time.Unix(1_000_000, 0)
	g := New(Options{Config: DefaultConfig(), Registerer: reg, Now: func() time.Time { return now }})
	c := probe.Check{Module: &probe.Module{Name: "imap"}}
	for _, l := range []probe.Login{login("a"), login("a"), login("a"), {Address: "h:1", Secret: "x"}, {Credential: "module:imap", Address: "h:1", Secret: "x"}} {
		pass, _ := g.Begin(c, nil)
		pass.Verdict(l, false)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, family := range families {
		expfmt.MetricFamilyToText(&text, family)
	}
	want := `# HELP skywatch_login_paused_until_timestamp_seconds When checks log in again with a credential that a server refused too often. Absent when they are not paused.
# TYPE skywatch_login_paused_until_timestamp_seconds gauge
skywatch_login_paused_until_timestamp_seconds{address="mail:993",credential="box"} 1.0009e+06
# HELP skywatch_login_refusals How often in a row a server refused a credential. Absent when it was not, or was accepted since.
# TYPE skywatch_login_refusals gauge
skywatch_login_refusals{address="h:1",credential="module:imap"} 1
skywatch_login_refusals{address="mail:993",credential="box"} 3
`
	if text.String() != want {
		t.Errorf("got\n%swant\n%s", text.String(), want)
	}
	if problems, err := promlint.New(&text).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
}

func TestAccountsAreBounded(t *testing.T) {
	g := New(Options{Config: DefaultConfig()})
	for i := range maxAccounts + 10 {
		pass, _ := g.Begin(probe.Check{Module: &probe.Module{Name: "imap"}}, nil)
		pass.Verdict(probe.Login{Credential: "c", Address: fmt.Sprint("h:", i), Secret: "x"}, i%2 == 0)
	}
	if len(g.tallies) > maxAccounts {
		t.Errorf("%d accounts are kept, want at most %d", len(g.tallies), maxAccounts)
	}
	if len(g.refusedAccounts()) != maxShown {
		t.Errorf("%d are shown, want %d", len(g.refusedAccounts()), maxShown)
	}
}

func TestConfig(t *testing.T) {
	second := probe.Duration(time.Second)
	for want, c := range map[string]Config{
		"login_guard: auth_failures_max: -1, want 1 to 100, or 0 to pause never":  {-1, second, second},
		"login_guard: auth_failures_max: 101, want 1 to 100, or 0 to pause never": {101, second, second},
		"login_guard: pause_min: 0s, want 1s to 168h0m0s":                         {3, 0, second},
		"login_guard: pause_max: 1s, want pause_min (2s) to 168h0m0s":             {3, 2 * second, second},
	} {
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("%+v: %v, want %s", c, err, want)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	if got := (Config{1, second, probe.Duration(1 << 62)}).pause(1000); got != 1<<62 {
		t.Errorf("the longest pause is %s", got)
	}
}
