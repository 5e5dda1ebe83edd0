// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// fault is what goes wrong at one point of a run: at the n-th call of the journal or the n-th reply of the smarthost.
type fault struct {
	name  string
	call  int // of the journal, from 1; 0 = none
	reply int // of the smarthost, from 1; 0 = none
	kind  faultKind
}

type faultKind int

const (
	crashBefore  faultKind = iota // the commit, or the reply; a message at its final dot is lost by the smarthost
	crashAfter                    // the commit, or the reply; a message at its final dot is taken
	refuseBefore                  // the call fails, nothing is committed
	refuseAfter                   // the call fails, though it is committed
	refuseLong                    // the journal refuses for a minute
	replyLater                    // 451
	replyNever                    // 554
	replyCut
	replySilent
)

var (
	callFaults  = map[faultKind]string{crashBefore: "crash before", crashAfter: "crash after", refuseBefore: "refused", refuseAfter: "refused though committed", refuseLong: "refused for a minute"}
	replyFaults = map[faultKind]string{crashBefore: "crash before", crashAfter: "crash after", replyLater: "451", replyNever: "554", replyCut: "cut", replySilent: "silent"}
)

// stage is a run of the whole: processes that live one after the other on one disk, beside a smarthost and two checks.
type stage struct {
	t      *testing.T
	faults []fault
	disk   *disk
	server *smarthost
	open   func(*process) (Journal, func()) // the journal of a process, and its end

	mu       sync.Mutex
	begin    time.Time
	calls    int
	replies  int
	refusing time.Time // until then
	process  *process
	doubtful map[int64]bool // messages of which the disk did not know at a crash whether they were taken
}

// process is one life of the daemon.
type process struct {
	stage   *stage
	alerter *Alerter
	cancel  func()
	done    sync.WaitGroup

	mu    sync.Mutex
	dead  bool
	conns []net.Conn
}

var errDead = errors.New("the process is dead")

func (p *process) crash() {
	p.mu.Lock()
	if !p.dead {
		p.dead = true
		for _, c := range p.conns {
			c.Close()
		}
	}
	p.mu.Unlock()
	p.cancel()
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

func (p *process) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if p.isDead() {
		return nil, errDead
	}
	conn, err := p.stage.server.dial(ctx, network, address)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, conn)
	return conn, err
}

// atCall is the journal's fault function; the disk is locked.
func (p *process) atCall(call string) (before, after error) {
	s := p.stage
	if p.isDead() {
		return errDead, nil
	}
	if call == "keep" {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if time.Now().Before(s.refusing) {
		return errDisk, nil
	}
	for _, f := range s.faults {
		if f.call != s.calls {
			continue
		}
		switch f.kind {
		case crashBefore:
			p.crash()
			return errDead, nil
		case crashAfter:
			p.crash()
			return nil, errDead
		case refuseBefore:
			return errDisk, nil
		case refuseAfter:
			return nil, errDisk
		case refuseLong:
			s.refusing = time.Now().Add(time.Minute)
			return errDisk, nil
		}
	}
	return nil, nil
}

// atReply is the smarthost's script. From 100 s to 140 s it is away, so that messages are merged.
func (s *stage) atReply(step string, _ int) answer {
	s.mu.Lock()
	s.replies++
	n, p := s.replies, s.process
	at := time.Since(s.begin)
	s.mu.Unlock()
	for _, f := range s.faults {
		if f.reply != n {
			continue
		}
		switch f.kind {
		case crashBefore, crashAfter:
			p.crash()
			return answer{cut: true, lose: f.kind == crashBefore}
		case replyLater:
			return answer{text: "451 later"}
		case replyNever:
			return answer{text: "554 never"}
		case replyCut:
			return answer{cut: true}
		case replySilent:
			return answer{silent: true}
		}
	}
	if step == "greeting" && at > 100*time.Second && at < 140*time.Second {
		return answer{text: "421 away"}
	}
	return answer{}
}

// live starts a process.
func (s *stage) live() *process {
	p := &process{stage: s}
	journal, end := s.open(p)
	p.alerter = New(Options{Journal: journal})
	config := DefaultConfig()
	config.Policy.GroupWait = probe.Duration(5 * time.Second)
	config.Notifiers = []NotifierConfig{{Name: "ops", Email: &EmailConfig{
		Smarthost: "127.0.0.1:25", TLS: tlsNone, From: "watch@example.org", To: []string{"a@example.org"}, Hello: "here",
	}}}
	p.alerter.build = func(n NotifierConfig) Notifier { return &email{config: *n.Email, dial: p.dial} }
	ctx, cancel := context.WithCancel(s.t.Context())
	p.cancel = cancel
	s.mu.Lock()
	s.process = p
	s.mu.Unlock()
	if err := p.alerter.Apply(config, time.UTC, []probe.Check{{Name: "A"}, {Name: "BB"}}); err != nil {
		s.t.Fatal(err)
	}
	p.done.Go(func() {
		p.alerter.Run(ctx)
		end()
	})
	return p
}

// play runs two outages, in the first of which another target fails later, and a restart seven seconds after each crash, and gives the numbers of calls and replies.
func (s *stage) play() (calls, replies int) {
	s.begin = time.Now()
	p := s.live()
	for tick := range 120 {
		at := time.Duration(tick) * 10 * time.Second
		p.fails("A", at >= 20*time.Second && at < 60*time.Second, at >= 60*time.Second && at < 100*time.Second)
		p.observe("BB", at >= 110*time.Second && at < 200*time.Second)
		time.Sleep(7 * time.Second)
		if p.isDead() {
			p.done.Wait()
			s.noteDoubts()
			p = s.live()
		}
		time.Sleep(time.Until(s.begin.Add(at + 10*time.Second)))
	}
	time.Sleep(2 * time.Hour) // a refusal for good waits long
	p.cancel()
	p.done.Wait()
	s.server.served.Wait()
	return s.calls, s.replies
}

// noteDoubts keeps what the disk does not know after a crash.
func (s *stage) noteDoubts() {
	for id, m := range s.disk.messages {
		if m.Doubtful && pendingState(m.State) {
			s.doubtful[id] = true
		}
	}
}

func (p *process) observe(check string, down bool) {
	r := probe.Result{Check: check, Start: time.Now(), Verdict: probe.Up, Attempts: 1}
	if down {
		r.Verdict, r.Reason, r.Failing = probe.Down, probe.ReasonConnect, r.Start
	}
	if !p.isDead() {
		p.alerter.Observe(context.Background(), r)
	}
}

// fails gives the result of a check with two targets, of which the one, the other or none fails.
func (p *process) fails(check string, first, second bool) {
	r := probe.Result{Check: check, Start: time.Now(), Attempts: 2}
	var failing []string
	for i, fails := range []bool{first, second} {
		if fails {
			failing = append(failing, sites[i])
		}
	}
	if !p.isDead() {
		p.alerter.Observe(context.Background(), combined(r, sites[:2], failing...))
	}
}

// check compares what arrived with what is stored.
func (s *stage) check() {
	s.t.Helper()
	told := map[string]int{}
	for _, tr := range s.disk.transitions {
		told[tr.Check+" "+tr.To.String()]++
		message := s.disk.messages[s.disk.deliveries[deliveryKey{tr.ID, "ops"}]]
		if message.State != record.Sent || !slices.Contains(message.Transitions, tr.ID) {
			s.t.Errorf("%s %s is told in message %d of state %q, want one that was sent", tr.Check, tr.To, message.ID, message.State)
		}
	}
	if fmt.Sprint(told) != "map[A down:2 A up:1 BB down:1 BB up:1]" { // A has the change of its targets, too
		s.t.Errorf("stored transitions: %v, want each of the five once", told)
	}
	s.checkThreads()
	s.checkArrived()
}

// checkThreads: what tells the end of an incident refers to what told its start.
func (s *stage) checkThreads() {
	s.t.Helper()
	for _, tr := range s.disk.transitions {
		start := s.disk.messages[s.disk.deliveries[deliveryKey{tr.Incident, "ops"}]]
		end := s.disk.messages[s.disk.deliveries[deliveryKey{tr.ID, "ops"}]]
		if !opens(tr) && start.ID != end.ID && !slices.Contains(end.References, start.MessageID) {
			s.t.Errorf("%q refers to %q, want %q of %q", end.Subject, end.References, start.MessageID, start.Subject)
		}
	}
}

// checkArrived: what the smarthost took is exactly what is stored as sent, in order, and copies only where there was doubt.
func (s *stage) checkArrived() {
	s.t.Helper()
	byID := map[string]record.Message{}
	sent := map[string]bool{}
	for _, m := range s.disk.messages {
		byID[m.MessageID] = m
		if m.State == record.Sent {
			sent[m.MessageID] = true
		}
	}
	first := map[string]taken{}
	var last int64
	for _, got := range s.server.taken {
		m := byID[got.id]
		if !sent[got.id] {
			s.t.Errorf("message %q arrived but is stored as %q", got.header.Get("Subject"), m.State)
			continue
		}
		copyOf, again := first[got.id]
		switch {
		case again && copyOf.body != got.body:
			s.t.Errorf("second copy of %q:\n%s\nwant the text of the first:\n%s", m.Subject, got.body, copyOf.body)
		case again && copyOf.answered && !s.doubtful[m.ID]:
			s.t.Errorf("second copy of %q, though it was known that the first was taken", m.Subject)
		case !again && m.Transitions[0] <= last:
			s.t.Errorf("%q arrived after a later message, want the order of the transitions", m.Subject)
		case !again:
			last = m.Transitions[len(m.Transitions)-1]
		}
		first[got.id] = got
	}
	for id := range sent {
		if _, arrived := first[id]; !arrived {
			s.t.Errorf("message %q is stored as sent but never arrived", byID[id].Subject)
		}
	}
}

func newStage(t *testing.T, faults ...fault) *stage {
	s := &stage{t: t, faults: faults, disk: newDisk(), doubtful: map[int64]bool{}, server: new(smarthost)}
	s.server.script = s.atReply
	s.open = func(p *process) (Journal, func()) { return &journal{disk: s.disk, fault: p.atCall}, func() {} }
	return s
}

// points lists every fault of a run that has so many calls and replies.
func points(calls, replies int) (all []fault) {
	for n := 1; n <= calls; n++ {
		for kind, name := range callFaults {
			all = append(all, fault{name: fmt.Sprintf("call %02d %s", n, name), call: n, kind: kind})
		}
	}
	for n := 1; n <= replies; n++ {
		for kind, name := range replyFaults {
			all = append(all, fault{name: fmt.Sprintf("reply %02d %s", n, name), reply: n, kind: kind})
		}
	}
	slices.SortFunc(all, func(a, b fault) int { return slices.Compare([]byte(a.name), []byte(b.name)) })
	return all
}

// TestEveryFaultPoint drives every fault at every call of the journal and every reply of the smarthost, one by one.
func TestEveryFaultPoint(t *testing.T) {
	var calls, replies int
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		calls, replies = s.play()
		s.check()
		if len(s.server.taken) != 4 {
			t.Errorf("%d messages arrived without a fault, want 4", len(s.server.taken))
		}
	})
	if calls < 10 || replies < 15 {
		t.Fatalf("%d calls and %d replies, want at least 10 and 15", calls, replies)
	}
	all := points(calls, replies)
	t.Logf("%d calls, %d replies, %d fault points", calls, replies, len(all))
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, f)
				s.play()
				s.check()
			})
		})
	}
}

// TestPairsOfFaults drives a sample of the pairs of those faults that lose no memory of what was not stored.
func TestPairsOfFaults(t *testing.T) {
	const calls, replies, every = 22, 32, 67
	all := slices.DeleteFunc(points(calls, replies), func(f fault) bool { return f.call > 0 && f.kind > crashAfter })
	n := 0
	for i, first := range all {
		for _, second := range all[i+1:] {
			if n++; n%every != 0 {
				continue
			}
			t.Run(first.name+", "+second.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStage(t, first, second)
					s.play()
					s.check()
				})
			})
		}
	}
}
