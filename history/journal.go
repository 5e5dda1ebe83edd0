// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"hash/maphash"

	"skywatch/internal/record"
)

// Record commits states, transitions and the intents to tell of them, and takes along what fits of the results that wait. It is one
// transaction as far as the write-ahead log has room, else several, of which each has all that belongs to its checks. What it is given a
// second time changes nothing, so a call that failed may be made again.
func (s *Store) Record(ctx context.Context, states []record.CheckState, ts []record.Transition, ds []record.Delivery) error {
	parts := partsOf(states, ts, ds) // copies: a call that hangs outlives its caller
	return s.commit(ctx, "recording transitions in history", func() error { return s.recordAll(parts) })
}

// recordAll commits parts, as many in one transaction as fit.
func (s *Store) recordAll(parts []*recordPart) error {
	limit := s.geo.txn - 2*reservePages // a batch of results goes along
	sum := &recordPart{}
	for _, p := range parts {
		p.pack(&s.packer, limit)
		if sum.bytes > 0 && sum.pages()+p.pages() > limit {
			if err := s.record(sum); err != nil {
				return err
			}
			sum = &recordPart{}
		}
		sum.add(p)
	}
	if sum.bytes == 0 {
		return nil
	}
	return s.record(sum)
}

// record commits one part. Where the log has no room for traces, since a reader keeps it from being emptied, it does without them.
func (s *Store) record(p *recordPart) error {
	b := s.plan(min(s.geo.txn-p.pages(), s.rawPages()))
	if b.results.next-s.folded > s.results.slots {
		b = s.plan(0)
	}
	r := &recording{}
	f := func(tx *sql.Tx) error {
		*r = recording{store: s, tx: tx, traceID: b.lastTrace(s.traceID)}
		if err := b.store(tx); err != nil {
			return err
		}
		return r.run(p)
	}
	err := s.write(p.pages()+b.cost(), f)
	if errors.Is(err, errBlocked) {
		b = s.plan(0)
		p.dropTraces(0)
		err = s.write(p.pages(), f)
	}
	if err != nil {
		return err
	}
	s.stored(b)
	s.recorded(p, r)
	return s.trim()
}

// lastTrace is the id of the newest trace once the batch is stored.
func (b *batch) lastTrace(id int64) int64 {
	return id + int64(len(b.traces))
}

// recorded draws the consequences of a committed part.
func (s *Store) recorded(p *recordPart, r *recording) {
	s.traceID = r.traceID
	s.traces += r.traceCost
	s.outbox += r.cost
	for i, t := range p.transitions {
		if id := r.traces[i]; id != 0 {
			s.traceStored(t.Check, maphash.String(s.seed, t.Trace), id)
		}
	}
	s.statesWritten(p.states)
	s.supersedeKept(p.states)
}

// recording writes one part within a transaction.
type recording struct {
	store     *Store
	tx        *sql.Tx
	traceID   int64
	traces    map[int]int64 // ids, by position of the transition
	traceCost int64
	cost      int64
}

func (r *recording) run(p *recordPart) error {
	r.traces = map[int]int64{}
	for i, t := range p.transitions {
		if err := r.transition(i, t, p.traces[i]); err != nil {
			return err
		}
	}
	for _, d := range p.deliveries {
		if err := storeDelivery(r.tx, d); err != nil {
			return err
		}
	}
	return r.store.storeStates(r.tx, p.states)
}

func (r *recording) transition(i int, t record.Transition, trace []byte) error {
	changes, err := json.Marshal(t.Changes)
	if err != nil {
		return err
	}
	failing := []byte(nil)
	if t.Failing != nil {
		if failing, err = json.Marshal(t.Failing); err != nil {
			return err
		}
	}
	id := int64(0)
	if len(trace) > 0 {
		id = r.traceID + 1
	}
	cost := int64(len(t.Check)+len(t.Group)+len(t.Target)+len(t.Err)+len(changes)+len(t.Note)+len(failing)) + 128
	done, err := r.tx.Exec(`INSERT OR IGNORE INTO transition (id, name, grp, module, target, from_state, to_state, at, noticed, gone, incident,
		began, reason, err, attempts, took, changes, note, trace, cost, failing) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.ID, t.Check, t.Group, t.Module, t.Target, int64(t.From), int64(t.To), toNano(t.At), toNano(t.Noticed), truth(t.Gone), t.Incident,
		toNano(t.Began), int64(t.Reason), t.Err, int64(t.Attempts), int64(t.Took), string(changes), t.Note, id, cost, string(failing))
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return err
	}
	r.cost += cost
	if id == 0 {
		return nil
	}
	r.traceID, r.traces[i] = id, id
	r.traceCost += costOf(len(trace))
	return storeTrace(r.tx, newTrace{id, t.Check, t.Noticed.UnixMilli(), trace})
}

// storeDelivery keeps an intent. One that is already tied to a message stays tied.
func storeDelivery(tx *sql.Tx, d record.Delivery) error {
	_, err := tx.Exec(`INSERT INTO delivery (transition, notifier, message) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET message = excluded.message WHERE excluded.message <> 0`, d.Transition, d.Notifier, d.Message)
	return err
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// traceTextBytes bounds the text of a trace; a probe.Trace stays below it.
const traceTextBytes = 96 << 10

// fitText cuts a text that is too long for the store, and says so in it.
func fitText(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return cut(text, n) + "\n[cut: too long for the history]\n"
}
