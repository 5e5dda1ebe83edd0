// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"strconv"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// chart draws the last results as bars, oldest first: as high as they took long, full height for what is not up.
type chart struct {
	Width, Height int
	Bars          []bar
	Words         string // for those who do not see it
	From, To      moment
	Top           string // what full height stands for
}

type bar struct {
	X, Y, Height  int
	Verdict, Text string
}

const (
	barWidth    = 8 // with its gap
	chartHeight = 64
	minBar      = 3
	fewestBars  = 50 // room for so many, so that a young check has no giants
)

func newChart(c clock, newest []record.Stored) chart {
	room := max(len(newest), fewestBars)
	drawn := chart{Width: room * barWidth, Height: chartHeight}
	longest := time.Millisecond
	counts := make(map[string]int)
	for i := range newest {
		longest = max(longest, newest[i].Took)
		counts[newest[i].Verdict.String()]++
	}
	for i := range newest {
		s := &newest[len(newest)-1-i]
		b := bar{X: (room - len(newest) + i) * barWidth, Height: chartHeight, Verdict: s.Verdict.String()}
		if b.Verdict == "up" {
			b.Height = max(minBar, int(int64(chartHeight)*int64(s.Took)/int64(longest)))
		}
		b.Y = chartHeight - b.Height
		b.Text = b.Verdict + ", " + probe.Took(s.Took) + ", " + c.moment(s.At).Text
		drawn.Bars = append(drawn.Bars, b)
	}
	drawn.Top = probe.Took(longest)
	if len(newest) > 0 {
		drawn.From, drawn.To = c.moment(newest[len(newest)-1].At), c.moment(newest[0].At)
	}
	drawn.Words = probe.Count(len(newest), "result")
	for _, word := range []string{"up", "down", "inconclusive"} {
		if counts[word] > 0 {
			drawn.Words += ", " + strconv.Itoa(counts[word]) + " " + word
		}
	}
	return drawn
}
