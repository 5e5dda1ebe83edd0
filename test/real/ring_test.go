// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"testing"

	_ "modernc.org/sqlite"
)

// ring is the daemon's SQLite file, read from outside while the daemon runs.
type ring struct{ db *sql.DB }

func openRing(t *testing.T, path, mode string) *ring {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode="+mode+"&_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &ring{db}
}

// check tells whether the file is intact.
func (r *ring) check() error {
	var verdict string
	if err := r.db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("integrity check: %s, want ok", verdict)
	}
	return nil
}

// States as stored.
const (
	stateUp     = 1
	stateDown   = 3
	messageSent = 2
)

// transitions counts those of each check to a state.
func (r *ring) transitions(to int) (map[string]int, error) {
	rows, err := r.db.Query("SELECT name, count(*) FROM transition WHERE to_state = ? GROUP BY name", to)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := make(map[string]int)
	for rows.Next() {
		var name string
		var n int
		if err := rows.Scan(&name, &n); err != nil {
			return nil, err
		}
		all[name] = n
	}
	return all, rows.Err()
}

// untold counts the transitions whose message was not sent.
func (r *ring) untold() (n int, err error) {
	err = r.db.QueryRow(`SELECT count(*) FROM transition AS t LEFT JOIN delivery AS d ON d.transition = t.id
		LEFT JOIN message AS m ON m.id = d.message WHERE m.state IS NULL OR m.state <> ?`, messageSent).Scan(&n)
	return n, err
}

// sent gives the messages that were sent, by their Message-ID, each with the checks it tells of.
func (r *ring) sent() (map[string][]string, error) {
	names, err := r.names()
	if err != nil {
		return nil, err
	}
	rows, err := r.db.Query("SELECT message_id, transitions FROM message WHERE state = ?", messageSent)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := make(map[string][]string)
	for rows.Next() {
		var id, list string
		var transitions []int64
		if err := rows.Scan(&id, &list); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(list), &transitions); err != nil {
			return nil, err
		}
		for _, t := range transitions {
			all["<"+id+">"] = append(all["<"+id+">"], names[t])
		}
	}
	return all, rows.Err()
}

func (r *ring) names() (map[int64]string, error) {
	rows, err := r.db.Query("SELECT id, name FROM transition")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := make(map[int64]string)
	for rows.Next() {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, err
		}
		all[id] = name
	}
	return all, rows.Err()
}
