// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nosmtp || !noimap || !nopop3 || !nomailloop

package probes

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"

	"skywatch/internal/probe"
)

// plainResponse is the one response of the mechanism PLAIN (RFC 4616), in base64.
func (l *login) plainResponse(r *probe.Recorder) string {
	return hiddenBase64(r, "\x00"+l.username+"\x00"+l.Secret.Reveal())
}

// xoauth2Response is the one response of the mechanism XOAUTH2, as Google published it; the secret is the access token. In base64.
func (l *login) xoauth2Response(r *probe.Recorder) string {
	return hiddenBase64(r, "user="+l.username+"\x01auth=Bearer "+l.Secret.Reveal()+"\x01\x01")
}

// cramMD5Response answers a challenge of CRAM-MD5 (RFC 2195), in base64.
func (l *login) cramMD5Response(r *probe.Recorder, challenge []byte) string {
	sum := hmac.New(md5.New, []byte(l.Secret.Reveal()))
	sum.Write(challenge)
	digest := hex.EncodeToString(sum.Sum(nil))
	r.Hide(probe.Secret(digest))
	return hiddenBase64(r, l.username+" "+digest)
}

// hiddenBase64 encodes what proves an identity, and hides the result.
func hiddenBase64(r *probe.Recorder, text string) string {
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	r.Hide(probe.Secret(encoded))
	return encoded
}

// putOff is the failure of a login that the server did not judge: it may go well later.
func (l *login) putOff(r *probe.Recorder, answer string) error {
	return probe.Failf(probe.ReasonResponse, "logging in to %q as %q: put off with %s, want it accepted", l.Address, l.username, r.Evidence(answer))
}
