// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"hash/maphash"
	"time"

	"skywatch/internal/probe"
)

const (
	queueSize       = 10_000  // results that wait for their commit
	flushSize       = 1000    // results for which a commit is made before its time: more save little on disk and cost memory
	queueTraceBytes = 1 << 20 // of the traces that wait with them
)

// pending is a result that waits for its commit: what is stored of it.
type pending struct {
	check, target, module string
	origin                probe.Origin
	verdict               probe.Verdict
	reason                probe.Reason
	attempts              int
	at, seen              int64 // unix ms: start of the first attempt, arrival
	took, timeout         int64 // microseconds
	err                   string
	trace                 []byte // packed; nil = none
	traceID               int64  // of the trace when it is stored already
}

// queue holds what waits, oldest first. Its positions count for ever, so that they stay valid while the front moves on.
type queue struct {
	rows   []pending
	base   uint64 // position of rows[0]
	traces int    // bytes of traces
}

// push appends; when the queue is full the oldest result is lost.
func (q *queue) push(p pending) (lost bool) {
	if len(q.rows) >= queueSize {
		q.drop(q.base + 1)
		lost = true
	}
	if q.traces+len(p.trace) > queueTraceBytes {
		p.trace = nil
	}
	q.traces += len(p.trace)
	q.rows = append(q.rows, p)
	return lost
}

// drop removes what lies before a position.
func (q *queue) drop(until uint64) {
	for len(q.rows) > 0 && q.base < until {
		q.traces -= len(q.rows[0].trace)
		q.rows[0] = pending{}
		q.rows = q.rows[1:]
		q.base++
	}
	if len(q.rows) == 0 {
		q.rows = nil
	}
}

// lastResult is what the next result of a check is compared with.
type lastResult struct {
	verdict probe.Verdict
	reason  probe.Reason
	err     uint64
	trace   uint64 // hash of the check's newest trace in the store, which has traceID
	traceID int64
}

// maxLast bounds the comparison's memory where checks come and go.
const maxLast = 20_000

// Observe takes a result to be stored with the next commit. It never blocks; when nothing can be stored for long, the oldest go first.
func (s *Store) Observe(_ context.Context, r probe.Result) {
	if r.Verdict < probe.Up || r.Verdict > probe.Inconclusive || r.Check == "" && s.geo.requestSlots == 0 || s.readOnly {
		return
	}
	p := pending{
		check: r.Check, target: r.Target, module: r.Module, origin: r.Origin, verdict: r.Verdict, reason: r.Reason, attempts: r.Attempts,
		at: r.Start.UnixMilli(), seen: s.now().UnixMilli(), took: r.Took.Microseconds(), timeout: r.Timeout.Microseconds(),
		err: cut(r.Err, textBytes),
	}
	if r.Check != "" && s.wantsTrace(r) && !r.Trace.Empty() {
		text := r.Trace.String()
		if p.traceID = s.storedTrace(r.Check, text); p.traceID == 0 {
			p.trace = s.packer.pack(text)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue.push(p) {
		s.metrics.lost.Inc()
	}
	if len(s.queue.rows)%flushSize == 0 {
		s.nudge()
	}
}

func (s *Store) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// wantsTrace tells whether a result is news: a failure unlike the check's previous result, or the first success after one.
func (s *Store) wantsTrace(r probe.Result) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, known := s.last[r.Check]
	is := lastResult{r.Verdict, r.Reason, maphash.String(s.seed, r.Err), was.trace, was.traceID}
	if !known && len(s.last) >= maxLast {
		clear(s.last)
	}
	s.last[r.Check] = is
	if r.Success() {
		return known && was.verdict != 0 && was.verdict != probe.Up
	}
	return was.verdict != is.verdict || was.reason != is.reason || was.err != is.err
}

// storedTrace finds the id under which a transition has already stored the text.
func (s *Store) storedTrace(check, text string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.last[check]; last.traceID != 0 && last.trace == maphash.String(s.seed, text) {
		return last.traceID
	}
	return 0
}

// traceStored remembers the newest trace of a check.
func (s *Store) traceStored(check string, hash uint64, id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.last[check]
	last.trace, last.traceID = hash, id
	s.last[check] = last
}

// waiting copies up to n results from the front of the queue.
func (s *Store) waiting(n int) (rows []pending, base uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(rows, s.queue.rows[:min(n, len(s.queue.rows))]...), s.queue.base
}

// taken removes from the queue what was stored.
func (s *Store) taken(until uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue.drop(until)
}

// cut shortens a text to n bytes at the boundary of a rune.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xC0 == 0x80 {
		n--
	}
	return text[:n]
}

// The forms in which times are stored: raw results in ms, all else in ns; 0 = none.
func toNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func (s *Store) fromNano(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).In(s.loc)
}

func (s *Store) fromMilli(ms int64) time.Time { return time.UnixMilli(ms).In(s.loc) }
