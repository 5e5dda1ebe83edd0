// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"github.com/prometheus/client_golang/prometheus"

	"skywatch/internal/record"
)

var (
	descMessages = prometheus.NewDesc("skywatch_outbox_messages",
		"Messages that are still to be sent; in state open, transitions that are in no message yet.", []string{"notifier", "state"}, nil)
	descOldest = prometheus.NewDesc("skywatch_outbox_oldest_timestamp_seconds",
		"When the oldest of what is still to be told was noticed; absent if nothing is.", []string{"notifier"}, nil)
	descAttempts = prometheus.NewDesc("skywatch_notifications_total",
		"Attempts to send a message by outcome, and messages given up (expired).", []string{"notifier", "outcome"}, nil)
	descUnstored = prometheus.NewDesc("skywatch_outbox_unstored_writes",
		"Writes that wait in memory for the history to take them.", nil, nil)
	descLost = prometheus.NewDesc("skywatch_outbox_lost_writes_total",
		"Writes given up because memory for them was full: of messages that are over and of transitions already told, so no message is lost.", nil, nil)
)

// collector gives the metrics of the outbox.
type collector struct{ alerter *Alerter }

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descMessages, descOldest, descAttempts, descUnstored, descLost} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	a := c.alerter
	waiting, lost := a.ledger.counts()
	ch <- prometheus.MustNewConstMetric(descUnstored, prometheus.GaugeValue, float64(waiting))
	ch <- prometheus.MustNewConstMetric(descLost, prometheus.CounterValue, float64(lost))
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.sortedLanes() {
		l.collect(ch)
	}
}

func (l *lane) collect(ch chan<- prometheus.Metric) {
	states := map[record.MessageState]int{0: len(l.open), record.Sealed: 0, record.Parked: 0}
	for _, x := range l.pending() {
		states[x.State]++
	}
	for state, n := range states {
		ch <- prometheus.MustNewConstMetric(descMessages, prometheus.GaugeValue, float64(n), l.name, state.String())
	}
	if oldest := l.oldest(); !oldest.IsZero() {
		ch <- prometheus.MustNewConstMetric(descOldest, prometheus.GaugeValue, float64(oldest.UnixMilli())/1000, l.name)
	}
	for i, n := range l.counts {
		ch <- prometheus.MustNewConstMetric(descAttempts, prometheus.CounterValue, float64(n), l.name, outcome(i).String())
	}
}
