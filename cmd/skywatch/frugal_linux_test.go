// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestConstantParts(t *testing.T) {
	for line, want := range map[string]string{
		"00400000-00d46000 r-xp 00000000 fe:00 1234      /usr/bin/skywatch":   "0x400000 0xd46000 true",
		"00d46000-016e9000 r--p 00946000 fe:00 1234      /usr/bin/skywatch":   "0xd46000 0x16e9000 true",
		"016e9000-017c0000 rw-p 012e9000 fe:00 1234      /usr/bin/skywatch":   "0x0 0x0 false", // holds variables
		"7f0000000000-7f0000001000 r--p 00000000 fe:00 99 /usr/lib/libc.so.6": "0x0 0x0 false",
		"00400000-00d46000 r-xp 00000000 fe:00 1 /usr/bin/skywatch (deleted)": "0x0 0x0 false",
		"00400000-00d46000 ---p 00000000 fe:00 1234      /usr/bin/skywatch":   "0x0 0x0 false",
		"c000000000-c000400000 rw-p 00000000 00:00 0":                         "0x0 0x0 false",
		"": "0x0 0x0 false",
		"x-y r-xp 00000000 fe:00 1234 /usr/bin/skywatch": "0x0 0x0 false",
	} {
		from, to, ok := constant(line, "/usr/bin/skywatch")
		if got := fmt.Sprintf("%#x %#x %t", from, to, ok); got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
}

// TestForgetStart looks at what is resident of this program, which must go on running.
func TestForgetStart(t *testing.T) {
	resident := func() (kib int) {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(status), "RssFile:")
		if _, err := fmt.Sscan(rest, &kib); err != nil {
			t.Fatal(err)
		}
		return kib
	}
	before := resident()
	forgetStart()
	if after := resident(); after >= before {
		t.Errorf("%d KiB of files are resident, want less than %d", after, before)
	}
}
