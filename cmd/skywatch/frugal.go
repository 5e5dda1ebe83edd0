// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import "runtime"

// frugal keeps the daemon small. The runtime samples allocations for a heap profile as long as any code could ask for one, which costs
// 1 MB for its tables; nobody can ask unless profiles are served.
//
// The collector's own settings stay as they are: twice its percentage saved no measurable time, half of it cost a tenth of the time
// of a probe for 2 MB, and a memory limit near the size of what lives makes it run all the time.
func (p *program) frugal() {
	if !p.pprof {
		runtime.MemProfileRate = 0
	}
}
