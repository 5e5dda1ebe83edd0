// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
)

// firstSocket is the descriptor of the first socket that systemd hands over, see sd_listen_fds(3).
const firstSocket = 3

// systemdSockets takes the listening sockets that systemd opened for this process.
func systemdSockets() (all []net.Listener, err error) {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, errors.New("no socket was handed over, want a start by a socket unit")
	}
	n, err := strconv.ParseUint(os.Getenv("LISTEN_FDS"), 10, 8)
	if err != nil || n == 0 {
		return nil, fmt.Errorf("LISTEN_FDS is %q, want the number of sockets handed over", os.Getenv("LISTEN_FDS"))
	}
	for fd := firstSocket; fd < firstSocket+int(n); fd++ {
		file := os.NewFile(uintptr(fd), "socket "+strconv.Itoa(fd))
		l, err := net.FileListener(file) // a copy
		file.Close()
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("descriptor %d: %w, want a listening socket", fd, err)
		}
		all = append(all, l)
	}
	return all, nil
}
