// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"skywatch/internal/probetest"
)

// peers is a set of real servers that share a directory and a throw-away CA.
type peers struct {
	t   *testing.T
	dir string
}

// newPeers makes the directory; every user may pass through it, since the servers drop root.
func newPeers(t *testing.T) *peers {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("starting real servers: not root, want root (make test uses sudo)")
	}
	dir, err := os.MkdirTemp("", "skywatch-real-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return &peers{t: t, dir: dir}
}

func (p *peers) pki() string { return filepath.Join(p.dir, "pki") }

// server is a recipe of test/peers with its ports; it can be started and stopped again and again.
type server struct {
	*process
	peers  *peers
	recipe string
	ports  []int
	more   []string // arguments after the ports
	env    []string // what the recipe is told besides
	ready  func() error
}

func (p *peers) server(recipe string, ready func() error, ports ...int) *server {
	return &server{peers: p, recipe: recipe, ports: ports, ready: ready}
}

// start starts the server and waits until it answers as it should.
func (s *server) start() {
	s.peers.t.Helper()
	args := []string{filepath.Join("..", "peers", s.recipe+".sh"), "start", filepath.Join(s.peers.dir, s.recipe)}
	for _, port := range s.ports {
		args = append(args, strconv.Itoa(port))
	}
	cmd := exec.Command("bash", append(args, s.more...)...)
	cmd.Env = append(append(os.Environ(), "SKYWATCH_PKI="+s.peers.pki()), s.env...)
	s.process = launch(s.peers.t, s.peers.dir, s.recipe, cmd)
	eventually(s.peers.t, s.recipe, func() error {
		select {
		case <-s.process.done:
			s.peers.t.Fatalf("%s ended at once:\n%s", s.recipe, tail(filepath.Join(s.peers.dir, s.recipe+".log"), 2000))
		default:
		}
		return s.ready()
	})
}

func (s *server) stop() { s.peers.t.Helper(); s.process.stop(s.peers.t) }

// nginx gives a web server on the first port.
func (p *peers) nginx(port int) *server {
	return p.server("nginx", answers200("http://"+address(port)+"/"), port, probetest.HoldPort(), probetest.HoldPort())
}

// dovecot gives a mailbox server: IMAP over TLS, LMTP and the accounts for Postfix.
func (p *peers) dovecot(imaps, lmtp, auth int) *server {
	imap := probetest.HoldPort()
	return p.server("dovecot", greets(imap, "* OK"), imap, imaps, probetest.HoldPort(), probetest.HoldPort(), lmtp, auth)
}

// postfix gives a mail server whose submission port wants STARTTLS and a login.
func (p *peers) postfix(submission, lmtp, auth int) *server {
	return p.server("postfix", greets(submission, "220 "), probetest.HoldPort(), submission, probetest.HoldPort(), lmtp, auth)
}

// keystone gives an identity service. Its accounts are admin and watch.
func (p *peers) keystone(port int) *server {
	return p.server("keystone", answers200("http://"+address(port)+"/v3"), port)
}

func answers200(url string) func() error {
	client := &http.Client{Timeout: 5 * time.Second}
	return func() error {
		resp, err := client.Get(url)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("fetching %q: status %d, want 200", url, resp.StatusCode)
		}
		return nil
	}
}

// greets tells whether the first line begins as it should; an accepted connection alone proves nothing.
func greets(port int, prefix string) func() error {
	return func() error {
		conn, err := net.DialTimeout("tcp", address(port), 5*time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		line, err := bufio.NewReader(conn).ReadString('\n')
		if !strings.HasPrefix(line, prefix) {
			return errors.Join(err, fmt.Errorf("greeting %q, want %q", line, prefix))
		}
		return nil
	}
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
