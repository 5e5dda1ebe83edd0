// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/miekg/dns"
)

// serveNames answers for a few names under skywatch.test, leaves one without an answer, and knows no other. It gives its address,
// which is one of loopback that no other server uses, since resolvers ask at port 53 only.
func serveNames(t *testing.T) string {
	t.Helper()
	ip := fmt.Sprintf("127.53.%d.%d", os.Getpid()/250%250, 1+os.Getpid()%250)
	conn, err := net.ListenPacket("udp4", net.JoinHostPort(ip, "53"))
	if err != nil {
		t.Fatalf("serving names: %v", err)
	}
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(answerName)}
	ended := make(chan error, 1)
	go func() { ended <- server.ActivateAndServe() }()
	t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	return ip
}

var addresses = map[string]map[uint16]string{
	"four.skywatch.test.": {dns.TypeA: "127.0.0.1"},
	"six.skywatch.test.":  {dns.TypeAAAA: "::1"},
	"both.skywatch.test.": {dns.TypeA: "127.0.0.1", dns.TypeAAAA: "::1"},
}

func answerName(w dns.ResponseWriter, query *dns.Msg) {
	reply := new(dns.Msg).SetReply(query)
	name, kind := query.Question[0].Name, query.Question[0].Qtype
	known, found := addresses[name]
	switch {
	case name == "silent.skywatch.test.":
		return
	case !found:
		reply.Rcode = dns.RcodeNameError
	case known[kind] != "":
		rr, err := dns.NewRR(name + " 60 IN " + dns.TypeToString[kind] + " " + known[kind])
		if err == nil {
			reply.Answer = append(reply.Answer, rr)
		}
	}
	w.WriteMsg(reply)
}
