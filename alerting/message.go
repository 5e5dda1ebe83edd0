// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"skywatch/internal/record"
)

// The bounds of a message, in bytes but for the rows.
const (
	maxText    = 96 << 10
	maxNews    = 16 << 10 // of full accounts; further ones get a line
	maxLines   = 24 << 10 // of accounts and lines; further ones are named
	maxNames   = 44 << 10 // of accounts, lines and names; further ones are counted
	maxRows    = 100      // of the situation
	maxSubject = 120
	maxName    = 60
	maxCell    = 120
	maxError   = 1000
	maxTrace   = 16 << 10 // of one transition, in memory and in a message
)

// subject tells the latest state of each check: "DOWN web, mail; UP db".
func subject(all []event) string {
	latest := make(map[string]event)
	for _, e := range all {
		latest[e.last().Check] = e
	}
	names := make(map[string][]string)
	var words []string
	for _, e := range all {
		name := e.last().Check
		if latest[name] != e {
			continue
		}
		if names[e.word()] == nil {
			words = append(words, e.word())
		}
		names[e.word()] = append(names[e.word()], oneLine(name, maxName))
	}
	slices.SortStableFunc(words, func(x, y string) int { return strings.Compare(order[x], order[y]) })
	return joinNames(words, names)
}

// order puts what needs the reader first.
var order = map[string]string{"DOWN": "1", "CHANGED": "2", "UP": "3", "GONE": "4"}

func joinNames(words []string, names map[string][]string) string {
	var b strings.Builder
	left := 0
	for i, word := range words {
		for j, name := range names[word] {
			if b.Len()+len(name) > maxSubject && b.Len() > 0 {
				left++
				continue
			}
			switch {
			case j == 0 && i > 0:
				b.WriteString("; " + word + " ")
			case j == 0:
				b.WriteString(word + " ")
			default:
				b.WriteString(", ")
			}
			b.WriteString(name)
		}
	}
	if left > 0 {
		fmt.Fprintf(&b, " and %d more", left)
	}
	return b.String()
}

// wording gives subject and text of a message that tells of the transitions. The lock is held.
func (a *Alerter) wording(ts []record.Transition) (string, string) {
	all := events(ts)
	var b strings.Builder
	told := 0
	for _, e := range all {
		account := ""
		if b.Len() < maxNews {
			account = a.account(e) + "\n"
		}
		if account == "" || b.Len()+len(account) > maxNews {
			account = a.headline(e) + "\n"
		}
		if b.Len()+len(account) > maxLines {
			break
		}
		b.WriteString(account)
		told++
	}
	writeNames(&b, all[told:])
	if !strings.HasSuffix(b.String(), "\n\n") {
		b.WriteString("\n")
	}
	b.WriteString(a.situation())
	a.writeTraces(&b, all)
	b.WriteString("\n" + a.signature())
	return subject(all), b.String()
}

// namesWidth is the length of a line of names, about.
const namesWidth = 100

// writeNames tells events by name alone, and counts those for which there is no room.
func writeNames(b *strings.Builder, rest []event) {
	word, width := "", 0
	for i, e := range rest {
		name := oneLine(e.last().Check, maxCell)
		if b.Len()+len(name) > maxNames {
			fmt.Fprintf(b, "\n... and %d more", len(rest)-i)
			break
		}
		switch {
		case e.word() != word:
			word, width = e.word(), 0
			b.WriteString("\nAlso " + word + ": ")
		case width > namesWidth:
			width = 0
			b.WriteString(",\n  ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(name)
		width += len(name) + 2
	}
	if len(rest) > 0 {
		b.WriteString("\n")
	}
}

// signature ends a message: RFC 3676 section 4.3.
func (a *Alerter) signature() string {
	return strings.TrimRight("-- \nskywatch "+a.version, " ") + "\n"
}

// headline is an event in one line.
func (a *Alerter) headline(e event) string {
	t := e.last()
	name := oneLine(t.Check, maxCell)
	took := span(t.At.Sub(t.Began))
	switch {
	case e.word() == "CHANGED":
		return fmt.Sprintf("CHANGED %s at %s: %s, down since %s", name, a.clock(t.At), portion(t.Failing), a.clock(t.Began))
	case e.end == nil:
		return fmt.Sprintf("DOWN %s since %s: %s", name, a.clock(t.Began), t.Reason)
	case t.Gone:
		return fmt.Sprintf("GONE %s: no longer watched, was down since %s (%s)", name, a.clock(t.Began), took)
	case e.start != nil:
		return fmt.Sprintf("UP %s: was down %s (%s)", name, a.between(t.Began, t.At), took)
	}
	return fmt.Sprintf("UP %s since %s, was down for %s", name, a.clock(t.At), took)
}

// account tells all of an event but its trace.
func (a *Alerter) account(e event) string {
	t := e.last()
	var b strings.Builder
	b.WriteString(a.headline(e) + "\n")
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-10s%s\n", key+":", value)
		}
	}
	line("Check", oneLine(t.Check, maxCell)+inGroup(t.Group))
	line("Target", oneLine(t.Target, maxError))
	line("Module", oneLine(t.Module, maxCell))
	line("Since", a.clock(t.Began))
	if e.end != nil {
		line("Until", a.clock(t.At))
	}
	if failure := e.failure(); failure != nil {
		line("Reason", failure.Reason.String())
		if failure.Failing == nil {
			line("Error", oneLine(failure.Err, maxError))
		}
		writeFailing(&b, failure.Failing, e.start == nil)
	}
	line("Attempts", tried(t))
	line("Note", oneLine(e.note(), maxError))
	a.writeChanges(&b, t.Changes)
	return b.String()
}

func inGroup(group string) string {
	if group == "" {
		return ""
	}
	return " (group " + oneLine(group, maxCell) + ")"
}

func (a *Alerter) writeChanges(b *strings.Builder, changes []record.Change) {
	if len(changes) == 0 {
		return
	}
	b.WriteString("  Changed since the last success:\n")
	for _, c := range changes {
		was, is := oneLine(c.Was, maxCell), oneLine(c.Is, maxCell)
		switch {
		case c.Was == "":
			fmt.Fprintf(b, "    %s: %s (new)\n", oneLine(c.Key, maxName), is)
		case c.Is == "":
			fmt.Fprintf(b, "    %s: gone, was %s\n", oneLine(c.Key, maxName), was)
		default:
			fmt.Fprintf(b, "    %s: %s -> %s\n", oneLine(c.Key, maxName), was, is)
		}
	}
}

// writeTraces adds the traces, newest event last, as far as there is room: those of failures rather than of recoveries.
func (a *Alerter) writeTraces(b *strings.Builder, all []event) {
	left := 0
	for _, e := range all {
		t := cmp.Or(e.failure(), e.end)
		if t.Trace == "" {
			continue
		}
		if b.Len() > maxText-1000 {
			left++
			continue
		}
		text := fmt.Sprintf("\nTrace of %s at %s:\n%s\n", traced(t), a.clock(t.At), indent(cutTrace(t.Trace)))
		if b.Len()+len(text) > maxText-500 {
			left++
			continue
		}
		b.WriteString(text)
	}
	if left > 0 {
		fmt.Fprintf(b, "\n%d more traces left out\n", left)
	}
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

// cutTrace keeps head and tail of a long trace, in whole lines.
func cutTrace(text string) string {
	if len(text) <= maxTrace {
		return text
	}
	head := text[:maxTrace/2]
	head = head[:strings.LastIndexByte(head, '\n')+1]
	tail := text[len(text)-maxTrace/2:]
	tail = tail[strings.IndexByte(tail, '\n')+1:]
	note := fmt.Sprintf("... %d bytes left out ...\n", len(text)-len(head)-len(tail))
	return head + note + tail
}

// oneLine makes text fit for a header or a table: no control characters, cut at a rune.
func oneLine(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	if len(s) <= limit {
		return s
	}
	cut := limit - 3
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

const clockForm = "2006-01-02 15:04:05"

// clock gives a time in the configured zone, with its name.
func (a *Alerter) clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(a.location).Format(clockForm + " MST")
}

// between gives a span of time, with the date of its end only where that differs.
func (a *Alerter) between(from, to time.Time) string {
	from, to = from.In(a.location), to.In(a.location)
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		return from.Format(clockForm) + "-" + to.Format("15:04:05 MST")
	}
	return from.Format(clockForm+" MST") + " - " + to.Format(clockForm+" MST")
}

// span gives a length of time in whole seconds, and below a minute in milliseconds.
func span(d time.Duration) string {
	if d < time.Minute {
		return d.Round(time.Millisecond).String()
	}
	days, rest := d/(24*time.Hour), (d % (24 * time.Hour)).Round(time.Second)
	if days > 0 {
		return fmt.Sprintf("%dd%s", days, rest)
	}
	return rest.String()
}
