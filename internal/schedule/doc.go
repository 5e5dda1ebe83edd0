// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Package schedule decides when which check runs. It owns the phase of each check, the limit on probes at the same time, the rule
// that a check never overlaps itself, and the order in which judge and observers see a result.
//
// One dispatcher goroutine serves all checks from a heap of due times; a goroutine exists only for a check that runs. It knows no
// protocol, no store and no alerting, and imports internal/probe alone.
package schedule
