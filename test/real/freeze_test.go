// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// freezer is a way to a real server on which the server is stopped (SIGSTOP, it and all its children) at a moment that the bytes that
// passed tell. It goes on when the test ends, or with thaw.
type freezer struct {
	addr   string
	server *server
	frozen chan struct{} // closed once the server is stopped
	once   sync.Once
}

// freezeWhen tells from all that passed on a connection whether now is the moment.
type freezeWhen func(toServer, toClient []byte) bool

// afterReply is the moment at which the server has said a text in clear.
func afterReply(text string) freezeWhen {
	return func(_, toClient []byte) bool { return bytes.Contains(toClient, []byte(text)) }
}

// afterTLS is the moment at which the client sends its first record of application data: the handshake is over. What both sides said in
// clear before that does not matter.
func afterTLS(toServer, _ []byte) bool {
	for {
		i := bytes.IndexByte(toServer, 0x17) // application data, RFC 8446 section 5.1
		if i < 0 || i+2 >= len(toServer) {
			return false
		}
		if toServer[i+1] == 3 && toServer[i+2] == 3 {
			return true
		}
		toServer = toServer[i+1:]
	}
}

// freezing opens a way to a server listening on a port.
func freezing(t *testing.T, s *server, port int, when freezeWhen) *freezer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &freezer{addr: listener.Addr().String(), server: s, frozen: make(chan struct{})}
	t.Cleanup(func() {
		listener.Close()
		f.thaw()
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go f.forward(client, port, when)
		}
	}()
	return f
}

func (f *freezer) forward(client net.Conn, port int, when freezeWhen) {
	defer client.Close()
	upstream, err := net.Dial("tcp", address(port))
	if err != nil {
		return
	}
	defer upstream.Close()
	var mu sync.Mutex
	var toServer, toClient bytes.Buffer
	copying := func(to, from net.Conn, seen *bytes.Buffer) {
		data := make([]byte, 4096)
		for {
			n, err := from.Read(data)
			mu.Lock()
			seen.Write(data[:n])
			if when(toServer.Bytes(), toClient.Bytes()) {
				f.freeze()
			}
			mu.Unlock()
			if _, failed := to.Write(data[:n]); err != nil || failed != nil {
				return
			}
		}
	}
	done := make(chan struct{})
	go func() {
		copying(client, upstream, &toClient)
		client.Close()
		close(done)
	}()
	copying(upstream, client, &toServer)
	upstream.Close()
	<-done
}

// freeze stops the whole server before what made it the moment is passed on.
func (f *freezer) freeze() {
	f.once.Do(func() {
		f.signal(syscall.SIGSTOP)
		close(f.frozen)
	})
}

// thaw lets the server go on.
func (f *freezer) thaw() {
	f.once.Do(func() {}) // it is not to be stopped any more
	f.signal(syscall.SIGCONT)
}

// signal reaches the process group of the server and all that descends from it: some daemons, as vsftpd, put each session into a group of
// its own.
func (f *freezer) signal(s syscall.Signal) {
	server := f.server.cmd.Process.Pid
	syscall.Kill(-server, s)
	for _, pid := range descendants(server) {
		syscall.Kill(pid, s)
	}
}

// descendants lists the children of a process, their children, and so on.
func descendants(pid int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	children := map[int][]int{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// proc(5): pid (name) state ppid ...; the name may have anything in it
		after := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parent, _ := strconv.Atoi(after[1])
		children[parent] = append(children[parent], child)
	}
	var all []int
	for next := []int{pid}; len(next) > 0; next = next[1:] {
		all = append(all, children[next[0]]...)
		next = append(next, children[next[0]]...)
	}
	return all
}
