// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Package probetest has what tests of probers need: scripted servers on loopback, ports that stay free, a throw-away certificate authority,
// a plain rendering of samples, golden files, and a look for goroutines that are left. It is for tests only and imports the leaf packages only.
package probetest
