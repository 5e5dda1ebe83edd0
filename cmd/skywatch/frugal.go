// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// collectAt is the percentage of what lives by which the heap may grow before it is collected.
const collectAt = 50

// frugal keeps the daemon small. The runtime samples allocations for a heap profile as long as any code could ask for one, which costs
// 1 MB for its tables; nobody can ask unless profiles are served.
//
// The heap is collected somewhat earlier than Go would by itself, unless the environment says when: that saves 2 MB, and costs
// 5 to 25 % of the time of a probe only where many of them follow each other without pause.
func (p *program) frugal() {
	if !p.pprof {
		runtime.MemProfileRate = 0
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
}
