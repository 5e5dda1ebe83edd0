// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"skywatch/internal/record"
)

const maxSituation = 12 << 10 // bytes

// situation lists every check that is not up, now. The lock is held.
func (a *Alerter) situation() string {
	now := a.now()
	rows := [][]string{{"CHECK", "STATE", "SINCE", "FOR", "REASON", "TARGET"}}
	down, unknown, total := 0, 0, 0
	for _, s := range a.sortedStates() {
		total++
		switch s.State {
		case record.Up:
			continue
		case record.Unknown:
			unknown++
			continue
		}
		down++
		rows = append(rows, []string{
			s.Check, s.State.String(), a.clock(s.Since), span(now.Sub(s.Since)), s.Reason.String(), aim(s),
		})
	}
	text := fmt.Sprintf("Situation at %s: %s\n", a.clock(now), tally(down, unknown, total))
	if down > 0 {
		text += table(rows)
	}
	return text
}

func tally(down, unknown, total int) string {
	var text string
	switch {
	case total == 0:
		return "nothing is watched"
	case down == 0 && unknown == 0 && total == 1:
		return "the one check is up"
	case down == 0 && unknown == 0:
		return fmt.Sprintf("all %d checks are up", total)
	case down == 0:
		text = fmt.Sprintf("none of %d checks is down", total)
	case down == 1:
		text = fmt.Sprintf("1 of %d checks is down", total)
	default:
		text = fmt.Sprintf("%d of %d checks are down", down, total)
	}
	if unknown > 0 {
		text += fmt.Sprintf(", %d without a result yet", unknown)
	}
	return text
}

// table aligns rows, the first being the head, and bounds them.
func table(rows [][]string) string {
	shown := rows[:min(len(rows), maxRows+1)]
	widths := make([]int, len(rows[0]))
	for _, row := range shown {
		for i := range row {
			row[i] = oneLine(row[i], maxCell)
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	var b strings.Builder
	for n, row := range shown {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString("  " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		if b.Len()+line.Len() > maxSituation {
			shown = shown[:n]
			break
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	if left := len(rows) - len(shown); left > 0 {
		fmt.Fprintf(&b, "  ... and %d more\n", left)
	}
	return b.String()
}
