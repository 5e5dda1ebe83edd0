// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// Reason is the cause of a failure, from a closed set. The numbers are stored; they are never reused.
type Reason uint8

// The causes of failure. ReasonNone is that of a success.
const (
	ReasonNone     Reason = 0 // success
	ReasonResolve  Reason = 1 // the name could not be resolved
	ReasonConnect  Reason = 2 // no connection: refused, unreachable, reset while connecting
	ReasonTLS      Reason = 3 // handshake or certificate
	ReasonAuth     Reason = 4 // the credential was refused
	ReasonTimeout  Reason = 5 // the attempt's deadline passed
	ReasonProtocol Reason = 6 // the peer broke the protocol's rules
	ReasonResponse Reason = 7 // a well-formed answer that is not the wanted one
	ReasonConfig   Reason = 8 // the module or target cannot work; our user's fault, not the service's
	ReasonInternal Reason = 9 // a fault of skywatch itself
)

var reasonNames = [...]string{"", "resolve", "connect", "tls", "auth", "timeout", "protocol", "response", "config", "internal"}

// Reasons lists all causes of failure in the order of their numbers, without ReasonNone.
func Reasons() []Reason {
	all := make([]Reason, 0, len(reasonNames)-1)
	for r := ReasonResolve; r <= ReasonInternal; r++ {
		all = append(all, r)
	}
	return all
}

// String gives the word of the reason; "" for ReasonNone.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "reason" + strconv.Itoa(int(r))
}

// Retryable tells whether a second try may change the outcome. A refused credential is not tried again, since repetition locks accounts.
func (r Reason) Retryable() bool {
	switch r {
	case ReasonResolve, ReasonConnect, ReasonTLS, ReasonTimeout, ReasonProtocol, ReasonResponse:
		return true
	}
	return false
}

// Error is a failure with its reason. Callers branch on the reason, never on the text.
type Error struct {
	Reason Reason
	err    error
}

// Failf makes a typed failure. The text follows the product's rule: doing "subject": what happened, want what. %w wraps.
func Failf(reason Reason, format string, a ...any) error {
	return &Error{Reason: reason, err: fmt.Errorf(format, a...)}
}

// Error gives the text.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap leads to what Failf wrapped.
func (e *Error) Unwrap() error { return e.err }

// ReasonOf finds the reason of an error: that of the outermost Error, else one derived from well-known network errors, else
// ReasonInternal. nil gives ReasonNone. An expired deadline is a timeout whatever was wrapped around it.
func ReasonOf(err error) Reason {
	if err == nil {
		return ReasonNone
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return ReasonTimeout
	}
	var typed *Error
	if errors.As(err, &typed) {
		return typed.Reason
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return ReasonResolve
	}
	for _, errno := range []syscall.Errno{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH} {
		if errors.Is(err, errno) {
			return ReasonConnect
		}
	}
	return ReasonInternal
}

const evidenceLimit = 300

// Evidence cuts foreign text to 300 bytes for use in an error, at a rune boundary, and quotes it.
func Evidence(s string) string {
	if len(s) <= evidenceLimit {
		return strconv.Quote(s)
	}
	cut := evidenceLimit
	for cut > evidenceLimit-4 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return strconv.Quote(s[:cut]) + "..."
}
