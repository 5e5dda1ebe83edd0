// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Package history is the memory of skywatch: one SQLite file, bounded in bytes, that holds the raw results in a ring of slots, the
// traces of failures, the states of checks, and the outbox of alerting.
//
// One process writes, over one connection. A transaction never dirties more pages than the write-ahead log has room for, so file and
// log together stay below the configured size at every moment. Whatever happens to the file, probing goes on: calls fail fast, and Run
// tries again. The package knows no protocol and no notifier; of this project it imports the leaves only.
package history
