// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package lockout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"skywatch/internal/probe"
)

// maxShown bounds the series, and the lines of a page.
const maxShown = 100

// shown is an account that a server refused.
type shown struct {
	account
	refusals int       // of the server
	row      int       // of the host
	until    time.Time // of the pause; zero = there is none now
}

// refusedAccounts gives the accounts with refusals, most of them first, at most maxShown. Users of one secret at one server are one.
func (g *Guard) refusedAccounts() []shown {
	g.mu.Lock()
	defer g.mu.Unlock()
	worst := make(map[account]shown)
	for a, t := range g.tallies {
		s := shown{account: a, refusals: t.refusals}
		a.user = ""
		if t.refusals > worst[a].refusals {
			worst[a] = s
		}
	}
	var all []shown
	for _, s := range worst {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b shown) int {
		return cmp.Or(b.refusals-a.refusals, strings.Compare(a.label(), b.label()), strings.Compare(a.address, b.address))
	})
	all = all[:min(len(all), maxShown)]
	for i := range all {
		t := g.tally(all[i].account)
		all[i].row, _ = g.row(all[i].account, t)
		if until := g.until(all[i].account, t); until.After(g.o.Now()) {
			all[i].until = until
		}
	}
	return all
}

// Notices says which logins are paused, a line each.
func (g *Guard) Notices() (all []string) {
	for _, s := range g.refusedAccounts() {
		if !s.until.IsZero() {
			text := fmt.Sprintf("%s are paused until %s after %s in a row", s.account, g.clock(s.until), probe.Count(s.row, "refusal"))
			all = append(all, strings.ToUpper(text[:1])+text[1:])
		}
	}
	return all
}

var (
	labels       = []string{"credential", "address"}
	descRefusals = prometheus.NewDesc("skywatch_login_refusals",
		"How often in a row a server refused a credential. Absent when it was not, or was accepted since.", labels, nil)
	descPaused = prometheus.NewDesc("skywatch_login_paused_until_timestamp_seconds",
		"When checks log in again with a credential that a server refused too often. Absent when they are not paused.", labels, nil)
)

// gauges are the metrics of a guard.
type gauges struct{ guard *Guard }

// Describe names both metrics.
func (gauges) Describe(out chan<- *prometheus.Desc) {
	out <- descRefusals
	out <- descPaused
}

// Collect gives the series of the accounts with refusals.
func (c gauges) Collect(out chan<- prometheus.Metric) {
	seen := make(map[[2]string]bool)
	for _, s := range c.guard.refusedAccounts() {
		values := [2]string{s.label(), s.address}
		if seen[values] { // a credential may be named like the label of a module
			continue
		}
		seen[values] = true
		out <- prometheus.MustNewConstMetric(descRefusals, prometheus.GaugeValue, float64(s.refusals), values[:]...)
		if !s.until.IsZero() {
			out <- prometheus.MustNewConstMetric(descPaused, prometheus.GaugeValue, float64(s.until.UnixMilli())/1000, values[:]...)
		}
	}
}
