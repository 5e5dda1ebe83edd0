// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpguts"
)

// httpExchange is one request and its response over a connection of its own, in the goroutine of the probe. http.Transport has three more
// for them, to write while it reads and to keep the connection; a request without a body needs neither, and waking them costs a tenth of
// the processor time of a probe.
type httpExchange struct {
	conn net.Conn         // watched by Run, which ends reading when the time is over or the probe is cancelled
	head io.LimitedReader // what the response's header may still take
	in   *bufio.Reader
}

// exchanges tells whether a request can be sent without http.Transport: it goes over a plain connection straight to the server, has
// nothing that is sent while the answer may come already, and says nothing of the connection itself.
func (p *httpProbe) exchanges(req *http.Request) bool {
	return req.URL.Scheme == "http" && req.URL.Host != "" && req.Body == nil && req.Header["Connection"] == nil &&
		p.Client.proxy == nil && !p.EnableHTTP3
}

// exchange sends a request for which exchanges is true. To close the response's body is to close the connection.
func (p *httpProbe) exchange(req *http.Request) (*http.Response, error) {
	conn, err := p.conns.connect(req.Context(), "tcp", authority(req.URL))
	if err != nil {
		return nil, err
	}
	p.trace.note(func(trip *httpTrip, now time.Time) { trip.connected, trip.gotConn = now, now })
	x := &httpExchange{conn: conn, head: io.LimitedReader{R: conn, N: httpHeaderBytes}}
	x.in = bufio.NewReaderSize(&x.head, httpBufferBytes)
	resp, err := x.run(req, &p.trace)
	if err != nil {
		conn.Close()
		return nil, err
	}
	x.head.N = math.MaxInt64 // who reads the body bounds it
	resp.Body = httpExchangeBody{x.body(resp), conn}
	return resp, nil
}

// authority is the host to connect to and its port. A host that has no ASCII form stays as it is, so that the look-up names it.
func authority(u *url.URL) string {
	host, err := asciiHost(u.Hostname())
	if err != nil {
		host = u.Hostname()
	}
	return net.JoinHostPort(host, cmp.Or(u.Port(), "80"))
}

// run sends the request and receives the header of its response.
func (x *httpExchange) run(req *http.Request, trace *httpTrace) (*http.Response, error) {
	if err := x.send(req); err != nil {
		return nil, err
	}
	if _, err := x.in.Peek(1); err != nil {
		return nil, err
	}
	trace.note(func(trip *httpTrip, now time.Time) { trip.firstByte = now })
	resp, err := x.receive(req)
	if err != nil && x.head.N <= 0 {
		return nil, fmt.Errorf("net/http: server response headers exceeded %d bytes; aborted", httpHeaderBytes) // the words of http.Transport
	}
	return resp, err
}

// send writes the request. That the connection ends with it is what the header says last.
func (x *httpExchange) send(req *http.Request) error {
	var head bytes.Buffer
	if err := req.Write(&head); err != nil {
		return err
	}
	head.Truncate(head.Len() - len("\r\n"))
	head.WriteString("Connection: close\r\n\r\n")
	_, err := x.conn.Write(head.Bytes())
	return err
}

// receive reads the header of the final response, which a change of protocols is too. The bound of the header holds for all of them, and
// so bounds how many responses can come before.
func (x *httpExchange) receive(req *http.Request) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(x.in, req)
		if err != nil || resp.StatusCode < 100 || resp.StatusCode > 199 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, err
		}
	}
}

// body is what follows the header: after a change of protocols, all that the server sends.
func (x *httpExchange) body(resp *http.Response) io.Reader {
	if resp.StatusCode == http.StatusSwitchingProtocols && httpguts.HeaderValuesContainsToken(resp.Header["Connection"], "Upgrade") {
		return x.in
	}
	return resp.Body
}

// httpExchangeBody is a body whose end is that of the connection, however much of it is left.
type httpExchangeBody struct {
	io.Reader
	io.Closer
}
