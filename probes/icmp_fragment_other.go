// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !linux && !noicmp

package probes

import "syscall"

const canForbidFragments = false

func forbidFragments(_, _ string, _ syscall.RawConn) error { return nil }
