// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

const (
	summarySpan = 24 * time.Hour
	queryTime   = 10 * time.Second // for what the summary asks of the history
	maxAhead    = time.Hour        // a last summary that lies further in the future was made by a wrong clock
)

// summarizeDaily puts the summary into the outbox once a day, until ctx ends.
func (a *Alerter) summarizeDaily(ctx context.Context) {
	for ctx.Err() == nil {
		if wait := a.summaryIn(); wait > 0 {
			sleep(ctx, nil, min(wait, nap))
		} else if err := a.SendSummary(ctx); err != nil {
			a.log.Error("daily summary not made", "err", err)
			sleep(ctx, nil, nap)
		}
	}
}

// summaryIn is the time until the next summary; nap, if none is configured or today's was sent.
func (a *Alerter) summaryIn() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.config.Summary.At == "" {
		return nap
	}
	now := a.now()
	due := dueOn(now.In(a.location), a.config.Summary.At)
	if a.summarized(now).Before(due) {
		return due.Sub(now)
	}
	return nap
}

// summarized is when the last summary was made. Where that is not known, because nothing was ever stored or nothing could be read, the
// start counts, so that nobody is sent one for the time before. A time still to come is that of a clock that was ahead once: then the
// moment counts at which that was noticed, so that the next summary comes within a day; unless it is near, as after the clock was put
// right by seconds. The lock is held.
func (a *Alerter) summarized(now time.Time) time.Time {
	last := a.lastSummary
	if last.IsZero() && a.blank {
		last = a.begun
	}
	if last.Sub(now) <= maxAhead {
		a.ahead = time.Time{}
		return last
	}
	if a.ahead.IsZero() || a.ahead.After(now) {
		a.ahead = plain(now)
	}
	return a.ahead
}

// dueOn gives the moment of a civil time on a day: right after the gap where the clocks are set forward over it, and always the same
// one where they are set back over it.
func dueOn(day time.Time, at string) time.Time {
	clock, _ := time.Parse(summaryTime, at) // validated
	on := func(zone *time.Location) time.Time {
		return time.Date(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), 0, 0, zone)
	}
	due, wanted := on(day.Location()), on(time.UTC)
	shown := time.Date(due.Year(), due.Month(), due.Day(), due.Hour(), due.Minute(), 0, 0, time.UTC)
	start, end := due.ZoneBounds()
	switch {
	case shown.Before(wanted):
		return end
	case shown.After(wanted):
		return start
	}
	return due
}

// SendSummary puts a summary of now into the outbox of those who get one, and commits it there for all of them before it returns.
func (a *Alerter) SendSummary(ctx context.Context) error {
	subject, text, err := a.Summary(ctx)
	if err != nil {
		return err
	}
	a.reload.RLock()
	defer a.reload.RUnlock()
	a.mu.Lock()
	a.lastSummary = plain(a.now())
	a.expired = nil
	lanes := slices.DeleteFunc(a.sortedLanes(), func(l *lane) bool {
		names := a.config.Summary.Notify
		return l.notifier == nil || names != nil && !slices.Contains(names, l.name)
	})
	a.mu.Unlock()
	for _, l := range lanes {
		a.sealSummary(ctx, l, subject, text)
	}
	return nil
}

// sealSummary commits a summary for one notifier, in place of those that surely were not taken. From then on its pump has it. reload is
// held.
func (a *Alerter) sealSummary(ctx context.Context, l *lane, subject, text string) {
	a.mu.Lock()
	x := a.letter(l, record.KindSummary)
	x.Subject, x.Text = subject, text
	replaced := undoubted(l.summaries)
	x.succeed(replaced)
	l.remove(replaced...)
	a.mu.Unlock()
	a.sealed(ctx, x, replaced)
	a.mu.Lock()
	l.put(x)
	a.mu.Unlock()
	notify(l.wake)
}

// Summary writes the summary of now: the situation, the last 24 hours, and what is wrong with skywatch itself.
func (a *Alerter) Summary(ctx context.Context) (subject, text string, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	to := a.now()
	from := to.Add(-summarySpan)
	var tallies []record.Tally
	var outages []record.Outage
	var unread error
	if a.reader != nil {
		if tallies, unread = a.reader.Tallies(ctx, from, to); unread == nil {
			outages, unread = a.reader.Outages(ctx, from, to, maxRows+1)
		}
	}
	if err := ctx.Err(); err != nil && unread == nil {
		return "", "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	situation := a.situation()
	_, headline, _ := strings.Cut(strings.SplitN(situation, "\n", 2)[0], ": ")
	day := to.In(a.location).Format(time.DateOnly)
	text = situation + "\n" + a.outages(outages, to) + "\n" + a.results(tallies) + "\n" + a.troubles(unread) + hint + a.signature()
	return "skywatch " + day + ": " + headline, text, nil
}

const hint = "\nThis summary comes every day. If it does not come, skywatch itself or the way to you is down.\n\n"

func (a *Alerter) outages(all []record.Outage, now time.Time) string {
	if len(all) == 0 {
		return "No outages in the last 24 hours.\n"
	}
	rows := [][]string{{"CHECK", "FROM", "TO", "FOR", "REASON", "ERROR"}}
	for _, o := range all {
		end, until := now, "still down"
		if !o.To.IsZero() {
			end, until = o.To, a.clock(o.To)
		}
		rows = append(rows, []string{o.Check, a.clock(o.From), until, span(end.Sub(o.From)), o.Reason.String(), o.Err})
	}
	return "Outages of the last 24 hours:\n" + table(rows)
}

func (a *Alerter) results(all []record.Tally) string {
	if len(all) == 0 {
		return "No results in the last 24 hours.\n"
	}
	rows := [][]string{{"CHECK", "UP", "DOWN", "INCONCLUSIVE", "ATTEMPTS", "MEAN", "MAX"}}
	for _, t := range all {
		rows = append(rows, []string{
			t.Check, fmt.Sprint(t.Up), fmt.Sprint(t.Down), fmt.Sprint(t.Inconclusive), fmt.Sprint(t.Attempts),
			probe.Took(t.TookMean), probe.Took(t.TookMax),
		})
	}
	return "Results of the last 24 hours:\n" + table(rows)
}

// troubles lists what is wrong with skywatch itself. The lock is held.
func (a *Alerter) troubles(unread error) string {
	var all []string
	if why := a.ledger.refusing(); why != nil {
		waiting, lost := a.ledger.counts()
		all = append(all, fmt.Sprintf("history takes no writes: %s (%d writes wait in memory, %d given up)", why, waiting, lost))
	}
	if unread != nil {
		all = append(all, fmt.Sprintf("history could not be read: %s", unread))
	}
	for _, l := range a.sortedLanes() {
		for _, x := range l.pending() {
			all = append(all, fmt.Sprintf("notifier %q: message %q is %s since %s, %d attempts: %s",
				l.name, x.Subject, x.State, a.clock(x.SealedAt), x.Tried, x.Error))
		}
	}
	for _, gone := range a.expired {
		all = append(all, "given up: "+gone)
	}
	if len(all) == 0 {
		return "skywatch itself: no trouble.\n"
	}
	text := "skywatch itself:\n"
	for _, line := range all[:min(len(all), maxRows)] {
		text += "  " + oneLine(line, maxError) + "\n"
	}
	if left := len(all) - maxRows; left > 0 {
		text += fmt.Sprintf("  ... and %d more\n", left)
	}
	return text
}
