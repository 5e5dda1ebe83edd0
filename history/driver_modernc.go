// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !(mips || mipsle || mips64 || mips64le)

package history

import (
	"errors"

	"modernc.org/sqlite"
)

const driverName = "sqlite"

// resultCode gives SQLite's primary result code of an error of the driver.
func resultCode(err error) (code int, ok bool) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Code() & 0xff, true
}
