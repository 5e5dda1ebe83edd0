// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

// Package config reads the configuration file: it composes the types of all sections, decodes strictly, checks what concerns more
// than one section (a check's module exists, names are unique, notifiers are known), and swaps the whole atomically on reload.
//
// What a section means belongs to the package that owns its type (probes, alerting, history); checks are defined here. Only cmd may
// import it: everything else is handed what it needs.
package config
