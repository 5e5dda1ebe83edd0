// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"fmt"
	"testing"
	"time"
)

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 checks", 1: "1 check", 2: "2 checks"} {
		if got := Count(n, "check"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestListed(t *testing.T) {
	var names []string
	for i := range 22 {
		names = append(names, fmt.Sprintf("n%02d", i))
	}
	for n, want := range map[int]string{
		0: ``, 1: `"n00"`, 3: `"n00", "n01", "n02"`,
		22: `"n00", "n01", "n02", "n03", "n04", "n05", "n06", "n07", "n08", "n09", "n10", "n11", "n12", "n13", "n14", "n15", "n16", "n17", "n18", "n19" or 2 more`,
	} {
		if got := Listed(names[:n]); got != want {
			t.Errorf("%d names: %s, want %s", n, got, want)
		}
	}
}

func TestTook(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0.0 ms", 1234567 * time.Nanosecond: "1.2 ms", time.Second: "1.00 s", 61500 * time.Millisecond: "61.50 s"} {
		if got := Took(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
