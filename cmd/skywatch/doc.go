// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Command skywatch watches services the way their users use them: a drop-in blackbox_exporter and a complete standalone monitor.
//
// This package owns the flags, the wiring of the parts, their lifetimes and the order of shutdown; one file per subcommand. Whatever
// could be of use to another program lies in a package of its own.
package main
