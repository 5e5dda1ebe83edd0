// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"iter"
	"time"
)

// Part is one target of a check with many, with the module that probes it: the check's own or a variant of it.
type Part struct {
	Module *Module
	Target Target
}

// PartsAtOnce is how many targets of one check are probed at the same time.
const PartsAtOnce = 8

// Each gives every target of the check with the module that probes it, whether there is one or many.
func (c Check) Each() iter.Seq2[*Module, Target] {
	return func(yield func(*Module, Target) bool) {
		if len(c.Parts) == 0 {
			yield(c.Module, c.Target)
			return
		}
		for _, p := range c.Parts {
			if !yield(p.Module, p.Target) {
				return
			}
		}
	}
}

// part is the check with one of its targets alone.
func (c Check) part(i int) Check {
	c.Module, c.Target, c.Parts = c.Parts[i].Module, c.Parts[i].Target, nil
	return c
}

// WorstCase is the longest time the check's attempts may take. Of many targets PartsAtOnce go side by side, so there may be several turns.
func (c Check) WorstCase() time.Duration {
	n := time.Duration(max(c.Attempts, 1))
	turns := time.Duration(max((len(c.Parts)+PartsAtOnce-1)/PartsAtOnce, 1))
	return turns * (n*c.Timeout + (n-1)*c.RetryDelay)
}
