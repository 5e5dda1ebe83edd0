// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Package rules holds the tests of what every file must obey: which package may import which, licence header, documentation, size.
package rules
