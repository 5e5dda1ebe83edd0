// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"skywatch/internal/probetest"
)

// packet sends a packet of MySQL's protocol.
func (c *parrotTalk) packet(number byte, content string) {
	n := len(content)
	io.WriteString(c, string([]byte{byte(n), byte(n >> 8), byte(n >> 16), number})+content)
}

// packets reads one of the client; it is "" when that has left.
func (c *parrotTalk) packets() (number byte, content string) {
	var header [4]byte
	if _, err := io.ReadFull(c.in, header[:]); err != nil {
		return 0, ""
	}
	data := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
	if _, err := io.ReadFull(c.in, data); err != nil {
		return 0, ""
	}
	return header[3], string(data)
}

// fail is an error of MySQL.
func (c *parrotTalk) fail(number byte, code uint16) {
	c.packet(number, string(binary.LittleEndian.AppendUint16([]byte{0xff}, code))+"#HY000"+c.echo())
}

// parrotMySQL speaks MySQL's protocol: without a configuration of TLS it wants the native scramble, with one the password in clear text.
func parrotMySQL(conf *tls.Config) func(c *parrotTalk) {
	return func(c *parrotTalk) {
		if c.mood == moodTurnsAway {
			c.fail(0, 1040)
			return
		}
		offer := uint32(1<<0 | 1<<2 | 1<<3 | 1<<9 | 1<<13 | 1<<15 | 1<<17 | 1<<19 | 1<<21 | 1<<24)
		if conf != nil {
			offer |= 1 << 11
		}
		b := append([]byte{10}, c.echo()+"\x00\x01\x00\x00\x00saltsalt\x00"...)
		b = binary.LittleEndian.AppendUint16(b, uint16(offer))
		b = append(b, 45, 2, 0)
		b = binary.LittleEndian.AppendUint16(b, uint16(offer>>16))
		b = append(append(b, 21), make([]byte, 10)...)
		c.packet(0, string(b)+"saltsaltsalt\x00mysql_native_password\x00")
		number, login := c.packets()
		if conf != nil && login != "" {
			c.Conn = tls.Server(c.Conn, conf)
			c.in = bufio.NewReader(c.Conn)
			if number, login = c.packets(); login == "" {
				return // the control: a handshake that fails
			}
			c.packet(number+1, "\xfemysql_clear_password\x00")
			number, login = c.packets()
			c.heard = append(c.heard, login)
		} else if _, rest, ok := strings.Cut(login[min(len(login), 32):], "\x00"); ok && len(rest) > 21 && rest[0] == 20 {
			c.digest([]byte(rest[1:21]))
		} else if login != "" {
			c.t.Errorf("got the login %q, want a scramble of 20 bytes in it", login)
		}
		if c.mood == moodRefuses {
			c.fail(number+1, 1045)
			return
		}
		c.packet(number+1, "\x00\x00\x00\x02\x00\x00\x00"+c.echo())
		for _, command := c.packets(); command != "" && command[0] != 1; _, command = c.packets() {
			c.fail(1, 1064)
		}
	}
}

// canaryTLS is the configuration of a server whose certificate is good for the authority in the file.
func canaryTLS(t *testing.T) (conf *tls.Config, file string) {
	t.Helper()
	ca := probetest.NewCA(t)
	return probetest.Config(ca.Good()), ca.File()
}
