// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"skywatch/internal/record"
)

// Load gives what alerting left behind: states, all that is still to be sent, the threads of open incidents.
func (s *Store) Load(ctx context.Context) (record.Saved, error) {
	var saved record.Saved
	err := s.consult(ctx, "loading the journal from history", func(querier) (err error) {
		saved, err = s.loadJournal()
		return err
	})
	if err != nil {
		return record.Saved{}, err
	}
	return saved, nil
}

func (s *Store) loadJournal() (saved record.Saved, err error) {
	if err := s.db.QueryRow("SELECT value FROM meta WHERE key = 'instance'").Scan(&saved.Instance); err != nil {
		return saved, err
	}
	last, err := s.metaInt("last_summary", 0)
	if err != nil {
		return saved, err
	}
	saved.LastSummary = s.fromNano(last)
	if saved.States, err = s.loadStates(); err != nil {
		return saved, err
	}
	if err := s.freshen(saved.States); err != nil {
		return saved, err
	}
	out := &saved.Outbox
	if out.Messages, err = s.loadMessages(); err != nil {
		return saved, err
	}
	if out.Deliveries, err = s.loadDeliveries(); err != nil {
		return saved, err
	}
	if out.Threads, err = s.loadThreads(); err != nil {
		return saved, err
	}
	out.Transitions, err = s.loadTransitions(s.db, `WHERE t.id IN (SELECT transition FROM delivery WHERE message = 0
		OR message IN (SELECT id FROM message WHERE state IN (1, 4))) ORDER BY t.id`)
	if err != nil {
		return saved, err
	}
	return saved, s.addTraces(out.Transitions)
}

// freshen brings the last success of each state up to date: states are written lazily, results are not.
func (s *Store) freshen(states []record.CheckState) error {
	counters, err := s.storedCounters()
	if err != nil {
		return err
	}
	last := map[string]time.Time{}
	for key, c := range counters {
		if c.LastSuccess.After(last[key.check]) {
			last[key.check] = c.LastSuccess
		}
	}
	for i := range states {
		if at := last[states[i].Check]; at.After(states[i].LastSuccess) {
			states[i].LastSuccess = at.In(s.loc)
		}
	}
	return nil
}

func (s *Store) loadStates() (states []record.CheckState, err error) {
	err = each(s.db, `SELECT name, module, target, state, since, last_success, last_seen, incident, reason, err, facts, targets FROM state ORDER BY name`,
		nil, func(rows *sql.Rows) error {
			var st record.CheckState
			var since, success, seen int64
			var facts, targets []byte
			err := rows.Scan(&st.Check, &st.Module, &st.Target, &st.State, &since, &success, &seen, &st.Incident, &st.Reason, &st.Err, &facts, &targets)
			if err != nil {
				return err
			}
			if err := unmarshal(targets, &st.Targets); err != nil {
				return err
			}
			st.Since, st.LastSuccess, st.LastSeen = s.fromNano(since), s.fromNano(success), s.fromNano(seen)
			states = append(states, st)
			return json.Unmarshal(facts, &states[len(states)-1].Facts)
		})
	return states, err
}

func (s *Store) loadMessages() (list []record.Message, err error) {
	err = each(s.db, `SELECT id, notifier, kind, message_id, in_reply_to, refs, subject, text, transitions, sealed_at, tried, next_at, state,
		doubtful, error FROM message WHERE state IN (1, 4) ORDER BY id`, nil, func(rows *sql.Rows) error {
		var m record.Message
		var sealed, next int64
		var refs, text, transitions []byte
		err := rows.Scan(&m.ID, &m.Notifier, &m.Kind, &m.MessageID, &m.InReplyTo, &refs, &m.Subject, &text, &transitions, &sealed, &m.Tried,
			&next, &m.State, &m.Doubtful, &m.Error)
		if err != nil {
			return err
		}
		m.SealedAt, m.NextAt = s.fromNano(sealed), s.fromNano(next)
		if m.Text, err = unpack(text); err != nil {
			return err
		}
		if err := json.Unmarshal(refs, &m.References); err != nil {
			return err
		}
		list = append(list, m)
		return json.Unmarshal(transitions, &list[len(list)-1].Transitions)
	})
	return list, err
}

func (s *Store) loadDeliveries() (list []record.Delivery, err error) {
	err = each(s.db, `SELECT transition, notifier, message FROM delivery
		WHERE message = 0 OR message IN (SELECT id FROM message WHERE state IN (1, 4)) ORDER BY transition, notifier`, nil,
		func(rows *sql.Rows) error {
			var d record.Delivery
			defer func() { list = append(list, d) }()
			return rows.Scan(&d.Transition, &d.Notifier, &d.Message)
		})
	return list, err
}

func (s *Store) loadThreads() (list []record.Thread, err error) {
	err = each(s.db, `SELECT d.transition, d.notifier, m.message_id FROM delivery d JOIN message m ON m.id = d.message
		WHERE d.transition IN (SELECT incident FROM state WHERE incident <> 0
			UNION SELECT t.incident FROM transition t JOIN delivery o ON o.transition = t.id
				WHERE t.incident <> 0 AND (o.message = 0 OR o.message IN (SELECT id FROM message WHERE state IN (1, 4))))
		ORDER BY d.transition, d.notifier`, nil, func(rows *sql.Rows) error {
		var t record.Thread
		defer func() { list = append(list, t) }()
		return rows.Scan(&t.Incident, &t.Notifier, &t.MessageID)
	})
	return list, err
}

const transitionColumns = `t.id, t.name, t.grp, t.module, t.target, t.from_state, t.to_state, t.at, t.noticed, t.gone, t.incident, t.began,
	t.reason, t.err, t.attempts, t.took, t.changes, t.note, t.failing`

// loadTransitions selects transitions t, without their traces.
func (s *Store) loadTransitions(q querier, where string, args ...any) ([]record.Transition, error) {
	var list []record.Transition
	err := each(q, "SELECT "+transitionColumns+" FROM transition t "+where, args, func(rows *sql.Rows) error {
		t, err := s.scanTransition(rows)
		list = append(list, t)
		return err
	})
	return list, err
}

func (s *Store) scanTransition(rows *sql.Rows) (record.Transition, error) {
	var t record.Transition
	var at, noticed, began, took int64
	var changes, failing []byte
	err := rows.Scan(&t.ID, &t.Check, &t.Group, &t.Module, &t.Target, &t.From, &t.To, &at, &noticed, &t.Gone, &t.Incident, &began,
		&t.Reason, &t.Err, &t.Attempts, &took, &changes, &t.Note, &failing)
	if err != nil {
		return t, err
	}
	t.At, t.Noticed, t.Began, t.Took = s.fromNano(at), s.fromNano(noticed), s.fromNano(began), time.Duration(took)
	if err := unmarshal(failing, &t.Failing); err != nil {
		return t, err
	}
	return t, json.Unmarshal(changes, &t.Changes)
}

// unmarshal reads JSON that may be missing.
func unmarshal(text []byte, into any) error {
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, into)
}

// addTraces gives transitions the text of their traces; an evicted trace leaves none.
func (s *Store) addTraces(ts []record.Transition) error {
	for i := range ts {
		var body []byte
		err := s.db.QueryRow("SELECT body FROM trace WHERE id = (SELECT trace FROM transition WHERE id = ?)", ts[i].ID).Scan(&body)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		if ts[i].Trace, err = unpack(body); err != nil {
			return err
		}
	}
	return nil
}
