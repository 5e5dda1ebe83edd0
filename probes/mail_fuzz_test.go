// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap && !nopop3

package probes

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

func TestMark(t *testing.T) {
	header := "Received: from a\r\n\tby b; date\r\nreceived: from c\r\nno field\r\n folded into nothing\r\nX-SKYWATCH-TOKEN:  T\r\n  signature \r\n" +
		"X-Skywatch-Token: second\r\nDate: today\r\n\r\nDate: in the body\r\n"
	want := markedMessage{id: 7, token: "T signature", received: []string{"from a by b; date", "from c"}, date: "today"}
	if diff := cmp.Diff(want, mark(7, header), cmp.AllowUnexported(markedMessage{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := mark(1, "X-Skywatch-Token: a b"); got.token != "a b" {
		t.Errorf("a header that ends without a line end gives %q", got.token)
	}
}

func TestFetched(t *testing.T) {
	for _, test := range []struct {
		parts  []string
		uid    uint32
		header string
		ok     bool
	}{
		{[]string{"3 EXISTS"}, 0, "", true},
		{[]string{"3 FETCH (FLAGS (\\Seen) UID 7)"}, 7, "", true},
		{[]string{`3 FETCH (UID 7 BODY[HEADER.FIELDS ("A" B)]<0> "A: \"b\"" X (a (b "c)") NIL))`}, 7, "A: \"b\"\r\n", true},
		{[]string{"3 fetch (uid 7 body[HEADER] ", "A: b\r\n\r\n", " BODY[1] ", "C: d\r\n", ")"}, 7, "A: b\r\nC: d\r\n", true},
		{[]string{"3 FETCH (UID 7 BODY[HEADER] NIL)"}, 7, "\r\n", true},
		{[]string{"3 FETCH (UID 0)"}, 0, "", false},
		{[]string{"3 FETCH (UID x)"}, 0, "", false},
		{[]string{"3 FETCH UID 7"}, 0, "", false},
		{[]string{"3 FETCH (UID"}, 0, "", false},
		{[]string{"3 FETCH (BODY[HEADER "}, 0, "", false},
		{[]string{`3 FETCH (A "b`}, 0, "", false},
		{[]string{`3 FETCH (A "b\`}, 0, "", false},
		{[]string{"3 FETCH (A (((("}, 0, "", false},
		{[]string{"3 FETCH ", "literal", ""}, 0, "", false},
	} {
		uid, header, ok := imapResponse{tag: "*", parts: test.parts}.fetched()
		if uid != test.uid || header != test.header || ok != test.ok {
			t.Errorf("%q gives %d, %q, %t, want %d, %q, %t", test.parts, uid, header, ok, test.uid, test.header, test.ok)
		}
	}
}

// cannedLink is a link whose peer has said everything already.
func cannedLink(said []byte, r *probe.Recorder) *textLink {
	return (&link{config: new(ServiceConfig), server: "peer", conn: canned{in: bytes.NewReader(said)}, r: r}).text()
}

// wantBlamed tells that a peer with arbitrary bytes is blamed, or nobody is.
func wantBlamed(t *testing.T, res probe.Result) {
	t.Helper()
	switch res.Reason {
	case probe.ReasonNone, probe.ReasonProtocol, probe.ReasonResponse, probe.ReasonAuth:
	default:
		t.Errorf("%s: %s", res.Reason, res.Err)
	}
}

// FuzzIMAP lets a server say anything: what is asked of it ends, and blames the server or nobody.
func FuzzIMAP(f *testing.F) {
	f.Add([]byte("* OK [CAPABILITY IMAP4rev1] hi\r\ns1 OK in\r\n* CAPABILITY IMAP4rev1 UIDPLUS\r\ns2 OK\r\n* 1 EXISTS\r\ns3 OK\r\n* SEARCH 7\r\ns4 OK\r\n" +
		"* 1 FETCH (UID 7 BODY[HEADER.FIELDS (A)]<0> {6}\r\nA: b\r\n BODY[X] \"y\" Z (a (b)))\r\ns5 OK\r\ns6 OK\r\ns7 OK\r\n* BYE\r\n"))
	f.Add([]byte("* OK hi\r\n* LIST {3}\r\nabc {0}\r\n\r\ns1 OK\r\n"))
	f.Add([]byte("* PREAUTH hi\r\n* CAPABILITY X\r\ns1 OK [CAPABILITY Y]\r\n"))
	f.Add([]byte("* BYE\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		wantBlamed(t, runFunc(t, func(ctx context.Context, r *probe.Recorder) error {
			c := &imapClient{textLink: cannedLink(said, r)}
			defer c.close()
			if err := c.begin(ctx, false); err != nil {
				return err
			}
			l := &login{username: "u"}
			if err := c.logIn(l, authLogin); err != nil {
				return err
			}
			if _, err := c.openFolder("INBOX", false); err != nil {
				return err
			}
			marked, err := c.marked(ctx)
			if err != nil {
				return err
			}
			for _, m := range marked {
				if _, err := c.delete([]uint32{m.id}, false); err != nil {
					return err
				}
			}
			return c.logout()
		}))
	})
}

// FuzzPOP3 is the same for POP3.
func FuzzPOP3(f *testing.F) {
	f.Add([]byte("+OK hi <1.2@c>\r\n+OK\r\nPIPELINING\r\n.\r\n+OK in\r\n+OK 2 9\r\n+OK\r\nX-Skywatch-Token: a b\r\n c\r\n..\r\n\r\n.\r\n+OK\r\n.\r\n+OK\r\n+OK\r\n"))
	f.Add([]byte("-ERR [SYS/TEMP] full\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		wantBlamed(t, runFunc(t, func(ctx context.Context, r *probe.Recorder) error {
			c := &pop3Client{textLink: cannedLink(said, r)}
			defer c.close()
			if err := c.begin(ctx, false); err != nil {
				return err
			}
			if err := c.logIn(&login{username: "u"}, authAPOP); err != nil {
				return err
			}
			if err := c.stat(); err != nil {
				return err
			}
			marked, err := c.marked(ctx)
			if err != nil {
				return err
			}
			for _, m := range marked {
				if err := c.remove(ctx, []uint32{m.id}); err != nil {
					return err
				}
			}
			return c.quit()
		}))
	})
}

// FuzzValidateSearch: what is accepted stays one command.
func FuzzValidateSearch(f *testing.F) {
	for _, keys := range []string{"ALL", `SUBJECT "x"`, "(OR A B)", "A {3}", "RETURN (SAVE) ALL", "\r\n"} {
		f.Add(keys)
	}
	f.Fuzz(func(t *testing.T, keys string) {
		if validateSearch(keys) != nil {
			return
		}
		if _, _, literal := cutLiteral(keys); literal || strings.ContainsAny(keys, "\r\n\x00") {
			t.Errorf("%q is accepted", keys)
		}
	})
}
