// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMain sees to it that there is a binary: the one that SKYWATCH_BIN names, else one built here.
func TestMain(m *testing.M) {
	code, err := withBinary(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
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
