// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time in a configuration: Go's syntax (1.5s, 1m30s, 250ms) and also d, w and y of 24 h, 7 d and 365 d.
type Duration time.Duration

var longUnits = []struct {
	unit   byte
	length time.Duration
}{{'y', 365 * 24 * time.Hour}, {'w', 7 * 24 * time.Hour}, {'d', 24 * time.Hour}}

// ParseDuration reads the text of a Duration.
func ParseDuration(s string) (Duration, error) {
	rest, total := s, time.Duration(0)
	for _, u := range longUnits {
		i := strings.IndexByte(rest, u.unit)
		if i <= 0 {
			continue
		}
		n, err := strconv.ParseUint(rest[:i], 10, 32)
		if err != nil || n > uint64((math.MaxInt64-total)/u.length) {
			return 0, fmt.Errorf("duration %q: not understood, want a number with a unit such as 500ms, 4s, 1m30s or 7d", s)
		}
		total += time.Duration(n) * u.length
		rest = rest[i+1:]
	}
	if rest == "" && s != "" {
		return Duration(total), nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || rest == "0" || total > 0 && (d < 0 || d > math.MaxInt64-total) {
		return 0, fmt.Errorf("duration %q: not understood, want a number with a unit such as 500ms, 4s, 1m30s or 7d", s)
	}
	return Duration(total + d), nil
}

// UnmarshalText reads the duration.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// MarshalText gives Go's form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// String gives Go's form.
func (d Duration) String() string { return time.Duration(d).String() }

// Bytes is a size in a configuration. Units are powers of 1024 with and without the i: 64MB = 64MiB = 64 * 2^20 bytes. 0 needs no unit.
type Bytes int64

const sizeUnits = "KMGTPE"

// ParseBytes reads the text of a Bytes.
func ParseBytes(s string) (Bytes, error) {
	bad := fmt.Errorf("size %q: not understood, want a number with a unit such as 512KB, 64MB or 1GiB", s)
	number := strings.TrimRight(s, "KMGTPEiB")
	unit := s[len(number):]
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || value < 0 || math.IsNaN(value) || unit == "" && value != 0 {
		return 0, bad
	}
	if unit != "" && unit != "B" {
		power := strings.IndexByte(sizeUnits, unit[0])
		if power < 0 || unit[1:] != "B" && unit[1:] != "iB" {
			return 0, bad
		}
		value *= math.Pow(1024, float64(power+1))
	}
	if value >= math.MaxInt64 {
		return 0, bad
	}
	return Bytes(value), nil
}

// UnmarshalText reads the size.
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = ParseBytes(string(text))
	return err
}

// MarshalText gives the largest unit that divides the size.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String gives the largest unit that divides the size.
func (b Bytes) String() string {
	if b == 0 {
		return "0"
	}
	power := 0
	for power < len(sizeUnits) && b%1024 == 0 {
		b /= 1024
		power++
	}
	if power == 0 {
		return strconv.FormatInt(int64(b), 10) + "B"
	}
	return strconv.FormatInt(int64(b), 10) + sizeUnits[power-1:power] + "iB"
}
