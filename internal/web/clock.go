// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"strconv"
	"time"
)

// clock turns times into what people read, as seen at one moment in one zone.
type clock struct {
	now  time.Time
	zone *time.Location
}

func (h *handler) clock() clock { return clock{h.Now(), h.Location()} }

// moment is a time as it is shown. The zero value is one that never came.
type moment struct {
	ISO  string // for machines
	Text string // in the configured zone
	Ago  string // distance from now
}

func (c clock) moment(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	ago := "in " + span(t.Sub(c.now))
	if !t.After(c.now) {
		ago = span(c.now.Sub(t)) + " ago"
	}
	return moment{t.UTC().Format(time.RFC3339), t.In(c.zone).Format("2006-01-02 15:04:05 MST"), ago}
}

// span gives the two largest units of a length of time.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	units := []struct {
		length time.Duration
		sign   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	for i, u := range units[:3] {
		if d < u.length {
			continue
		}
		text := strconv.Itoa(int(d/u.length)) + " " + u.sign
		if next := units[i+1]; d%u.length >= next.length {
			text += " " + strconv.Itoa(int(d%u.length/next.length)) + " " + next.sign
		}
		return text
	}
	return strconv.Itoa(int(d/time.Second)) + " s"
}
