// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"database/sql"
	"embed"
	"fmt"
	"strings"

	"skywatch/internal/probe"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations gives the steps from an empty file to the present format, in order. A released step never changes.
func migrations() []string {
	entries, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		panic(err) // they are part of the binary
	}
	steps := make([]string, 0, len(entries))
	for _, entry := range entries {
		text, err := migrationFiles.ReadFile("migrations/" + entry.Name())
		if err != nil {
			panic(err)
		}
		steps = append(steps, string(text))
	}
	return steps
}

// migrate brings the file to the present format, each step in a transaction.
func (s *Store) migrate() error {
	var id, version int64
	if err := s.db.QueryRow("SELECT application_id, user_version FROM pragma_application_id, pragma_user_version").Scan(&id, &version); err != nil {
		return err
	}
	var tables int
	if err := s.db.QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	if id != 0 || version != 0 || tables > 0 {
		if err := checkVersion(id, version); err != nil {
			return err
		}
	}
	for i, step := range migrations()[version:] {
		err := s.write(s.geo.txn/2, func(tx *sql.Tx) error {
			if _, err := tx.Exec(step); err != nil {
				return err
			}
			_, err := tx.Exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version+int64(i)+1))
			return err
		})
		if err != nil {
			return fmt.Errorf("migrating to format %d: %w", version+int64(i)+1, err)
		}
	}
	return s.write(2, func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT OR IGNORE INTO meta (key, value) SELECT 'instance', lower(hex(randomblob(8)))")
		return err
	})
}

// makeView makes the view for people with the sqlite3 shell, where it is missing.
func (s *Store) makeView() error {
	var n int
	if err := s.db.QueryRow("SELECT count(*) FROM sqlite_schema WHERE name = 'results_readable'").Scan(&n); err != nil || n > 0 {
		return err
	}
	return s.write(3, func(tx *sql.Tx) error {
		_, err := tx.Exec(viewSQL())
		return err
	})
}

func viewSQL() string {
	var verdicts, reasons strings.Builder
	for _, v := range probe.Verdicts() {
		fmt.Fprintf(&verdicts, " WHEN %d THEN '%s'", v, v)
	}
	for _, r := range probe.Reasons() {
		fmt.Fprintf(&reasons, " WHEN %d THEN '%s'", r, r)
	}
	return `CREATE VIEW results_readable AS
	SELECT datetime(r.at / 1000, 'unixepoch', 'localtime') AS time, s.name AS "check", s.target AS target, s.module AS module,
		CASE r.verdict` + verdicts.String() + ` ELSE r.verdict END AS verdict, CASE r.reason WHEN 0 THEN ''` + reasons.String() + ` ELSE r.reason END AS reason,
		r.attempts AS attempts, r.took / 1e6 AS seconds, coalesce(t.text, '') AS error, r.trace AS trace
	FROM (SELECT * FROM result UNION ALL SELECT * FROM request) r JOIN series s ON s.id = r.series LEFT JOIN text t ON t.id = r.text
	ORDER BY r.at`
}
