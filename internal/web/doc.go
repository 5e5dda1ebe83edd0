// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Package web is what people and scrapers see over HTTP: it owns the server with its TLS and passwords, the routes, and the pages.
//
// It probes nothing, stores nothing and decides nothing; it is given handlers and small functions that read. Pages need neither
// scripts nor network, and never wait for the history longer than a moment. Of ours it imports the leaves only.
package web
