// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// packer makes gzip (RFC 1952) of one short text at a time. compress/gzip spends more on the code tables of so short a text than anything
// else in an answer costs us, and holds most of a megabyte for each writer; this one has the fixed code of RFC 1951 and a small table.
type packer struct {
	seen  [1 << packerHashBits]int32 // by hash of four bytes: one behind the position where they were last; 0 = nowhere
	out   []byte
	bits  uint64 // not yet in out, the first one lowest
	count int    // of them
}

const (
	packerHashBits = 12
	packerWindow   = 32 << 10 // how far back a repetition may point
	shortestRepeat = 4        // shorter ones are rarely worth their code
	longestRepeat  = 258
)

// pack appends the packed text to out.
func (p *packer) pack(out, text []byte) []byte {
	clear(p.seen[:])
	p.out = append(out, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255) // deflate, no name, no time, fastest, no system
	p.bits, p.count = 0, 0
	p.put(0b011, 3) // the last block, with the fixed code
	for i := 0; i < len(text); {
		back, n := p.repeat(text, i)
		if n == 0 {
			p.literal(text[i])
			i++
			continue
		}
		p.number(lengthCodes, n, func(symbol int) { p.symbol(257 + symbol) })
		p.number(distanceCodes, back, func(symbol int) { p.put(reversed(symbol, 5), 5) })
		i += n
	}
	p.symbol(256)
	p.put(0, 7) // whole bytes
	packed := binary.LittleEndian.AppendUint32(p.out, crc32.ChecksumIEEE(text))
	p.out = nil
	return binary.LittleEndian.AppendUint32(packed, uint32(len(text)))
}

// repeat tells how far back the text at i occurred already, and for how many bytes; n is 0 when it did not.
func (p *packer) repeat(text []byte, i int) (back, n int) {
	if i+shortestRepeat > len(text) {
		return 0, 0
	}
	four := binary.LittleEndian.Uint32(text[i:])
	slot := &p.seen[four*2654435761>>(32-packerHashBits)]
	at := int(*slot) - 1
	*slot = int32(i + 1)
	if at < 0 || i-at > packerWindow || binary.LittleEndian.Uint32(text[at:]) != four {
		return 0, 0
	}
	n = shortestRepeat
	for n < longestRepeat && i+n < len(text) && text[at+n] == text[i+n] {
		n++
	}
	return i - at, n
}

// put appends the lowest n bits, of which the buffer always has room for 32.
func (p *packer) put(value uint32, n int) {
	p.bits |= uint64(value) << p.count
	for p.count += n; p.count >= 8; p.count -= 8 {
		p.out = append(p.out, byte(p.bits))
		p.bits >>= 8
	}
}

// literal appends a byte of the text.
func (p *packer) literal(c byte) {
	if c < 144 {
		p.put(reversed(0x30+int(c), 8), 8)
		return
	}
	p.put(reversed(0x190+int(c)-144, 9), 9)
}

// symbol appends one that is no literal, from 256 on.
func (p *packer) symbol(s int) {
	if s < 280 {
		p.put(reversed(s-256, 7), 7)
		return
	}
	p.put(reversed(0xc0+s-280, 8), 8)
}

// reversed gives a code of n bits with its first bit lowest.
func reversed(code, n int) uint32 { return bits.Reverse32(uint32(code)) >> (32 - n) }

// span is one of the classes into which lengths and distances fall: the smallest, and the number of bits that say how much more it is.
type span struct{ base, extra int }

// number appends a length or distance: the symbol of its class, then its place within that.
func (p *packer) number(spans []span, v int, symbol func(int)) {
	last := len(spans) - 1
	for spans[last].base > v {
		last--
	}
	symbol(last)
	p.put(uint32(v-spans[last].base), spans[last].extra)
}

// The classes of RFC 1951, section 3.2.5. The longest length has a class of its own.
var (
	lengthCodes   = append(spansFrom(3, 28, 4), span{longestRepeat, 0})
	distanceCodes = spansFrom(1, 30, 2)
)

// spansFrom gives n classes, of which each group has a bit more than the one before; the first two groups have none.
func spansFrom(base, n, group int) []span {
	var spans []span
	for i := range n {
		extra := max(0, i/group-1)
		spans = append(spans, span{base, extra})
		base += 1 << extra
	}
	return spans
}
