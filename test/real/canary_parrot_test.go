// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// parrotMood is what a parrot does with a connection; it goes from one to the next.
type parrotMood int64

const (
	moodRefuses   parrotMood = iota // refuses the login
	moodTurnsAway                   // has a greeting only, which is a refusal
	moodFails                       // takes the login, and refuses the first command after that
	moods
)

// parrot is a server that says the secret of its client, and what the client made of it, wherever a server may say anything.
type parrot struct {
	t      *testing.T
	secret string
	says   []string
	speak  func(c *parrotTalk)
	calls  atomic.Int64
	mu     sync.Mutex
	proofs map[string]bool // that were made of the secret
}

// parrotTalk is one connection to a parrot.
type parrotTalk struct {
	net.Conn
	*parrot
	in    *bufio.Reader
	mood  parrotMood
	heard []string // by which the client proved itself, in all forms
	pad   string   // of a length that differs, so that what is cut is cut everywhere
}

func newParrot(t *testing.T, secret string, speak func(c *parrotTalk)) *parrot {
	return &parrot{t: t, secret: secret, says: canaryForms(secret), speak: speak, proofs: make(map[string]bool)}
}

// serve gives the address where the parrot is from now on.
func (p *parrot) serve() string {
	p.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	var wg sync.WaitGroup
	p.t.Cleanup(func() { listener.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.talk(conn) })
		}
	})
	return listener.Addr().String()
}

func (p *parrot) talk(conn net.Conn) {
	defer conn.Close()
	n := p.calls.Add(1)
	c := &parrotTalk{Conn: conn, parrot: p, in: bufio.NewReader(conn), mood: parrotMood(n-1) % moods}
	c.pad = strings.Repeat("x", int(n*37%300))
	p.speak(c)
}

// echo is all that the parrot knows in one line.
func (c *parrotTalk) echo() string {
	return strings.Join(append(append([]string{c.pad}, c.says...), c.heard...), " ")
}

// words are those of the forms of the secret that can be the name of an extension.
func (c *parrotTalk) words() (words []string) {
	for _, form := range c.says {
		if !strings.ContainsAny(form, "+/%&_=") && len(form) <= 64 {
			words = append(words, form)
		}
	}
	return words
}

func (c *parrotTalk) say(format string, args ...any) { fmt.Fprintf(c, format+"\r\n", args...) }

// line reads what the client says; ok is false when it has left.
func (c *parrotTalk) line() (text string, ok bool) {
	text, err := c.in.ReadString('\n')
	return strings.TrimRight(text, "\r\n"), err == nil
}

// digest notes what the client made of the secret, in the forms that it may be said in.
func (c *parrotTalk) digest(proof []byte) {
	c.heard = append(c.heard, string(proof))
	hexed := hex.EncodeToString(proof)
	c.prove(base64.RawStdEncoding.EncodeToString(proof), hexed, strings.ToUpper(hexed))
}

// prove notes texts that must not be seen anywhere.
func (c *parrotTalk) prove(forms ...string) {
	c.heard = append(c.heard, forms...)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, form := range forms {
		c.proofs[form] = true
	}
}

// sasl notes a message of SASL. It gives what is in it.
func (c *parrotTalk) sasl(message string) string {
	text, err := base64.StdEncoding.DecodeString(message)
	if err != nil {
		c.t.Errorf("got %q, want base64", message)
	}
	c.heard = append(c.heard, string(bytes.ReplaceAll(text, []byte{0}, []byte("|"))))
	if message != "" {
		c.prove(strings.TrimRight(message, "="))
	}
	return string(text)
}

// proven gives the proofs so far.
func (p *parrot) proven() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.proofs))
}

const canaryChallenge = "<17.4@canary.test>"

// cramMD5 notes the answer to the challenge, and sees to it that it is made of the secret.
func (c *parrotTalk) cramMD5(message string) {
	sum := hmac.New(md5.New, []byte(c.secret))
	sum.Write([]byte(canaryChallenge))
	digest := hex.EncodeToString(sum.Sum(nil))
	if got := c.sasl(message); got != "watch "+digest {
		c.t.Errorf("got %q for CRAM-MD5, want %q", got, "watch "+digest)
	}
	c.prove(digest)
	c.digest([]byte(digest))
}

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
