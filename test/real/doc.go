// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Package real tests the skywatch binary against real servers: nginx, unbound, Postfix, Dovecot and Prometheus from Debian, on loopback,
// started by the recipes of test/peers, and beside Debian's blackbox_exporter. It owns no code of the product and imports none: what it
// knows of skywatch is its command line, its configuration, its pages and its SQLite file. The tests have the build tag "real", need root,
// and count a missing server as a failure; only those of the comparison itself run without.
package real
