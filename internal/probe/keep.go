// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"slices"
	"strings"
)

// The bounds of the samples that are kept of the last result of a scheduled check, for as long as there is no newer one: of one target,
// and of all targets of a check with many, each of which has the same share.
const (
	maxKeptSamples  = 100
	maxKeptText     = 16 << 10 // bytes of label values
	maxRoundSamples = 10_000
	maxRoundText    = 1 << 20
)

// Keep gives the result with the samples that may be kept of it when it is that of one of so many targets: the first ones, in the order in
// which the prober set them. LeftOut counts the others. A result within these bounds already stays as it is.
func (r Result) Keep(targets int) Result {
	most, room := min(maxKeptSamples, maxRoundSamples/targets), min(maxKeptText, maxRoundText/targets)
	kept := 0
	for ; kept < len(r.Samples) && kept < most; kept++ {
		for _, label := range r.Samples[kept].Labels {
			room -= len(label)
		}
		if room < 0 {
			break
		}
	}
	r.LeftOut += len(r.Samples) - kept
	r.Samples = r.Samples[:kept:kept]
	return r
}

// copySamples gives samples that hold on to nothing else: a label may be a piece of a whole page.
func copySamples(samples []Sample) []Sample {
	copied := slices.Clone(samples)
	for i := range copied {
		labels := slices.Clone(copied[i].Labels)
		for j := range labels {
			labels[j] = strings.Clone(labels[j])
		}
		copied[i].Labels = labels
	}
	return copied
}
