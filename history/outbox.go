// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"context"
	"database/sql"
	"encoding/json"

	"skywatch/internal/record"
)

// Seal commits a message together with the ties to the deliveries that it fulfils, and marks those that it supersedes.
func (s *Store) Seal(ctx context.Context, m record.Message, supersedes []int64) error {
	text := s.packMessage(m)
	pages := reservePages + overflowPages(len(text)) + int64(len(m.Transitions))/8 + 2*int64(len(supersedes))
	return s.commit(ctx, "sealing a message in history", func() error {
		return s.writeMessage(m, text, pages, func(tx *sql.Tx) error {
			for _, id := range m.Transitions {
				if err := storeDelivery(tx, record.Delivery{Transition: id, Notifier: m.Notifier, Message: m.ID}); err != nil {
					return err
				}
			}
			for _, id := range supersedes {
				_, err := tx.Exec("UPDATE message SET state = ?, text = x'', cost = 256 WHERE id = ? AND state IN (1, 4)", int64(record.Superseded), id)
				if err != nil {
					return err
				}
			}
			if m.Kind != record.KindSummary {
				return nil
			}
			return setMeta(tx, "last_summary", toNano(m.SealedAt))
		})
	})
}

// Mark commits what changes of a sealed message. The text goes once the message is done with.
func (s *Store) Mark(ctx context.Context, m record.Message) error {
	text := s.packMessage(m)
	return s.commit(ctx, "marking a message in history", func() error {
		return s.writeMessage(m, text, reservePages+overflowPages(len(text)), func(*sql.Tx) error { return nil })
	})
}

// packMessage packs the text of a message that is still to be sent, at most what one transaction can take.
func (s *Store) packMessage(m record.Message) []byte {
	if !pendingState(m.State) {
		return []byte{}
	}
	most := int(s.geo.txn/2) * pageSize
	packed := s.packer.pack(m.Text)
	for n := len(m.Text); len(packed) > most; {
		n /= 2
		packed = s.packer.pack(fitText(m.Text, n))
	}
	return packed
}

func pendingState(state record.MessageState) bool {
	return state == record.Sealed || state == record.Parked
}

func (s *Store) writeMessage(m record.Message, text []byte, pages int64, also func(*sql.Tx) error) error {
	err := s.write(min(pages, s.geo.txn), func(tx *sql.Tx) error {
		if err := storeMessage(tx, m, text); err != nil {
			return err
		}
		return also(tx)
	})
	if err != nil {
		return err
	}
	s.outbox += costOf(len(text)) + 256
	return s.trim()
}

func storeMessage(tx *sql.Tx, m record.Message, text []byte) error {
	refs, err := json.Marshal(m.References)
	if err != nil {
		return err
	}
	transitions, err := json.Marshal(m.Transitions)
	if err != nil {
		return err
	}
	cost := costOf(len(text)) + int64(len(m.Subject)+len(refs)+len(transitions)+len(m.Error)) + 128
	_, err = tx.Exec(`INSERT INTO message (id, notifier, kind, message_id, in_reply_to, refs, subject, text, transitions, sealed_at, tried,
			next_at, state, doubtful, error, cost) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
		ON CONFLICT (id) DO UPDATE SET tried = ?11, next_at = ?12, state = ?13, doubtful = ?14, error = ?15, cost = ?16,
			text = CASE WHEN ?13 IN (1, 4) THEN text ELSE x'' END
		WHERE NOT (state IN (2, 3, 5) AND ?13 IN (1, 4))`,
		m.ID, m.Notifier, int64(m.Kind), m.MessageID, m.InReplyTo, string(refs), m.Subject, text, string(transitions), toNano(m.SealedAt),
		int64(m.Tried), toNano(m.NextAt), int64(m.State), truth(m.Doubtful), m.Error, cost)
	return err
}
