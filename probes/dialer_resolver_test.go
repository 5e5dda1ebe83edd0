// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// serveNames is a DNS server on loopback that knows some names, all with IPv4 addresses. One with the address "" gets no answer.
func serveNames(t *testing.T, names map[string]string) string {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(packet)
			if err != nil {
				return
			}
			if answer := answerName(packet[:n], names); answer != nil {
				socket.WriteTo(answer, from)
			}
		}
	})
	t.Cleanup(func() {
		socket.Close()
		group.Wait()
	})
	return socket.LocalAddr().String()
}

func answerName(query []byte, names map[string]string) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Additionals = true, nil
	question := m.Questions[0]
	address, known := names[question.Name.String()]
	switch {
	case !known:
		m.RCode = dnsmessage.RCodeNameError
	case address == "":
		return nil
	case question.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Class: question.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()},
		}}
	}
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// TestResolverOfModule asks the module's own server, for the name as it is, and names it in failures.
func TestResolverOfModule(t *testing.T) {
	server := serveNames(t, map[string]string{"here.example.": "127.0.0.1", "silent.example.": ""})
	s := probetest.Serve(t)
	_, port, _ := net.SplitHostPort(s.Addr)
	m := testModule(t, Options{}, "tcp", "{resolver: \""+server+"\", ip_info: true}")
	leakFree(t, "answer", func(t *testing.T) {
		res := runProbe(t, t.Context(), m, "here.example:"+port, long)
		if got, ok := probetest.Value(res.Samples, "probe_ip_info", "127.0.0.1"); !res.Success() || !ok || got != 1 {
			t.Errorf("%s: %s, want success and the address:\n%s", res.Reason, res.Err, probetest.Exposition(res.Samples))
		}
	})
	leakFree(t, "no such name", func(t *testing.T) {
		res := runProbe(t, t.Context(), m, "gone.example:"+port, long)
		if want := `resolving "gone.example": no such host (asked ` + server + `), want an address`; res.Reason != probe.ReasonResolve || res.Err != want {
			t.Errorf("%s: %s, want %s", res.Reason, res.Err, want)
		}
	})
	leakFree(t, silent, func(t *testing.T) {
		res := runProbe(t, t.Context(), m, "silent.example:"+port, short)
		if res.Reason != probe.ReasonTimeout || !strings.HasPrefix(res.Err, `resolving "silent.example": no answer in time, want an address`) {
			t.Errorf("%s: %s, want a timeout", res.Reason, res.Err)
		}
	})
}

func TestNewNameServer(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1:53", "192.0.2.1:5353": "192.0.2.1:5353", "2001:db8::1": "[2001:db8::1]:53", "[::1]:53": "[::1]:53",
		"ns.example:53": "ns.example:53", "ns.example": "", ":53": "", "ns.example:": "", "ns.example:0": "", "ns.example:dns": "", "1.2.3.4:70000": "",
	} {
		got, err := newNameServer(text)
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%q gives %q, %v, want %q", text, got, err, want)
		}
	}
	_, err := buildModules(t, Options{}, "modules: {m: {prober: tcp, tcp: {resolver: here}}}")
	if want := `module "m": line 1: tcp: resolver: found "here", want an address or host:port`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestIPInfoIsOptional: the address shows only in modules that want it.
func TestIPInfoIsOptional(t *testing.T) {
	res := runProbe(t, t.Context(), testModule(t, Options{}, "tcp", "{}"), probetest.Serve(t).Addr, long)
	if _, ok := probetest.Value(res.Samples, "probe_ip_info", "127.0.0.1"); ok || !res.Success() {
		t.Errorf("%s, want success without probe_ip_info:\n%s", res.Err, probetest.Exposition(res.Samples))
	}
}
