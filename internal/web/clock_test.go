// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 400 * time.Millisecond: "0 s", 59600 * time.Millisecond: "1 min", 61 * time.Second: "1 min 1 s", time.Hour: "1 h", time.Hour + 59*time.Second: "1 h",
		25*time.Hour + 30*time.Minute: "1 d 1 h", 400 * 24 * time.Hour: "400 d",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestMoment(t *testing.T) {
	c := clock{now, time.FixedZone("KAT", 5*3600+45*60)}
	for at, want := range map[time.Time]moment{
		{}:                        {},
		now:                       {"2026-03-29T12:00:00Z", "2026-03-29 17:45:00 KAT", "0 s ago"},
		now.Add(90 * time.Second): {"2026-03-29T12:01:30Z", "2026-03-29 17:46:30 KAT", "in 1 min 30 s"},
	} {
		if got := c.moment(at); got != want {
			t.Errorf("moment(%v) = %v, want %v", at, got, want)
		}
	}
}

func TestChart(t *testing.T) {
	drawn := newChart(clock{now, time.UTC}, []record.Stored{
		{At: now, Took: time.Second, Verdict: probe.Down}, {At: now, Took: 2 * time.Second, Verdict: probe.Up}, {At: now, Took: 0, Verdict: probe.Up},
	})
	heights := [3]int{drawn.Bars[0].Height, drawn.Bars[1].Height, drawn.Bars[2].Height}
	if want := [3]int{minBar, chartHeight, chartHeight}; heights != want {
		t.Errorf("heights %v, want %v: oldest first, failures full", heights, want)
	}
	if last := drawn.Bars[2]; last.X+barWidth != drawn.Width || last.Y != 0 || last.Text != "down, 1.00 s, 2026-03-29 12:00:00 UTC" {
		t.Errorf("last bar %+v in a width of %d", last, drawn.Width)
	}
	if empty := newChart(clock{now, time.UTC}, nil); empty.Words != "0 results" {
		t.Errorf("empty chart: %q", empty.Words)
	}
}
