// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// What a page shows at most, and how long it waits for the history.
const (
	maxChecks   = 1000
	maxRecent   = 30
	maxRequests = 1000
	maxMessages = 50
	maxNotices  = 10
	maxWait     = 500 * time.Millisecond
)

type landingPage struct {
	Tiles         []tile
	Checks        []checkRow
	MoreChecks    int
	Measured      bool // /metrics/checks is there
	Recent        []resultRow
	RecentProblem string
	Requests      []requestRow
	Messages      []messageRow
	MoreMessages  int
}

// tile counts the checks in one state.
type tile struct {
	State string
	Count int
}

// checkRow is a check with its state.
type checkRow struct {
	Name, Group, Module, Target string
	State                       string
	Since, LastSuccess          moment
	Reason, Err                 string
	rank                        int
}

// requestRow is a probe that somebody asked for.
type requestRow struct {
	ID             int64
	Module, Target string
	Success        bool
}

type messageRow struct {
	Notifier, State, Subject, Err string
	Sealed                        moment
	Tried                         int
	Unstored                      bool
}

func (h *handler) landing(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != h.Prefix && !h.Exact {
		text(w, http.StatusNotFound, "404 page not found\n")
		return
	}
	f := h.frame(r, root(strings.TrimPrefix(r.URL.Path, h.Prefix)), "Checks")
	f.Problems = h.problems()
	page := &landingPage{Measured: h.Measured != nil}
	f.Landing = page
	rows := h.checkRows()
	page.Tiles = tiles(rows)
	page.Checks, page.MoreChecks = bounded(rows, maxChecks)
	messages, more := bounded(h.Pending(), maxMessages)
	page.Messages, page.MoreMessages = h.messageRows(messages), more
	ctx, cancel := context.WithTimeout(r.Context(), maxWait)
	defer cancel()
	recent, err := h.History.Recent(ctx, maxRecent)
	if err != nil {
		page.RecentProblem = err.Error()
	}
	page.Recent = h.resultRows(recent)
	page.Requests = h.requestRows()
	h.show(w, f)
}

// root gives the relative way to the landing page from a path below the prefix.
func root(path string) string {
	if depth := strings.Count(path, "/"); depth > 0 {
		return strings.Repeat("../", depth)
	}
	return "./"
}

func bounded[T any](all []T, limit int) (shown []T, more int) {
	if len(all) <= limit {
		return all, 0
	}
	return all[:limit], len(all) - limit
}

// problems are those of skywatch itself.
func (h *handler) problems() (all []string) {
	if err := h.Ready(); err != nil {
		all = append(all, "Not ready: "+err.Error())
	}
	if err := h.HistoryErr(); err != nil {
		all = append(all, "The history takes no writes; results are kept in memory and messages go out from there: "+err.Error())
	}
	notices, more := bounded(h.Notices(), maxNotices)
	all = append(all, notices...)
	if more > 0 {
		all = append(all, "and "+probe.Count(more, "notice")+" more of this kind")
	}
	failing := 0
	for _, m := range h.Pending() {
		if m.Error != "" || m.State == record.Parked {
			failing++
		}
	}
	if failing > 0 {
		all = append(all, "Messages that could not be delivered so far: "+probe.Count(failing, "message"))
	}
	return all
}

// checkRows gives all configured checks, those that need attention first.
func (h *handler) checkRows() []checkRow {
	clock, states := h.clock(), make(map[string]record.CheckState)
	for _, s := range h.States() {
		states[s.Check] = s
	}
	checks := h.Checks()
	rows := make([]checkRow, len(checks))
	for i := range checks {
		rows[i] = newCheckRow(clock, &checks[i], states[checks[i].Name])
	}
	slices.SortStableFunc(rows, func(a, b checkRow) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.Name, b.Name))
	})
	return rows
}

// order is that of attention.
var order = []record.State{record.Down, record.Degraded, record.Unknown, record.Up}

func newCheckRow(c clock, check *probe.Check, s record.CheckState) checkRow {
	row := checkRow{
		Name: check.Name, Group: check.Group, Target: targetText(check, s.Targets), State: s.State.String(), rank: slices.Index(order, s.State),
		Since: c.moment(s.Since), LastSuccess: c.moment(s.LastSuccess), Reason: s.Reason.String(), Err: s.Err,
	}
	if check.Module != nil {
		row.Module = check.Module.Name
	}
	return row
}

// targetText is the target of a check, or how many it has, and how many of those fail.
func targetText(check *probe.Check, t record.Targets) string {
	switch {
	case len(check.Parts) == 0:
		return check.Target.String()
	case t.Failing == 0:
		return probe.Count(len(check.Parts), "target")
	}
	return strconv.Itoa(t.Failing) + " of " + probe.Count(len(check.Parts), "target") + " failing"
}

func tiles(rows []checkRow) (all []tile) {
	for _, state := range order {
		t := tile{State: state.String()}
		for i := range rows {
			if rows[i].State == t.State {
				t.Count++
			}
		}
		all = append(all, t)
	}
	return all
}

func (h *handler) messageRows(messages []record.Message) (rows []messageRow) {
	clock := h.clock()
	for i := range messages {
		m := &messages[i]
		rows = append(rows, messageRow{
			Notifier: m.Notifier, State: m.State.String(), Subject: m.Subject, Err: m.Error,
			Sealed: clock.moment(m.SealedAt), Tried: m.Tried, Unstored: m.Unstored,
		})
	}
	return rows
}

func (h *handler) requestRows() (rows []requestRow) {
	for id, r := range h.Requests {
		if rows = append(rows, requestRow{id, r.Module, r.Target, r.Success()}); len(rows) == maxRequests {
			break
		}
	}
	return rows
}
