// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// forgetStart gives back the memory of those parts of the program that only its start has needed: flags, configuration, the opening of the
// history. They come back from the file, at the price of a page fault, when they are needed again. Without this they stay resident until
// the machine is short of memory, and with them most of the program, since the kernel maps what lies around every page that is touched.
func forgetStart() {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return // no /proc: nothing is lost but memory
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		if from, to, ok := constant(lines.Text(), self); ok {
			syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED) // refused is as good as not asked
		}
	}
}

// constant tells whether a line of /proc/self/maps is about a part of the program that nobody can write to, so that its file has it all.
func constant(line, program string) (from, to uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 6 || fields[5] != program || !strings.HasPrefix(fields[1], "r") || fields[1][1] != '-' {
		return 0, 0, false
	}
	if _, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); err != nil {
		return 0, 0, false
	}
	return from, to, from < to
}
