// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestMain sees to it that localhost is 127.0.0.1 alone, and that there is a binary: the one that SKYWATCH_BIN names, else one built here.
func TestMain(m *testing.M) {
	err := withHosts()
	code := 1
	if err == nil {
		code, err = withBinary(m.Run)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// withHosts starts this program again in a mount namespace of its own, in which /etc/hosts is ours, where the machine has localhost at ::1
// too: the servers listen on 127.0.0.1. Without root nothing of it is possible, and what needs a server says so.
func withHosts() error {
	const variable, own = "SKYWATCH_HOSTS", `mount --bind "$SKYWATCH_HOSTS" /etc/hosts; exec "$@"`
	if path := os.Getenv(variable); path != "" {
		os.Unsetenv(variable)
		return os.Remove(path) // the mount has it
	}
	addresses, err := net.LookupHost("localhost")
	if err == nil && !slices.ContainsFunc(addresses, func(a string) bool { return a != "127.0.0.1" }) || os.Geteuid() != 0 {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	file, err := os.CreateTemp("", "skywatch-hosts-")
	if err != nil {
		return err
	}
	fmt.Fprintf(file, "127.0.0.1 localhost %s\n", host)
	if err := errors.Join(file.Chmod(0o644), file.Close(), os.Setenv(variable, file.Name())); err != nil {
		return err
	}
	argv := append([]string{"unshare", "--mount", "--propagation", "private", "sh", "-euc", own, "sh", self}, os.Args[1:]...)
	return syscall.Exec(unshare, argv, os.Environ())
}

func withBinary(run func() int) (int, error) {
	if os.Getenv("SKYWATCH_BIN") != "" {
		return run(), nil
	}
	dir, err := os.MkdirTemp("", "skywatch-bin-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "skywatch")
	build := exec.Command("go", "build", "-o", binary, "skywatch/cmd/skywatch")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building skywatch: %w\n%s", err, out)
	}
	os.Setenv("SKYWATCH_BIN", binary)
	return run(), nil
}
