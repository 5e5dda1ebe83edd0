// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Package record is the second leaf: what skywatch remembers, as plain values that history stores and alerting, collector and web
// work with. It owns the states of a check, transitions, deliveries, messages, counters and what queries give back.
// It knows no storage and imports internal/probe and the standard library only.
package record
