// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// unpack reads gzip as every client does.
func unpack(t *testing.T, packed []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("reading what was packed: %v after %d bytes", err, len(text))
	}
	return text
}

func TestPacker(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	long := AppendText(nil, result())
	texts := map[string][]byte{
		"nothing": nil, "a byte": {255}, "three bytes": []byte("aaa"), "an answer": long, "noise": noise,
		"one long repetition": bytes.Repeat([]byte("x"), 100_000),
		"far repetitions":     joined(noise[:40_000], noise[:40_000], noise[8_000:40_000]),
		"all lengths":         allLengths(),
	}
	var p packer
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			packed := p.pack([]byte("kept"), text)
			if !bytes.HasPrefix(packed, []byte("kept")) {
				t.Fatal("what was there before is gone")
			}
			if got := unpack(t, packed[4:]); !bytes.Equal(got, text) {
				t.Errorf("%d bytes came out, want the %d that went in", len(got), len(text))
			}
			if most := len(text)*9/8 + 30; len(packed) > most {
				t.Errorf("%d bytes packed from %d, want at most %d", len(packed), len(text), most)
			}
		})
	}
	if n := len(p.pack(nil, long)); n > len(long)*2/3 {
		t.Errorf("an answer of %d bytes takes %d, want less than two thirds", len(long), n)
	}
}

func joined(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// allLengths repeats texts of every length that a repetition can have, at ever larger distances.
func allLengths() []byte {
	var b strings.Builder
	for n := range longestRepeat + 2 {
		part := strings.Repeat(fmt.Sprint(n, "-"), 100)[:n]
		fmt.Fprintf(&b, "<%s|%d|%s>", part, n, part)
	}
	return []byte(b.String())
}

func FuzzPacker(f *testing.F) {
	f.Add([]byte("# HELP probe_success Whether.\nprobe_success 1\n"))
	f.Add(bytes.Repeat([]byte("ab\xff"), 300))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got := unpack(t, new(packer).pack(nil, text)); !bytes.Equal(got, text) {
			t.Errorf("%q came out as %q", text, got)
		}
	})
}

func BenchmarkPacker(b *testing.B) {
	text := AppendText(nil, result())
	var p packer
	var packed []byte
	b.ReportAllocs()
	for b.Loop() {
		packed = p.pack(packed[:0], text)
	}
	b.ReportMetric(float64(len(packed))/float64(len(text)), "size")
}
