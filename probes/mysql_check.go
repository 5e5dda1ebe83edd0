// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomysql

package probes

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
)

// checkMySQLLogin checks a packet of the login for what the driver takes for granted.
func checkMySQLLogin(packet []byte, secured bool) error {
	switch packet[0] {
	case 0x00:
		_, err := okStatus(packet)
		return err
	case 0x01:
		return checkMySQLKey(packet[1:])
	case 0xfe:
		return checkMySQLSwitch(packet[1:], secured)
	case 0xff:
		if len(packet) < 4 || packet[3] == '#' && len(packet) < 9 {
			return fmt.Errorf("got an error of %d bytes, want a whole one", len(packet))
		}
		return nil
	}
	return fmt.Errorf("got a packet that begins with %#02x, want an answer to the login", packet[0])
}

// checkMySQLKey checks what comes with a method's own step: a public key must be one of RSA.
func checkMySQLKey(data []byte) error {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if _, ok := key.(*rsa.PublicKey); !ok {
		return fmt.Errorf("got the public key %T (%v), want one of RSA", key, err)
	}
	return nil
}

// checkMySQLSwitch checks the request for another method.
func checkMySQLSwitch(data []byte, secured bool) error {
	plugin, salt, named := bytes.Cut(data, []byte{0})
	salt = bytes.TrimSuffix(salt, []byte{0})
	switch {
	case len(data) > 0 && !named:
		return errors.New("got a method without an end of its name, want a name")
	case string(plugin) == "mysql_native_password" && len(salt) < 20:
		return fmt.Errorf("got a challenge of %d bytes, want 20", len(salt))
	case string(plugin) == "sha256_password" && secured:
		return errMySQLSHA256
	}
	return nil
}

// okStatus finds the status in an OK packet: affected rows, insert id, status.
func okStatus(packet []byte) ([]byte, error) {
	rest := packet[1:]
	for range 2 {
		_, n, ok := lengthEncoded(rest)
		if !ok {
			return nil, fmt.Errorf("got an OK of %d bytes, want a whole one", len(packet))
		}
		rest = rest[n:]
	}
	if len(rest) < 2 {
		return nil, fmt.Errorf("got an OK of %d bytes, want a whole one", len(packet))
	}
	return rest[:2], nil
}

// lengthEncoded reads a number of 1, 3, 4 or 9 bytes, and tells how many they are.
func lengthEncoded(b []byte) (value uint64, n int, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	if b[0] < 0xfb {
		return uint64(b[0]), 1, true
	}
	n = map[byte]int{0xfc: 3, 0xfd: 4, 0xfe: 9}[b[0]]
	if n == 0 || len(b) < n {
		return 0, 0, false
	}
	var wide [8]byte
	copy(wide[:], b[1:n])
	return binary.LittleEndian.Uint64(wide[:]), n, true
}
