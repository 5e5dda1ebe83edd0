// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything awaited may take before the test gives up; nothing is expected to come near it.
const patience = 3 * time.Minute

// process is a child process in a session of its own, so that what it leaves behind can be ended too.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan error
}

// launch starts a process that writes its output to dir/name.log and is gone when the test ends.
func launch(t *testing.T, dir, name string, cmd *exec.Cmd) *process {
	t.Helper()
	path := filepath.Join(dir, name+".log")
	_, missing := os.Stat(path)
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %q: %v", name, err)
	}
	p := &process{name: name, cmd: cmd, done: make(chan error, 1)}
	go func() { p.done <- cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() && missing != nil { // once for all starts of it
			t.Logf("end of %s:\n%s", path, tail(path, 4000))
		}
	})
	return p
}

// stop asks the process to end and waits until it has.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("stopping %q: %v", p.name, err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("stopping %q: still running %s after TERM", p.name, patience)
	}
	p.kill()
}

// kill ends the process and its children at once, as a power cut would, and waits until all are gone, and with them their listeners.
func (p *process) kill() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
	for end := time.Now().Add(patience); groupLives(p.cmd.Process.Pid) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// groupLives tells whether a process of the group runs; one that ended and was not waited for does not.
func groupLives(group int) bool {
	if syscall.Kill(-group, 0) != nil {
		return false
	}
	for _, p := range processes() {
		if p.group == group && p.state != "Z" && p.state != "X" {
			return true
		}
	}
	return false
}

// eventually waits until check gives nil.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	err := check()
	for ; err != nil && time.Now().Before(deadline); err = check() {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("waiting for %s: %v after %s", what, err, patience)
	}
}

func tail(path string, n int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(b[max(0, len(b)-n):])
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
