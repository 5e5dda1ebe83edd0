// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build mips || mipsle || mips64 || mips64le

package history

import (
	"errors"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/driver"
)

const driverName = "sqlite3"

// resultCode gives SQLite's primary result code of an error of the driver.
func resultCode(err error) (code int, ok bool) {
	var primary sqlite3.ErrorCode
	if !errors.As(err, &primary) {
		return 0, false
	}
	return int(primary), true
}
