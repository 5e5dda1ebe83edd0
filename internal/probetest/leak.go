// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probetest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// NoneLeft fails a test that leaves goroutines behind, but for those that are allowed. On a busy machine the last ones take their time.
func NoneLeft(t testing.TB, allowed ...goleak.Option) {
	t.Helper()
	if err := noneLeft(allowed...); err != nil {
		t.Error(err)
	}
}

// Main runs the tests of a package for its TestMain, which fails if they leave goroutines behind. It does not return.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := noneLeft(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// noneLeft is patient where goleak itself gives up within half a second.
func noneLeft(allowed ...goleak.Option) error {
	for end := time.Now().Add(patience); ; {
		if err := goleak.Find(allowed...); err == nil || time.Now().After(end) {
			return err
		}
	}
}
