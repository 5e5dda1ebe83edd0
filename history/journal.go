// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"hash/maphash"
	"slices"

	"skywatch/internal/record"
)

// Record commits states, transitions and the intents to tell of them, and takes along what fits of the results that wait. What it is
// given a second time changes nothing.
func (s *Store) Record(ctx context.Context, states []record.CheckState, ts []record.Transition, ds []record.Delivery) error {
	states, ts, ds = slices.Clone(states), slices.Clone(ts), slices.Clone(ds) // a call that hangs outlives its caller
	return s.commit(ctx, "recording transitions in history", func() error {
		for {
			p := s.nextRecord(&states, &ts, &ds)
			if p == nil {
				return nil
			}
			if err := s.record(p); err != nil {
				return err
			}
		}
	})
}

// recordPart is what one transaction commits of a call of Record: transitions with their own deliveries and states.
type recordPart struct {
	transitions []record.Transition
	traces      [][]byte // of the transitions
	deliveries  []record.Delivery
	states      []record.CheckState
	pages       int64
}

// nextRecord takes the next part off what is left; nil = nothing is.
func (s *Store) nextRecord(states *[]record.CheckState, ts *[]record.Transition, ds *[]record.Delivery) *recordPart {
	p := &recordPart{pages: reservePages}
	limit := s.geo.txn - 2*reservePages // a batch of results goes along
	for len(*ts) > 0 {
		t := (*ts)[0]
		trace := s.packer.pack(fitText(t.Trace, traceTextBytes))
		own, others := split(*ds, func(d record.Delivery) bool { return d.Transition == t.ID })
		mine, rest := split(*states, func(st record.CheckState) bool { return st.Check == t.Check })
		cost := 5 + overflowPages(len(trace)) + costOf(len(t.Err)+64*len(t.Changes))/pageFill + 2 + int64(len(own))/16 + statePages(mine)
		if len(p.transitions) > 0 && p.pages+cost > limit {
			return p
		}
		p.pages += cost
		p.transitions, p.traces = append(p.transitions, t), append(p.traces, trace)
		p.deliveries, p.states = append(p.deliveries, own...), append(p.states, mine...)
		*ts, *ds, *states = (*ts)[1:], others, rest
	}
	for len(*ds) > 0 && p.pages+2 <= limit {
		p.deliveries, *ds, p.pages = append(p.deliveries, (*ds)[0]), (*ds)[1:], p.pages+2
	}
	for len(*states) > 0 && p.pages+statePages((*states)[:1]) <= limit {
		p.pages += statePages((*states)[:1])
		p.states, *states = append(p.states, (*states)[0]), (*states)[1:]
	}
	if len(p.transitions)+len(p.deliveries)+len(p.states) == 0 {
		return nil
	}
	return p
}

// record commits one part. Where the log has no room for traces, since a reader keeps it from being emptied, it does without them.
func (s *Store) record(p *recordPart) error {
	b := s.plan(min(s.geo.txn-p.pages, s.rawPages()))
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
	err := s.write(p.pages+b.cost(), f)
	if errors.Is(err, errBlocked) {
		b, p.traces, p.pages = s.plan(0), make([][]byte, len(p.traces)), reservePages
		err = s.write(p.pages+int64(4*len(p.transitions)+len(p.deliveries)/16+2), f)
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
	id := int64(0)
	if len(trace) > 0 {
		id = r.traceID + 1
	}
	cost := int64(len(t.Check)+len(t.Group)+len(t.Target)+len(t.Err)+len(changes)+len(t.Note)) + 128
	done, err := r.tx.Exec(`INSERT OR IGNORE INTO transition (id, name, grp, module, target, from_state, to_state, at, noticed, gone, incident,
		began, reason, err, attempts, took, changes, note, trace, cost) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.ID, t.Check, t.Group, t.Module, t.Target, int64(t.From), int64(t.To), toNano(t.At), toNano(t.Noticed), truth(t.Gone), t.Incident,
		toNano(t.Began), int64(t.Reason), t.Err, int64(t.Attempts), int64(t.Took), string(changes), t.Note, id, cost)
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

// split parts a list in two and leaves it alone.
func split[T any](list []T, want func(T) bool) (yes, no []T) {
	for _, v := range list {
		if want(v) {
			yes = append(yes, v)
		} else {
			no = append(no, v)
		}
	}
	return yes, no
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
