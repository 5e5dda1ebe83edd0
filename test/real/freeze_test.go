// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
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
// clear before that does not matter. Records are gone through one by one (RFC 8446, section 5.1), since the random bytes in a handshake
// may look like the begin of any other.
func afterTLS(toServer, _ []byte) bool {
	const handshake, applicationData, header = 0x16, 0x17, 5
	begin := bytes.Index(toServer, []byte{handshake, 3, 1})
	for begin >= 0 && begin+header <= len(toServer) {
		if toServer[begin] == applicationData {
			return true
		}
		begin += header + int(binary.BigEndian.Uint16(toServer[begin+3:]))
	}
	return false
}

// TestAfterTLS: what looks like application data within a handshake is none.
func TestAfterTLS(t *testing.T) {
	hello := "EHLO x\r\nSTARTTLS\r\n\x16\x03\x01\x00\x07\x01\x17\x03\x03\x00\x01\x17"
	for sent, want := range map[string]bool{
		"": false, "STARTTLS\r\n": false, hello[:len(hello)-2]: false, hello: false, hello + "\x14\x03\x03\x00\x01\x01": false,
		hello + "\x17": false, hello + "\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x09": true,
	} {
		if got := afterTLS([]byte(sent), nil); got != want {
			t.Errorf("after %q: %t, want %t", sent, got, want)
		}
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

// isFrozen tells whether the moment has come.
func (f *freezer) isFrozen() bool {
	select {
	case <-f.frozen:
		return true
	default:
		return false
	}
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

// signal reaches the process group and those descendants that left it, as the sessions of sshd do, until there are no new ones.
func (f *freezer) signal(s syscall.Signal) {
	root := f.server.cmd.Process.Pid
	syscall.Kill(-root, s)
	reached := map[int]bool{root: true}
	for again := true; again; {
		again = false
		for pid, p := range processes() {
			if reached[p.parent] && !reached[pid] {
				reached[pid], again = true, true
				syscall.Kill(pid, s)
			}
		}
	}
}

// running is what the kernel says of a process.
type running struct {
	state         string
	parent, group int
}

// processes gives all of them by their number.
func processes() map[int]running {
	found := make(map[int]running)
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		var pid int
		var p running
		fmt.Sscan(string(data), &pid)
		fmt.Sscan(string(data[bytes.LastIndexByte(data, ')')+1:]), &p.state, &p.parent, &p.group)
		found[pid] = p
	}
	return found
}
