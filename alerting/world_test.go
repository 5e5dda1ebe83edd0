// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"errors"
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

// mailbox is a notifier that keeps what it takes.
type mailbox struct {
	mu    sync.Mutex
	got   []record.Message
	tries []time.Time
	reply func(try int, m record.Message) error // nil = taken
}

func (b *mailbox) Notify(_ context.Context, m record.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries = append(b.tries, time.Now())
	if b.reply != nil {
		if err := b.reply(len(b.tries), m); err != nil {
			return err
		}
	}
	b.got = append(b.got, m)
	return nil
}

// take makes it take everything from now on.
func (b *mailbox) take() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reply = nil
}

func (b *mailbox) subjects() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, m := range b.got {
		all = append(all, m.Subject)
	}
	return all
}

// world is a process with its disk, in a bubble of virtual time.
type world struct {
	t       *testing.T
	disk    *disk
	journal *journal
	boxes   map[string]*mailbox
	config  Config
	checks  []probe.Check
	reader  Reader
	alerter *Alerter
	log     strings.Builder
	stop    func()
}

// newWorld has notifiers of the given names and checks A, B and C, and does not run yet.
func newWorld(t *testing.T, notifiers ...string) *world {
	w := &world{t: t, disk: newDisk(), boxes: map[string]*mailbox{}, config: DefaultConfig(), stop: func() {}}
	for _, name := range notifiers {
		w.boxes[name] = new(mailbox)
		w.config.Notifiers = append(w.config.Notifiers, NotifierConfig{Name: name, Log: &LogConfig{}})
	}
	for _, name := range []string{"A", "B", "C"} {
		w.checks = append(w.checks, probe.Check{Name: name, Group: "g"})
	}
	w.journal = &journal{disk: w.disk}
	return w
}

// start begins a process; it ends with the test, or before by w.stop.
func (w *world) start() {
	w.t.Helper()
	w.alerter = New(Options{Journal: w.journal, Reader: w.reader, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Version: "1.0"})
	w.alerter.build = func(n NotifierConfig) Notifier { return w.boxes[n.Name] }
	w.apply()
	ctx, cancel := context.WithCancel(w.t.Context())
	var done sync.WaitGroup
	done.Go(func() { w.alerter.Run(ctx) })
	w.stop = func() { cancel(); done.Wait() }
	w.t.Cleanup(w.stop)
}

func (w *world) apply() {
	w.t.Helper()
	if err := w.alerter.Apply(w.config, time.UTC, w.checks); err != nil {
		w.t.Fatal(err)
	}
}

// restart is a clean stop and a new process.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.journal = &journal{disk: w.disk}
	w.start()
}

func (w *world) up(check string) { w.observe(check, probe.Up) }

func (w *world) down(check string) { w.observe(check, probe.Down) }

func (w *world) observe(check string, v probe.Verdict) {
	r := probe.Result{Check: check, Module: "tcp", Target: check + ":1", Start: time.Now(), Verdict: v, Attempts: 1}
	if v == probe.Down {
		r.Failing, r.Reason, r.Err = r.Start, probe.ReasonConnect, "connection refused"
	}
	w.alerter.Observe(w.t.Context(), r)
}

// expect compares the subjects that a notifier took.
func (w *world) expect(notifier string, want ...string) {
	w.t.Helper()
	synctest.Wait() // so that the race detector sees that the others are done, too
	if got := w.boxes[notifier].subjects(); !slices.Equal(got, want) {
		w.t.Errorf("%s took %q, want %q\n%s", notifier, got, want, w.log.String())
	}
}

var (
	errDown     = &DeliveryError{Err: errors.New("server away")}
	errNo       = &DeliveryError{Permanent: true, Err: errors.New("550 no")}
	errNoAnswer = &DeliveryError{Doubtful: true, Err: errors.New("no answer")}
)

// failing answers the first tries with an error.
func failing(n int, err error) func(int, record.Message) error {
	return func(try int, _ record.Message) error {
		if try <= n {
			return err
		}
		return nil
	}
}

// kill ends the process without any last word: from now on it reaches neither disk nor notifiers.
func (w *world) kill() {
	w.journal.mu.Lock()
	w.journal.fault = func(string) (error, error) { return errDisk, nil }
	w.journal.mu.Unlock()
	for _, b := range w.boxes {
		b.mu.Lock()
		reply := b.reply
		tries := len(b.tries)
		b.reply = func(int, record.Message) error { return errDown }
		b.mu.Unlock()
		defer func() {
			b.mu.Lock()
			b.reply, b.tries = reply, b.tries[:tries]
			b.mu.Unlock()
		}()
	}
	w.stop()
	w.journal = &journal{disk: w.disk}
}
