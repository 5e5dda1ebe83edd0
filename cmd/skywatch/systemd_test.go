// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build linux

package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestSystemdSocket hands over two listening sockets as systemd does: as descriptors from 3 on, named to the very process.
func TestSystemdSocket(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "blackbox.yml"), []byte("modules: {http_2xx: {prober: http}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The file holds for both sockets.
	if err := os.WriteFile(filepath.Join(dir, "web.yml"), []byte("http_server_config: {headers: {X-Frame-Options: deny}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("sh", "-c",
		`LISTEN_PID=$$ LISTEN_FDS=2 exec skywatch --web.systemd-socket --web.external-url=http://localhost/x --web.config.file=web.yml`)
	stderr := new(output)
	command.Dir, command.Stderr = dir, stderr
	var addresses []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		addresses = append(addresses, l.Addr().String())
		command.ExtraFiles = append(command.ExtraFiles, file)
		l.Close() // the copy goes on listening
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		answer, err := http.Get("http://" + address + "/x/-/healthy") // waits in the socket until skywatch takes it
		if err != nil {
			t.Errorf("%v\n%s", err, stderr)
			continue
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK || len(answer.Header["X-Frame-Options"]) != 1 {
			t.Errorf("status %d, headers %v", answer.StatusCode, answer.Header)
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("%v\n%s", err, stderr)
	}
}
