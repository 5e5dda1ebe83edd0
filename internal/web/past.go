// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// What the pages of the past show at most.
const (
	maxResults     = 100
	maxTransitions = 50
	maxOutages     = 500
	defaultDays    = 30
	maxDays        = 3660
)

type checkPage struct {
	Row         checkRow
	Facts       []fact // what is configured and what the last success told
	Chart       chart
	Results     []resultRow
	Transitions []transitionRow
	Problem     string
}

type fact struct{ Key, Value string }

// resultRow is a result; Check is "" for a request.
type resultRow struct {
	Check, Module, Target string
	At                    moment
	Verdict               string
	Took                  string
	Attempts              int
	Reason, Err           string
	Trace                 int64
}

type transitionRow struct {
	At          moment
	From, To    string
	Reason, Err string
	Note        string
	Changes     []record.Change
}

func (h *handler) check(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	checks := h.Checks()
	at := slices.IndexFunc(checks, func(c probe.Check) bool { return c.Name == name })
	if at < 0 {
		text(w, http.StatusNotFound, "no check "+strconv.Quote(name)+" is configured\n")
		return
	}
	check, clock := &checks[at], h.clock()
	f := h.frame(r, "../", name)
	page := &checkPage{Row: newCheckRow(clock, check, record.CheckState{})}
	f.Check = page
	page.Facts = configured(check)
	states := h.States()
	if at := slices.IndexFunc(states, func(s record.CheckState) bool { return s.Check == name }); at >= 0 {
		page.Row = newCheckRow(clock, check, states[at])
		page.Facts = append(page.Facts, failingFacts(states[at].Targets)...)
		for _, known := range states[at].Facts {
			page.Facts = append(page.Facts, fact{"last success: " + known.Key, known.Value})
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxWait)
	defer cancel()
	results, err := h.History.Results(ctx, name, maxResults)
	transitions, also := h.History.Transitions(ctx, name, maxTransitions)
	if err := errors.Join(err, also); err != nil {
		page.Problem = err.Error()
	}
	page.Chart = newChart(clock, results)
	page.Results = h.resultRows(results)
	page.Transitions = h.transitionRows(transitions)
	h.show(w, f)
}

// maxTargets is how many targets of a check its page shows.
const maxTargets = 100

// targetFacts names the target, or the first of many.
func targetFacts(c *probe.Check) (facts []fact) {
	if len(c.Parts) == 0 {
		return []fact{{"target", c.Target.String()}}
	}
	for i, p := range c.Parts {
		if i == maxTargets {
			return append(facts, fact{"targets", strconv.Itoa(len(c.Parts)-i) + " more are not shown here"})
		}
		facts = append(facts, fact{"target " + strconv.Itoa(i+1), p.Target.String()})
	}
	return facts
}

// configured tells what the check does, in words.
func configured(c *probe.Check) []fact {
	facts := targetFacts(c)
	if c.Module != nil {
		facts = append(facts, fact{"module", c.Module.Name + " (" + c.Module.Kind + ")"})
	}
	facts = append(facts, fact{"runs", "every " + c.Every.String() + ", " + probe.Count(max(c.Attempts, 1), "attempt") + " of " + c.Timeout.String()})
	if c.Group != "" {
		facts = append(facts, fact{"group", c.Group})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Labels)) {
		facts = append(facts, fact{"label " + name, c.Labels[name]})
	}
	return facts
}

// failingFacts names the failing targets of a check with many.
func failingFacts(t record.Targets) (facts []fact) {
	for _, name := range t.Names {
		facts = append(facts, fact{"failing", name})
	}
	if more := t.Failing - len(t.Names); more > 0 {
		facts = append(facts, fact{"failing", strconv.Itoa(more) + " more"})
	}
	return facts
}

func (h *handler) resultRows(results []record.Stored) []resultRow {
	clock, rows := h.clock(), make([]resultRow, len(results))
	for i := range results {
		s := &results[i]
		rows[i] = resultRow{
			Check: s.Check, Module: s.Module, Target: s.Target, At: clock.moment(s.At), Verdict: s.Verdict.String(), Took: probe.Took(s.Took),
			Attempts: s.Attempts, Reason: s.Reason.String(), Err: s.Err, Trace: s.Trace,
		}
	}
	return rows
}

func (h *handler) transitionRows(transitions []record.Transition) []transitionRow {
	clock, rows := h.clock(), make([]transitionRow, len(transitions))
	for i := range transitions {
		t := &transitions[i]
		rows[i] = transitionRow{clock.moment(t.At), t.From.String(), t.To.String(), t.Reason.String(), t.Err, t.Note, t.Changes}
	}
	return rows
}

type outagesPage struct {
	Days    int
	Rows    []outageRow
	Problem string
}

type outageRow struct {
	Check       string
	Known       bool // still configured
	From, To    moment
	Lasted      string
	Reason, Err string
	Trace       int64
}

func (h *handler) outages(w http.ResponseWriter, r *http.Request) {
	f := h.frame(r, "./", "Outages")
	page := &outagesPage{Days: defaultDays}
	f.Outages = page
	if n, err := strconv.Atoi(r.URL.Query().Get("days")); err == nil && n > 0 {
		page.Days = min(n, maxDays)
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxWait)
	defer cancel()
	clock := h.clock()
	outages, err := h.History.Outages(ctx, clock.now.AddDate(0, 0, -page.Days), clock.now, maxOutages)
	if err != nil {
		page.Problem = err.Error()
	}
	known := make(map[string]bool)
	for _, check := range h.Checks() {
		known[check.Name] = true
	}
	for i := range outages {
		page.Rows = append(page.Rows, newOutageRow(clock, &outages[i], known[outages[i].Check]))
	}
	h.show(w, f)
}

func newOutageRow(c clock, o *record.Outage, known bool) outageRow {
	end := o.To
	if end.IsZero() {
		end = c.now
	}
	return outageRow{
		Check: o.Check, Known: known, From: c.moment(o.From), To: c.moment(o.To), Lasted: span(end.Sub(o.From)),
		Reason: o.Reason.String(), Err: o.Err, Trace: o.Trace,
	}
}

func (h *handler) trace(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		text(w, http.StatusNotFound, "no trace "+strconv.Quote(r.PathValue("id"))+", want a number\n")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 4*maxWait)
	defer cancel()
	trace, err := h.History.Trace(ctx, id)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && trace == "":
		text(w, http.StatusNotFound, "no trace "+strconv.FormatInt(id, 10)+" is kept; old ones make room for new ones\n")
	case err != nil:
		text(w, http.StatusServiceUnavailable, "reading trace "+strconv.FormatInt(id, 10)+": "+err.Error()+"\n")
	default:
		text(w, http.StatusOK, trace)
	}
}
