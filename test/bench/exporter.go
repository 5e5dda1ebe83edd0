// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// exporter is a running exporter.
type exporter struct {
	name, address string
	cmd           *exec.Cmd
	output        bytes.Buffer
	done          chan struct{}
}

// patience is how long an exporter may take to start or to end.
const patience = 20 * time.Second

// start starts an exporter on a free port and waits until it listens.
func start(name, binary, config string) (*exporter, error) {
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	free.Close()
	e := &exporter{name: name, address: free.Addr().String(), done: make(chan struct{})}
	if binary, err = exec.LookPath(binary); err != nil {
		return nil, fmt.Errorf("starting %q: %w (make setup installs what is missing)", name, err)
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return nil, err
	}
	e.cmd = exec.Command(binary, "--config.file="+config, "--web.listen-address="+e.address)
	e.cmd.Dir = filepath.Dir(config)
	e.cmd.Stdout, e.cmd.Stderr = &e.output, &e.output
	if err := e.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %q: %w", name, err)
	}
	go func() { e.cmd.Wait(); close(e.done) }() // stop waits for it
	if err := e.awaitListening(); err != nil {
		e.stop()
		return nil, fmt.Errorf("starting %q: %w\n%s", name, err, e.output.String())
	}
	return e, nil
}

func (e *exporter) awaitListening() error {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp4", e.address)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

// stop ends the exporter and waits until it is gone.
func (e *exporter) stop() {
	e.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.done:
	case <-time.After(patience):
		e.cmd.Process.Kill()
		<-e.done
	}
}

// clockTick is the unit of /proc/PID/stat on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// cpu is the processor time used so far, by the program and by the kernel for it.
func (e *exporter) cpu() (time.Duration, error) {
	text, err := os.ReadFile(e.proc("stat"))
	if err != nil {
		return 0, err
	}
	_, fields, _ := strings.Cut(string(text), ") ") // the name before may hold spaces
	all := strings.Fields(fields)
	user, err := strconv.Atoi(all[11])
	if err != nil {
		return 0, fmt.Errorf("reading the processor time of %q: %w", e.name, err)
	}
	system, err := strconv.Atoi(all[12])
	return time.Duration(user+system) * clockTick, err
}

// memory gives a line of /proc/PID/status in KiB: VmHWM is the peak of the resident set, VmRSS its present size.
func (e *exporter) memory(line string) (int, error) {
	text, err := os.ReadFile(e.proc("status"))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(text), line+":")
	if !found {
		return 0, fmt.Errorf("reading the memory of %q: no line %q", e.name, line)
	}
	return strconv.Atoi(strings.Fields(rest)[0])
}

func (e *exporter) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(e.cmd.Process.Pid), name)
}
