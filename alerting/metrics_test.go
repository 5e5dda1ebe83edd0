// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
)

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "dead", "ops")
		w.boxes["dead"].reply = failing(1<<30, errNo)
		w.start()
		w.down("A")
		time.Sleep(20 * time.Second)
		w.down("B")
		const want = `
# HELP skywatch_notifications_total Attempts to send a message by outcome, and messages given up (expired).
# TYPE skywatch_notifications_total counter
skywatch_notifications_total{notifier="dead",outcome="doubtful"} 0
skywatch_notifications_total{notifier="dead",outcome="expired"} 0
skywatch_notifications_total{notifier="dead",outcome="failed"} 0
skywatch_notifications_total{notifier="dead",outcome="partial"} 0
skywatch_notifications_total{notifier="dead",outcome="refused"} 1
skywatch_notifications_total{notifier="dead",outcome="sent"} 0
skywatch_notifications_total{notifier="ops",outcome="doubtful"} 0
skywatch_notifications_total{notifier="ops",outcome="expired"} 0
skywatch_notifications_total{notifier="ops",outcome="failed"} 0
skywatch_notifications_total{notifier="ops",outcome="partial"} 0
skywatch_notifications_total{notifier="ops",outcome="refused"} 0
skywatch_notifications_total{notifier="ops",outcome="sent"} 1
# HELP skywatch_outbox_lost_writes_total Writes given up because memory for them was full: of messages that are over and of transitions already told, so no message is lost.
# TYPE skywatch_outbox_lost_writes_total counter
skywatch_outbox_lost_writes_total 0
# HELP skywatch_outbox_messages Messages that are still to be sent; in state open, transitions that are in no message yet.
# TYPE skywatch_outbox_messages gauge
skywatch_outbox_messages{notifier="dead",state="open"} 1
skywatch_outbox_messages{notifier="dead",state="parked"} 0
skywatch_outbox_messages{notifier="dead",state="sealed"} 1
skywatch_outbox_messages{notifier="ops",state="open"} 1
skywatch_outbox_messages{notifier="ops",state="parked"} 0
skywatch_outbox_messages{notifier="ops",state="sealed"} 0
# HELP skywatch_outbox_oldest_timestamp_seconds When the oldest of what is still to be told was noticed; absent if nothing is.
# TYPE skywatch_outbox_oldest_timestamp_seconds gauge
skywatch_outbox_oldest_timestamp_seconds{notifier="dead"} 9.466848e+08
skywatch_outbox_oldest_timestamp_seconds{notifier="ops"} 9.4668482e+08
# HELP skywatch_outbox_unstored_writes Writes that wait in memory for the history to take them.
# TYPE skywatch_outbox_unstored_writes gauge
skywatch_outbox_unstored_writes 0
`
		got := exposition(t, collector{w.alerter})
		if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		problems, err := promlint.New(strings.NewReader(got)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("lint: %v %v, want nothing", problems, err)
		}
	})
}

func exposition(t *testing.T, c prometheus.Collector) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

func TestMetricsAreRegistered(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	New(Options{Journal: &journal{disk: newDisk()}, Registerer: registry})
	families, err := registry.Gather()
	if err != nil || len(families) == 0 {
		t.Errorf("%d families, error %v, want some", len(families), err)
	}
}
