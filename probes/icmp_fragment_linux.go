// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build linux && !noicmp

package probes

import (
	"os"
	"syscall"
)

// canForbidFragments tells whether dont_fragment works on this system.
const canForbidFragments = true

// forbidFragments is a control function that sets the don't-fragment flag of all packets of a socket.
func forbidFragments(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = os.NewSyscallError("setsockopt", syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_MTU_DISCOVER, syscall.IP_PMTUDISC_PROBE))
	})
	if err != nil {
		return err
	}
	return failed
}
