// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

func TestDownAndUpAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.start()
		w.up("A") // silent
		time.Sleep(time.Minute)
		w.expect("ops")
		w.down("A")
		w.down("A")
		time.Sleep(9 * time.Second)
		w.expect("ops")
		time.Sleep(2 * time.Second)
		w.expect("ops", "DOWN A")
		w.observe("A", probe.Inconclusive)
		w.up("A")
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A", "UP A")
		down, up := w.boxes["ops"].got[0], w.boxes["ops"].got[1]
		if up.InReplyTo != down.MessageID || !slices.Equal(up.References, []string{down.MessageID}) {
			t.Errorf("UP refers to %q and %q, want %q", up.InReplyTo, up.References, down.MessageID)
		}
		if down.InReplyTo != "" || !strings.HasSuffix(down.MessageID, ".ring@localhost") {
			t.Errorf("DOWN has Message-ID %q and refers to %q, want <id>.ring@localhost and nothing", down.MessageID, down.InReplyTo)
		}
		if n := len(w.alerter.Pending()); n != 0 {
			t.Errorf("%d messages pend at the end, want none", n)
		}
	})
}

func TestTransitionsWithinGroupWaitShareAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.start()
		w.down("A")
		time.Sleep(9 * time.Second)
		w.down("B")
		if p := w.alerter.Pending(); len(p) != 1 || p[0].State != 0 || p[0].Subject != "DOWN A, B" {
			t.Errorf("pending: %+v, want one open message", p)
		}
		time.Sleep(2 * time.Second)
		w.expect("ops", "DOWN A, B")
		w.up("A")
		w.down("C")
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A, B", "DOWN C; UP A")
	})
}

func TestGroupWaitGoesOnAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.config.Policy.GroupWait = probe.Duration(time.Minute)
		w.start()
		w.down("A")
		w.kill()
		time.Sleep(50 * time.Second)
		w.start()
		time.Sleep(9 * time.Second)
		w.expect("ops")
		time.Sleep(2 * time.Second)
		w.expect("ops", "DOWN A")
	})
}

func TestAStopTellsWhatIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.start()
		w.down("A")
		begin := time.Now()
		w.stop()
		if took := time.Since(begin); took > flushTime {
			t.Errorf("the stop took %s, want at most %s", took, flushTime)
		}
		w.expect("ops", "DOWN A")
		w.restart()
		time.Sleep(time.Hour)
		w.expect("ops", "DOWN A")
	})
}

func TestBackOffDoublesUpToTheLongestAcrossRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		box := w.boxes["ops"]
		box.reply = failing(12, errDown)
		w.start()
		w.down("A")
		time.Sleep(2 * time.Minute)
		w.kill()
		w.start()
		time.Sleep(24 * time.Hour)
		w.expect("ops", "DOWN A")
		wait := 5 * time.Second
		for i := 1; i < len(box.tries); i++ {
			got := box.tries[i].Sub(box.tries[i-1])
			if got < wait*3/4 || got > wait+time.Second {
				t.Errorf("pause %d is %s, want %s less at most a quarter", i, got, wait)
			}
			wait = min(2*wait, 15*time.Minute)
		}
	})
}

func TestARefusalForGoodIsTriedAtTheLongestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.boxes["ops"].reply = failing(1, errNo)
		w.start()
		w.down("A")
		time.Sleep(11 * time.Minute)
		w.expect("ops")
		time.Sleep(5 * time.Minute)
		w.expect("ops", "DOWN A")
		if l := w.alerter.lanes["ops"]; l.counts[outcomeRefused] != 1 || l.counts[outcomeSent] != 1 {
			t.Errorf("counts: %v, want one refused and one sent", l.counts)
		}
	})
}

func TestWhatCouldNotBeSentIsMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.boxes["ops"].reply = failing(5, errDown)
		w.start()
		w.up("B")
		w.down("A")
		time.Sleep(15 * time.Second)
		w.up("A")
		time.Sleep(5 * time.Second)
		w.down("B")
		time.Sleep(time.Hour)
		w.expect("ops", "DOWN B; UP A")
		text := w.boxes["ops"].got[0].Text
		if want := "UP A: was down 2000-01-01 00:00:00-00:00:15 UTC (15s)"; !strings.Contains(text, want) {
			t.Errorf("text:\n%s\nwant %q in it", text, want)
		}
		states := map[record.MessageState]int{}
		for _, m := range w.disk.messages {
			states[m.State]++
		}
		if states[record.Sent] != 1 || states[record.Superseded] == 0 || len(states) != 2 {
			t.Errorf("stored messages: %v, want one sent and the others superseded", states)
		}
	})
}

func TestADoubtfulMessageIsSentAgainAsItIs(t *testing.T) {
	for _, stray := range []error{errNoAnswer, errDisk} { // of an unknown error too nobody knows
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "ops")
			var first record.Message
			w.boxes["ops"].reply = func(try int, m record.Message) error {
				switch try {
				case 1:
					first = m
					return stray
				case 2:
					return errDown // surely not taken this time, but the first time?
				}
				return nil
			}
			w.start()
			w.down("A")
			time.Sleep(11 * time.Second)
			w.up("A")
			time.Sleep(time.Hour)
			w.expect("ops", "DOWN A", "UP A")
			again := w.boxes["ops"].got[0]
			if again.MessageID != first.MessageID || again.Text != first.Text {
				t.Errorf("sent again as %q, want %q with the same text", again.MessageID, first.MessageID)
			}
		})
	}
}

func TestADeadNotifierHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "dead", "ops", "panics")
		w.boxes["dead"].reply = failing(1<<30, errDown)
		w.boxes["panics"].reply = func(try int, _ record.Message) error {
			if try == 1 {
				panic("nil map")
			}
			return nil
		}
		w.start()
		w.down("A")
		time.Sleep(11 * time.Second)
		w.expect("ops", "DOWN A")
		time.Sleep(11 * time.Second)
		w.expect("panics", "DOWN A")
		w.expect("dead")
	})
}

func TestGivenUpAfterExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "dead", "ops")
		w.boxes["dead"].reply = failing(1<<30, errDown)
		w.start()
		w.down("A")
		time.Sleep(7 * 24 * time.Hour)
		if n := len(w.alerter.Pending()); n != 1 {
			t.Errorf("%d messages pend after 7 days, want 1", n)
		}
		time.Sleep(time.Hour)
		if n := len(w.alerter.Pending()); n != 0 {
			t.Errorf("%d messages pend after expire, want none", n)
		}
		if !strings.Contains(w.log.String(), `msg="message given up" notifier=dead`) {
			t.Errorf("log:\n%s\nwant the message given up in it", w.log.String())
		}
		_, text, _ := w.alerter.Summary(t.Context())
		if want := "given up: dead: DOWN A (server away)"; !strings.Contains(text, want) {
			t.Errorf("summary:\n%s\nwant %q in it", text, want)
		}
	})
}

func TestARoundWithoutADaemonTellsWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.boxes["ops"].reply = failing(1, errNoAnswer)
		w.start()
		w.down("A")
		w.stop() // the one attempt fails
		w.expect("ops")
		time.Sleep(time.Minute)
		w.journal = &journal{disk: w.disk}
		w.start()
		w.up("A")
		w.stop()
		w.expect("ops", "DOWN A", "UP A")
	})
}

func TestAReloadTriesAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.boxes["ops"].reply = failing(1, errNo)
		w.start()
		w.down("A")
		time.Sleep(time.Minute)
		w.expect("ops")
		w.apply()
		time.Sleep(time.Second)
		w.expect("ops", "DOWN A")
	})
}

func TestAClockSetBackDelaysNothing(t *testing.T) {
	l := newLane("ops")
	l.notifier = new(mailbox)
	l.add(record.Transition{ID: 1, Noticed: noon.Add(time.Hour)})
	if s := l.plan(noon, DefaultPolicy()); s.do != seal {
		t.Errorf("plan %+v for what was noticed in the future, want it sealed", s)
	}
	l.put(&letter{Message: record.Message{ID: 1, State: record.Sealed, Doubtful: true, NextAt: noon.Add(time.Hour)}})
	if s := l.plan(noon, DefaultPolicy()); s.do != send {
		t.Errorf("plan %+v for what is due later than any pause, want it sent", s)
	}
}

func TestSecretsStayOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		server := &smarthost{login: "me:" + canary, script: func(step string, _ int) answer {
			if step == "AUTH" {
				return answer{text: "535 no " + canary}
			}
			return answer{}
		}}
		w.config.Notifiers = []NotifierConfig{{Name: "ops", Email: &EmailConfig{
			Smarthost: "localhost:25", TLS: tlsNone, From: "w@example.org", To: []string{"a@example.org"}, Username: "me", Password: canary,
		}}}
		w.alerter = New(Options{Journal: w.journal, Log: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		w.alerter.build = func(n NotifierConfig) Notifier { return &email{config: *n.Email, dial: server.dial} }
		w.apply()
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { w.alerter.Run(ctx) })
		w.down("A")
		time.Sleep(time.Minute)
		cancel()
		done.Wait()
		server.served.Wait()
		_, text, _ := w.alerter.Summary(t.Context())
		all := w.log.String() + text + fmt.Sprintf("%+v %+v", w.disk.messages, w.alerter.Pending())
		if !strings.Contains(all, "535 no <secret>") {
			t.Errorf("%s\nwant the refused login in it", all)
		}
		secretIn(t, all)
	})
}

// stuck is a notifier that waits for its context.
type stuck struct{}

func (stuck) Notify(ctx context.Context, _ record.Message) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAStuckNotifierDelaysTheStopBySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops", "stuck")
		w.start()
		w.alerter.build = func(n NotifierConfig) Notifier {
			if n.Name == "stuck" {
				return stuck{}
			}
			return w.boxes[n.Name]
		}
		w.apply()
		w.down("A")
		time.Sleep(15 * time.Second)
		w.expect("ops", "DOWN A")
		begin := time.Now()
		w.stop()
		if took := time.Since(begin); took != flushTime {
			t.Errorf("the stop took %s, want %s", took, flushTime)
		}
		w.restart() // nobody knows whether it was taken: the same again
		time.Sleep(time.Minute)
		w.expect("stuck", "DOWN A")
	})
}
