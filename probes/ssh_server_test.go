// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nossh

package probes

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

const (
	sshUser     = "watch"
	sshPassword = "Watch-pw1"
)

// sshKey makes an ed25519 key that is the same for the same number.
func sshKey(t testing.TB, number byte) (ssh.Signer, ed25519.PrivateKey) {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{number}, ed25519.SeedSize))
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, private
}

// sshECDSAKey makes a key of another type.
func sshECDSAKey(t testing.TB) ssh.Signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// sshPrivateKey is a key as a file has it; with a passphrase it is encrypted.
func sshPrivateKey(t testing.TB, number byte, passphrase string) string {
	t.Helper()
	_, private := sshKey(t, number)
	block, err := ssh.MarshalPrivateKey(private, "test")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "test", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

// sshServer is a server of SSH on loopback: user watch with the password, or with the key number 2.
type sshServer struct {
	addr     string
	conf     ssh.ServerConfig
	wrap     func(net.Conn) net.Conn                                   // nil = as it is
	exec     func(command string, channel ssh.Channel) (status uint32) // nil = echo
	sessions string                                                    // why none is opened; "" = one is
	logged   func(conn *ssh.ServerConn)                                // nil = nothing; runs once a client has logged in

	mu        sync.Mutex
	passwords []string // that it was shown
	users     []string
}

var errDenied = errors.New("denied")

// newSSHServer starts one; change may alter it before that.
func newSSHServer(t testing.TB, change func(s *sshServer), hostKeys ...ssh.Signer) *sshServer {
	t.Helper()
	s := new(sshServer)
	second, _ := sshKey(t, 2)
	s.conf.ServerVersion = "SSH-2.0-test"
	s.conf.PasswordCallback = func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		return nil, s.judge(c, string(password))
	}
	s.conf.PublicKeyCallback = func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if c.User() == sshUser && bytes.Equal(key.Marshal(), second.PublicKey().Marshal()) {
			return nil, nil
		}
		return nil, errDenied
	}
	if len(hostKeys) == 0 {
		first, _ := sshKey(t, 1)
		hostKeys = []ssh.Signer{first}
	}
	for _, key := range hostKeys {
		s.conf.AddHostKey(key)
	}
	if change != nil {
		change(s)
	}
	s.listen(t)
	return s
}

// judge compares a password, and notes it.
func (s *sshServer) judge(c ssh.ConnMetadata, password string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passwords, s.users = append(s.passwords, password), append(s.users, c.User())
	if c.User() == sshUser && password == sshPassword {
		return nil
	}
	return errDenied
}

// seen gives the passwords so far.
func (s *sshServer) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.passwords)
}

func (s *sshServer) listen(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = listener.Addr().String()
	var handlers sync.WaitGroup
	handlers.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if s.wrap != nil {
				conn = s.wrap(conn)
			}
			handlers.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		handlers.Wait() // for the prober to close
	})
}

func (s *sshServer) serve(conn net.Conn) {
	defer conn.Close()
	served, channels, requests, err := ssh.NewServerConn(conn, &s.conf)
	if err != nil {
		return
	}
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { ssh.DiscardRequests(requests) })
	if s.logged != nil {
		group.Go(func() { s.logged(served) })
	}
	for fresh := range channels {
		if s.sessions != "" {
			fresh.Reject(ssh.ResourceShortage, s.sessions)
			continue
		}
		channel, asks, err := fresh.Accept()
		if err != nil {
			return
		}
		group.Go(func() { s.session(channel, asks) })
	}
}

func (s *sshServer) session(channel ssh.Channel, asks <-chan *ssh.Request) {
	defer channel.Close()
	for ask := range asks {
		if ask.Type != "exec" {
			ask.Reply(false, nil)
			continue
		}
		ask.Reply(true, nil)
		command := string(ask.Payload[4:])
		status := uint32(0)
		if s.exec != nil {
			status = s.exec(command, channel)
		} else {
			channel.Write([]byte(command + "\n"))
		}
		channel.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, status))
		return
	}
}
