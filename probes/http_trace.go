// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"

	"skywatch/internal/probe"
)

// httpTrace takes the time of what happens in the round trips of a probe: the request, then one for each redirect followed.
type httpTrace struct {
	mu    sync.Mutex
	trips []httpTrip
	end   time.Time // of the final body
}

// httpTrip holds the moments of one round trip; those not reached are zero.
type httpTrip struct {
	secure             bool          // https
	lookup             time.Duration // of names not known before
	dialing, connected time.Time
	tlsStart, tlsDone  time.Time
	gotConn, firstByte time.Time
}

// missing names what a round trip that ended early was waiting for.
func (t httpTrip) missing() string {
	switch {
	case t.dialing.IsZero():
		return "no address"
	case t.connected.IsZero():
		return "no connection"
	case !t.tlsStart.IsZero() && t.tlsDone.IsZero():
		return "no TLS handshake"
	}
	return "no response"
}

// begin starts the next round trip.
func (t *httpTrace) begin(secure bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trips = append(t.trips, httpTrip{secure: secure})
}

// note changes the running round trip.
func (t *httpTrace) note(change func(trip *httpTrip, now time.Time)) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.trips) > 0 {
		change(&t.trips[len(t.trips)-1], now)
	}
}

// last gives the running round trip.
func (t *httpTrace) last() httpTrip {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.trips) == 0 {
		return httpTrip{}
	}
	return t.trips[len(t.trips)-1]
}

// finish notes that the final body was read, as far as it came.
func (t *httpTrace) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = time.Now()
}

// hooks gives what net/http calls; secured is called after each TLS handshake.
func (t *httpTrace) hooks(secured func()) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn:              func(httptrace.GotConnInfo) { t.note(func(trip *httpTrip, now time.Time) { trip.gotConn = now }) },
		GotFirstResponseByte: func() { t.note(func(trip *httpTrip, now time.Time) { trip.firstByte = now }) },
		TLSHandshakeStart:    func() { t.note(func(trip *httpTrip, now time.Time) { trip.tlsStart = now }) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			t.note(func(trip *httpTrip, now time.Time) {
				if err == nil {
					trip.tlsDone = now
				}
			})
			secured()
		},
	}
}

// record adds the phases of all round trips. The look-up of the target itself was recorded before the first of them.
func (t *httpTrace) record(r *probe.Recorder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, trip := range t.trips {
		if i > 0 {
			r.Phase(httpDuration, "resolve", trip.lookup)
		}
		if trip.gotConn.IsZero() {
			continue
		}
		if trip.secure {
			r.Phase(httpDuration, "connect", trip.connected.Sub(trip.dialing))
			r.Phase(httpDuration, "tls", trip.tlsDone.Sub(trip.tlsStart))
		} else {
			r.Phase(httpDuration, "connect", trip.gotConn.Sub(trip.dialing))
		}
		if trip.firstByte.IsZero() {
			continue
		}
		r.Phase(httpDuration, "processing", trip.firstByte.Sub(trip.gotConn))
		if i == len(t.trips)-1 && !t.end.IsZero() {
			r.Phase(httpDuration, "transfer", t.end.Sub(trip.firstByte))
		}
	}
}
