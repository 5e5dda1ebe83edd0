// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Package probes owns every protocol that skywatch speaks: one file each, with the configuration, its defaults and rules, the probing
// and the declared metrics side by side. It also owns what they share: the decoding of the `modules:` section, the dialer and TLS.
//
// A prober registers itself with register from an init function of its own file, which carries the build tag no<name>:
//
//	func init() { register("tcp", newTCP, tcpDescs...) }
//
// Its configuration struct is the prober. The factory returns a pointer to one with the defaults set; the module's section is then
// decoded over it, strictly, perhaps followed by a partial section of a check (`with`), so the struct itself must not implement
// UnmarshalYAML. Validate runs once at the end, completes derived fields, and from then on nothing in the struct changes.
//
// The package imports the leaf packages only, never client_golang.
package probes

//go:generate go run known_main.go
