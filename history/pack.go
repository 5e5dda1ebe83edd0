// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"sync"
)

// The first byte of a packed text.
const (
	packedPlain   = 0
	packedDeflate = 1
)

// maxText bounds what is unpacked.
const maxText = 16 << 20

// packer compresses texts. Compressors are large; unused ones are left to the garbage collector.
type packer struct{ pool sync.Pool }

// pack compresses a text where that makes it smaller. An empty text packs to nothing.
func (p *packer) pack(text string) []byte {
	if text == "" {
		return []byte{}
	}
	var out bytes.Buffer
	out.WriteByte(packedDeflate)
	z, _ := p.pool.Get().(*flate.Writer)
	if z == nil {
		z, _ = flate.NewWriter(&out, flate.BestSpeed) // the level is a valid one
	} else {
		z.Reset(&out)
	}
	io.WriteString(z, text) // a buffer takes everything
	z.Close()
	p.pool.Put(z)
	if out.Len() > len(text) {
		return append([]byte{packedPlain}, text...)
	}
	return out.Bytes()
}

// unpack gives the text back.
func unpack(b []byte) (string, error) {
	if len(b) == 0 {
		return "", nil
	}
	switch b[0] {
	case packedPlain:
		return string(b[1:]), nil
	case packedDeflate:
		text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b[1:])), maxText))
		if err != nil {
			return "", fmt.Errorf("unpacking a text: %w", err)
		}
		return string(text), nil
	}
	return "", fmt.Errorf("unpacking a text: form %d, want %d or %d", b[0], packedPlain, packedDeflate)
}

// costOf is what a row with a value of n bytes takes of the file.
func costOf(n int) int64 {
	if n < 4000 {
		return int64(n) + 64
	}
	return overflowPages(n)*pageSize + 512
}
