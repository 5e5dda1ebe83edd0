// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Package collector turns results into what Prometheus reads: it owns the /probe handler with its parameters, texts and timeout
// arithmetic, the exposition of one result, and the series of the scheduled checks on /metrics.
//
// It starts no probe itself (the handler is given a function that does), keeps nothing on disk, and of ours imports the leaves only.
package collector
