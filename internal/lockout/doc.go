// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Package lockout sees to it that skywatch never locks an account or gets banned by repeating a secret that a server refuses. It counts
// refusals in a row for each account, that is for each secret at each server, and makes further logins wait: those of scheduled checks
// with growing pauses, those of requests to a pace. The ports of a host count together once they refuse, and logins that were cut off before
// the server judged them are taken for possible refusals.
//
// It knows no protocol, no configuration file and no history: it is told what a probe is about to send and what the servers said, and is
// given a memory that outlives the process. Of ours it imports internal/probe alone.
package lockout
