// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"testing"
	"time"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5s": 5 * time.Second, "1m30s": 90 * time.Second, "1.5s": 1500 * time.Millisecond, "250ms": 250 * time.Millisecond, "0s": 0,
		"-1s": -time.Second, "1d": day, "1w": 7 * day, "1y": year, "1y2w3d4h": year + 17*day + 4*time.Hour, "7d": 7 * day, "0d": 0,
	} {
		if got, err := ParseDuration(text); time.Duration(got) != want || err != nil {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "0", "1x", "d", "1.5d", "-1d", "1d2y", "300y", "1d-3h", "99999999999d", "1d1", " 1s"} {
		want := "duration " + `"` + text + `"` + ": not understood, want a number with a unit such as 500ms, 4s, 1m30s or 7d"
		if got, err := ParseDuration(text); err == nil || err.Error() != want {
			t.Errorf("%q: %s, %v, want an error", text, got, err)
		}
	}
}

func TestDurationText(t *testing.T) {
	var d Duration
	if err := d.UnmarshalText([]byte("1d")); err != nil || d.String() != "24h0m0s" {
		t.Errorf("%s, %v", d, err)
	}
	if text, _ := d.MarshalText(); string(text) != "24h0m0s" {
		t.Errorf("marshalled as %s", text)
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0": 0, "0B": 0, "10B": 10, "1KB": 1 << 10, "1KiB": 1 << 10, "64MB": 64 << 20, "1.5GiB": 3 << 29, "2TB": 2 << 40, "1EB": 1 << 60,
	} {
		if got, err := ParseBytes(text); got != want || err != nil {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "100", "kB", "1kB", "1K", "1Ki", "-1MB", "1MBB", "16EB", "NaNMB", "infMB", "1 MB"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("%q: %d, want an error", text, got)
		}
	}
}

func TestBytesText(t *testing.T) {
	for size, want := range map[Bytes]string{0: "0", 10: "10B", 1000: "1000B", 1 << 10: "1KiB", 10 << 20: "10MiB", 1536: "1536B", 1 << 60: "1EiB"} {
		if size.String() != want {
			t.Errorf("%d prints as %s, want %s", int64(size), size, want)
		}
		if again, err := ParseBytes(want); again != size || err != nil {
			t.Errorf("%s reads back as %d, %v", want, again, err)
		}
	}
}
