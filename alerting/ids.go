// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// idRandom is the number of random low bits of an id.
const idRandom = 20

// ids gives ids that are unique and grow: the milliseconds of the clock and random bits, or one more than the last where that is
// larger. So an id made while the store could not be read does not meet those in it.
type ids struct{ last int64 }

func (i *ids) next(now time.Time) int64 {
	i.last = max(i.last+1, now.UnixMilli()<<idRandom|rand.Int64N(1<<idRandom))
	return i.last
}

// above makes sure that later ids are larger than the given one.
func (i *ids) above(id int64) { i.last = max(i.last, id) }

// newInstance names a ring that has no name yet.
func newInstance() string { return fmt.Sprintf("%016x", rand.Uint64()) }

// messageID gives the Message-ID of a message, without angle brackets.
func messageID(id int64, instance, domain string) string {
	return strconv.FormatInt(id, 36) + "." + instance + "@" + domain
}
