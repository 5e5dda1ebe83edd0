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
// The heap is collected somewhat earlier than Go would by itself, unless the environment says when: it costs a tenth of the time of a probe
// when probes follow each other without pause, nothing that shows otherwise, and saves 2 MB.
func (p *program) frugal() {
	if !p.pprof {
		runtime.MemProfileRate = 0
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
}
