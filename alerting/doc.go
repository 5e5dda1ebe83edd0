// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Package alerting turns results into messages. It owns the states of the checks (pure next), the outbox of what is still to be told
// (committed to a Journal before anything is done, kept in memory too, so that it works on while the journal refuses), the notifiers
// and their pace, the text of messages, and the daily summary.
//
// It imports the leaves only: it knows neither the store nor the scheduler, and reads no configuration file.
//
// # What a crash leaves
//
// A transition is committed with the intents to tell of it (deliveries) before anyone acts on it. A message is sealed, its text and
// Message-ID fixed, in the commit that also says that its first attempt begins. Each later attempt is committed before it begins and
// again with its outcome. So whatever is killed when: every transition is told at least once, in order for each notifier, and only an
// attempt of which the outcome is not known is made again, with the same Message-ID and the same text.
package alerting
