// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"net"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// outcome is reason and text of a failure; "" is success.
func outcome(res probe.Result) string {
	if res.Success() {
		return ""
	}
	return res.Reason.String() + ": " + res.Err
}

// wantLoadError builds a module with the section and compares the error; "" wants none.
func wantLoadError(t *testing.T, o Options, prober, section, want string) {
	t.Helper()
	_, err := buildModules(t, o, "modules: {m: {prober: "+prober+", "+prober+": "+section+"}}")
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("%s: %q, want %q", section, got, want)
	}
}

// value gives the value of a metric that must be there.
func value(t testing.TB, res probe.Result, name string, labels ...string) float64 {
	t.Helper()
	v, ok := probetest.Value(res.Samples, name, labels...)
	if !ok {
		t.Errorf("%s%v is absent, want a value", name, labels)
	}
	return v
}

// packetUDP answers each packet with others.
func packetUDP(t testing.TB, answer func(query []byte) [][]byte) string {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buffer := make([]byte, 1500)
		for {
			n, peer, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			for _, packet := range answer(buffer[:n]) {
				conn.WriteTo(packet, peer)
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	return conn.LocalAddr().String()
}
