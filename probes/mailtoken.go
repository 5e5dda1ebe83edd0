// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"skywatch/internal/probe"
)

// tokenHeader is the header field of the messages that probes send. Its value is "<token> <hex HMAC-SHA-256>", the latter over mailbox and
// token with a key that only this skywatch has, so that nobody else can make a message that it would delete.
const tokenHeader = "X-Skywatch-Token"

// mailSignerKey is where the key is in Recorder.Shared.
const mailSignerKey = "mail_key"

// mailSigner signs tokens and knows its own again.
type mailSigner struct{ key []byte }

// mailSignerOf is newMailSigner for a probe under way. Of probes that begin at the same time one makes the key.
func mailSignerOf(r *probe.Recorder) (m mailSigner, err error) {
	r.Alone(func() { m, err = newMailSigner(r.Shared()) })
	return m, err
}

// newMailSigner takes the key from the store, which is Recorder.Shared, or makes one there.
func newMailSigner(s probe.Store) (mailSigner, error) {
	key, err := s.Get(mailSignerKey)
	if err != nil {
		return mailSigner{}, probe.Failf(probe.ReasonInternal, "reading the key of signed messages: %w, want it or none", err)
	}
	if len(key) == sha256.Size {
		return mailSigner{key}, nil
	}
	key = make([]byte, sha256.Size)
	rand.Read(key)
	if err := s.Put(mailSignerKey, key); err != nil {
		return mailSigner{}, probe.Failf(probe.ReasonInternal, "making the key of signed messages: %w, want it stored", err)
	}
	return mailSigner{key}, nil
}

// newToken makes a token that no message had before.
func newToken() string { return rand.Text() }

// sign gives the value of the header field for a message to a mailbox, which is the address of the recipient.
func (m mailSigner) sign(mailbox, token string) string {
	return token + " " + hex.EncodeToString(m.sum(mailbox, token))
}

// verify gives the token of a header field if this skywatch made it for that mailbox.
func (m mailSigner) verify(mailbox, value string) (token string, ok bool) {
	token, signature, ok := strings.Cut(strings.TrimSpace(value), " ")
	sum, err := hex.DecodeString(strings.TrimSpace(signature))
	return token, ok && err == nil && hmac.Equal(sum, m.sum(mailbox, token))
}

func (m mailSigner) sum(mailbox, token string) []byte {
	h := hmac.New(sha256.New, m.key)
	fmt.Fprintf(h, "%s\x00%s", strings.ToLower(mailbox), token)
	return h.Sum(nil)
}
