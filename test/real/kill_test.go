// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const killChecks = 40

// kills is how often the daemon is killed: 20 times, or as SKYWATCH_KILLS says.
func kills(t *testing.T) int {
	text := os.Getenv("SKYWATCH_KILLS")
	if text == "" {
		return 20
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestKillLosesNothing kills the daemon again and again while outages begin and end and requests come in. Each time the file is
// intact afterwards, and in the end every check has exactly the transitions that were made, each told by exactly one message.
func TestKillLosesNothing(t *testing.T) {
	s, p := newSink(t), newPatient(t)
	d := newDaemon(t, t.TempDir(), p.config(killChecks, s, "{path: skywatch.db, flush_interval: 1s}"))
	d.start()
	d.awaitSum("every check to be up", killChecks, "skywatch_check_up")
	load(t, d, p.URL)
	r := openRing(t, d.file("skywatch.db"), "ro")
	random := rand.New(rand.NewPCG(1, 2))
	rounds := kills(t)
	for round := 1; round <= rounds; round++ {
		p.ill.Store(round%2 == 1)
		time.Sleep(time.Duration(random.Int64N(int64(1500 * time.Millisecond)))) // any moment will do: before, within and after the commits and the mails of the round
		d.kill()
		d.start()
		if err := r.check(); err != nil {
			t.Fatalf("after kill %d: %v", round, err)
		}
		d.awaitTransitions(r, round)
	}
	d.awaitEmptyOutbox()
	expectAllTold(t, r, s)
	d.stop(t)
}

// awaitTransitions waits until each check has exactly the transitions of so many rounds, of which the odd ones are outages.
func (d *daemon) awaitTransitions(r *ring, rounds int) {
	d.t.Helper()
	eventually(d.t, fmt.Sprintf("the transitions of %d rounds", rounds), func() error {
		for to, want := range map[int]int{stateDown: (rounds + 1) / 2, stateUp: rounds / 2} {
			got, err := r.transitions(to)
			if err != nil {
				return err
			}
			for i := range killChecks {
				name := fmt.Sprint("Check", i)
				if got[name] > want {
					d.t.Fatalf("%d transitions of %s to state %d after %d rounds, want %d", got[name], name, to, rounds, want)
				}
				if got[name] < want {
					return fmt.Errorf("%d transitions of %s to state %d, want %d", got[name], name, to, want)
				}
			}
		}
		return nil
	})
}

// awaitSum waits until the samples of a metric add up.
func (d *daemon) awaitSum(what string, sum float64, name string, labels ...string) {
	d.t.Helper()
	d.awaitMetric(what, func(v float64) bool { return v == sum }, name, labels...)
}

// expectAllTold compares what the ring says was sent with what arrived.
func expectAllTold(t *testing.T, r *ring, s *sink) {
	t.Helper()
	eventually(t, "the ring to know that all was sent", func() error { // a message leaves the outbox before that is committed
		untold, err := r.untold()
		if err == nil && untold > 0 {
			err = fmt.Errorf("%d transitions whose message was not sent, want none", untold)
		}
		return err
	})
	sent, err := r.sent()
	if err != nil {
		t.Fatal(err)
	}
	letters, err := s.received()
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(map[string]letter)
	for _, l := range letters {
		if first, twice := arrived[l.id]; twice && (first.text != l.text || first.subject != l.subject) {
			t.Errorf("%s arrived twice with different texts:\n%s\n%s", l.id, first.text, l.text)
		}
		arrived[l.id] = l
		if sent[l.id] == nil && !strings.Contains(l.text, "not stored: ") { // the disk did not answer in time, and the mail says so
			t.Errorf("%s (%s) arrived, but the ring knows of no such message", l.id, l.subject)
		}
	}
	for id, checks := range sent {
		for _, check := range checks {
			if !strings.Contains(arrived[id].text, check) {
				t.Errorf("message %s does not tell of %s, or did not arrive", id, check)
			}
		}
	}
	t.Logf("%d letters of %d messages", len(letters), len(sent))
}

// load keeps the daemon busy with requests until the test ends; while it is dead they fail, which is as it must be.
func load(t *testing.T, d *daemon, target string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() { cancel(); all.Wait() })
	url := "http://" + address(d.port) + "/probe?module=site&target=" + target
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				request(ctx, url)
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
}

func request(ctx context.Context, url string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
	}
}
