// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probetest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// HoldPort gives a TCP port of 127.0.0.1 that the kernel gives to nobody else as long as this process lives, and that refuses
// connections while no server listens on it. A server that sets SO_REUSEADDR, as Go's do, can listen on it, leave and come back.
// It panics when the kernel has no port left.
//
// A port that was found by listening and closing is not free for sure: another process may get it, and a program that is just being
// started has the listener open until its exec.
func HoldPort() int {
	port, err := hold(0)
	if err != nil {
		panic(err)
	}
	return port
}

// HoldPorts is HoldPort for n ports in a row; it gives the first.
func HoldPorts(n int) int {
	for {
		first := HoldPort()
		last := first
		for last < first+n-1 {
			if _, err := hold(last + 1); err != nil {
				break // somebody else has it; what is held already does no harm
			}
			last++
		}
		if last == first+n-1 {
			return first
		}
	}
}

// hold binds a socket to a port, 0 = any, and leaves it open without listening.
func hold(port int) (held int, err error) {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	err = syscall.Bind(socket, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		// Only now, since bind would share a port that somebody else holds like this.
		err = syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}
	if err != nil {
		syscall.Close(socket)
		return 0, fmt.Errorf("holding port %d: %w", port, err)
	}
	name, err := syscall.Getsockname(socket)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	return name.(*syscall.SockaddrInet4).Port, nil
}

// ListenHeld listens on a port that is held. It waits for copies of an earlier listener that programs have until their exec.
func ListenHeld(port int) (net.Listener, error) {
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(end) {
			return l, err
		}
	}
}
