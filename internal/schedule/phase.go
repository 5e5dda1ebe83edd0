// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package schedule

import (
	"hash/fnv"
	"time"
)

// phase places a check within its interval. It depends on name and interval alone, so it is the same after a restart and in any
// company of other checks. Names that differ in a digit lie far apart: FNV alone mixes its last bytes badly, the finaliser
// (that of splitmix64) spreads them over all bits.
func phase(name string, every time.Duration) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(name))
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return time.Duration((x ^ x>>31) % uint64(every))
}

// nextTick is the first tick at or after now. Ticks lie at phase + n * every.
func nextTick(now, phase, every time.Duration) time.Duration {
	tick := phase + (now-phase)/every*every
	if tick < now {
		tick += every
	}
	return tick
}
