// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build linux

package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHangupWhileStarting sends SIGHUP while the configuration is being read, from a pipe. It must not kill, and not be forgotten either.
func TestHangupWhileStarting(t *testing.T) {
	dir := t.TempDir()
	path, changed := filepath.Join(dir, "skywatch.yml"), filepath.Join(dir, "changed.yml")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(changed, []byte("modules: {second: {prober: tcp}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("skywatch", "--web.listen-address=127.0.0.1:0", "--config.file=skywatch.yml")
	stderr := new(output)
	command.Dir, command.Stderr = dir, stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(path, os.O_WRONLY, 0) // waits for the reader
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Error(err)
	}
	if err := os.Rename(changed, path); err != nil {
		t.Error(err)
	}
	if _, err := pipe.WriteString("modules: {first: {prober: tcp}}\n"); err != nil {
		t.Error(err)
	}
	pipe.Close()
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for end := time.Now().Add(patience); !showsConfig(stderr, "second:"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) || len(ended) > 0 {
			t.Errorf("the changed configuration is not in force:\n%s", stderr)
			break
		}
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("%v\n%s", err, stderr)
	}
}

var listening = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

// showsConfig asks the program whose log it is given for its configuration.
func showsConfig(log *output, text string) bool {
	at := listening.FindStringSubmatch(log.String())
	if at == nil {
		return false
	}
	_, config, err := request(http.MethodGet, "http://"+at[1]+"/config")
	return err == nil && strings.Contains(config, text)
}
