// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"os"
	"strconv"
	"testing"
)

func TestSystemdSocketsRefused(t *testing.T) {
	own := strconv.Itoa(os.Getpid())
	for _, test := range []struct{ pid, sockets, want string }{
		{"", "1", "no socket was handed over, want a start by a socket unit"},
		{own + "0", "1", "no socket was handed over, want a start by a socket unit"},
		{own, "", `LISTEN_FDS is "", want the number of sockets handed over`},
		{own, "0", `LISTEN_FDS is "0", want the number of sockets handed over`},
		{own, "-1", `LISTEN_FDS is "-1", want the number of sockets handed over`},
		{own, "1000", `LISTEN_FDS is "1000", want the number of sockets handed over`},
	} {
		t.Setenv("LISTEN_PID", test.pid)
		t.Setenv("LISTEN_FDS", test.sockets)
		if _, err := systemdSockets(); err == nil || err.Error() != test.want {
			t.Errorf("pid %q, %q sockets: %v, want %s", test.pid, test.sockets, err, test.want)
		}
	}
}
