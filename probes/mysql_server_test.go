// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomysql

package probes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"skywatch/internal/probetest"
)

const mysqlNative = "mysql_native_password"

// What a scripted server offers: protocol 4.1, plugins, results that end with an OK; TLS or not.
const (
	mysqlPlainOffer = mysqlProtocol41 | mysqlSecureConn | mysqlWithDatabase | 1<<7 | 1<<17 | 1<<19 | 1<<24
	mysqlTLSOffer   = mysqlPlainOffer | mysqlTLS
)

// mysqlFrame puts a packet's header in front of its content.
func mysqlFrame(number byte, content string) string {
	n := len(content)
	return string([]byte{byte(n), byte(n >> 8), byte(n >> 16), number}) + content
}

// mysqlHello is a greeting.
func mysqlHello(offer uint32, plugin string) string {
	b := append([]byte{10}, "8.4.9-test\x00\x01\x00\x00\x00saltsalt\x00"...)
	b = binary.LittleEndian.AppendUint16(b, uint16(offer))
	b = append(b, 45, 2, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(offer>>16))
	b = append(b, 21)
	b = append(b, make([]byte, 10)...)
	return string(b) + "saltsaltsalt\x00" + plugin + "\x00"
}

// mysqlFail is an ERR packet.
func mysqlFail(number uint16, state, text string) string {
	b := binary.LittleEndian.AppendUint16([]byte{0xff}, number)
	if state != "" {
		b = append(b, "#"+state...)
	}
	return string(b) + text
}

const mysqlFine = "\x00\x00\x00\x02\x00\x00\x00"

// mysqlGreets sends the greeting.
func mysqlGreets(offer uint32) probetest.Step {
	return probetest.Send(mysqlFrame(0, mysqlHello(offer, mysqlNative)))
}

// mysqlGets reads a packet of the client.
func mysqlGets(c *probetest.Conn) (number byte, content string, err error) {
	var header [4]byte
	if _, err := io.ReadFull(c.In, header[:]); err != nil {
		return 0, "", err
	}
	data := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
	_, err = io.ReadFull(c.In, data)
	return header[3], string(data), err
}

// mysqlAnswers reads a packet, which must have a number, and answers with packets.
func mysqlAnswers(number byte, contents ...string) probetest.Step {
	return func(_ testing.TB, c *probetest.Conn) error {
		got, _, err := mysqlGets(c)
		if err != nil || got != number {
			return fmt.Errorf("got packet %d (%v), want %d", got, err, number)
		}
		for i, content := range contents {
			if _, err := io.WriteString(c, mysqlFrame(number+1+byte(i), content)); err != nil {
				return err
			}
		}
		return nil
	}
}

// mysqlLets is a login without TLS that succeeds.
func mysqlLets(more ...probetest.Step) []probetest.Step {
	return append([]probetest.Step{mysqlGreets(mysqlPlainOffer), mysqlAnswers(1, mysqlFine)}, more...)
}

// mysqlColumn is the description of a column of text.
func mysqlColumn(name string) string {
	return "\x03def\x00\x00\x00" + string(rune(len(name))) + name + "\x00\x0c\x2d\x00\xff\x00\x00\x00\xfd\x00\x00\x00\x00\x00"
}

// mysqlResult is a result, as packets; a nil value is NULL.
func mysqlResult(columns []string, rows ...[]any) []string {
	packets := []string{string(rune(len(columns)))}
	for _, name := range columns {
		packets = append(packets, mysqlColumn(name))
	}
	for _, row := range rows {
		packet := ""
		for _, value := range row {
			if value == nil {
				packet += "\xfb"
				continue
			}
			text := fmt.Sprint(value)
			packet += string(rune(len(text))) + text
		}
		packets = append(packets, packet)
	}
	return append(packets, "\xfe\x00\x00\x02\x00\x00\x00")
}

var mysqlInserted = regexp.MustCompile(`^INSERT INTO .* VALUES \((\d), '([0-9A-Z]{26})'\)$`)

// mysqlWorks answers commands as a server would that has nothing but the table of a transaction, until the client leaves. It notes the
// statements.
func mysqlWorks(statements func(string)) probetest.Step {
	return func(_ testing.TB, c *probetest.Conn) error {
		var rows [][]any
		for {
			_, command, err := mysqlGets(c)
			if err != nil || command[0] == 1 {
				return nil
			}
			statement := command[1:]
			if statements != nil {
				statements(statement)
			}
			packets := []string{mysqlFine}
			switch row := mysqlInserted.FindStringSubmatch(statement); {
			case row != nil:
				rows = append(rows, []any{row[1], row[2]})
			case strings.HasPrefix(statement, "SELECT"):
				packets = mysqlResult([]string{"number", "token"}, rows...)
			case strings.HasPrefix(statement, "DELETE"):
				packets = []string{"\x00" + string(rune(len(rows))) + "\x00\x02\x00\x00\x00"}
			}
			for i, content := range packets {
				if _, err := io.WriteString(c, mysqlFrame(byte(i+1), content)); err != nil {
					return err
				}
			}
		}
	}
}

// mysqlNothingMore wants the client to send nothing but its leave, if that.
func mysqlNothingMore(_ testing.TB, c *probetest.Conn) error {
	_, content, err := mysqlGets(c)
	if errors.Is(err, io.EOF) || err == nil && content == "\x01" {
		return nil
	}
	return fmt.Errorf("got %q (%v), want nothing", content, err)
}
