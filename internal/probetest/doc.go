// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Package probetest has what tests of probers need: scripted servers on loopback, a throw-away certificate authority, a plain rendering
// of samples, and golden files. It is for tests only and imports the leaf packages only.
package probetest
