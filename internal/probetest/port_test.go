// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probetest

import (
	"errors"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// TestHeldPortStaysFree takes a server away and back again and again, while programs are started that have copies of what it closed.
func TestHeldPortStaysFree(t *testing.T) {
	port := HoldPort()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if _, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want a refused connection", err)
	}
	over := make(chan struct{})
	var starting sync.WaitGroup
	starting.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				if err := exec.Command("true").Run(); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for range 300 {
		l, err := ListenHeld(port)
		if err != nil {
			t.Error(err)
			break
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	close(over)
	starting.Wait()
}

// TestHeldPortIsNobodyElses has the kernel give ports to others: to those that ask for any, and to those that connect.
func TestHeldPortIsNobodyElses(t *testing.T) {
	first := HoldPorts(3)
	held := map[int]bool{first: true, first + 1: true, first + 2: true}
	server := Serve(t, Silence())
	if port, err := hold(first); err == nil {
		t.Errorf("port %d could be held twice", port)
	}
	for range 300 {
		if port := HoldPort(); held[port] {
			t.Fatalf("port %d was given twice", port)
		} else {
			held[port] = true
		}
		conn, err := net.Dial("tcp", server.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if port := conn.LocalAddr().(*net.TCPAddr).Port; held[port] {
			t.Errorf("a client got port %d, which is held", port)
		}
		conn.Close()
	}
}
