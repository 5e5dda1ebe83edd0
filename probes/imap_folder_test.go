// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noimap

package probes

import (
	"fmt"
	"strings"
	"testing"

	"skywatch/internal/probe"
)

// imapIn is a dialogue up to the login, with these capabilities; the next tag is s2.
func imapIn(caps string) string {
	return imapHello + "> s1 LOGIN \"u\" \"Secret-1\"\n< s1 OK [CAPABILITY IMAP4rev1" + caps + "] in\n"
}

// imapOpen opens the inbox for writing; the next tag is s3.
const imapOpen = "> s2 SELECT \"INBOX\"\n< * 4 EXISTS\n< s2 OK [READ-WRITE] opened\n"

// imapOut is the end of a dialogue from the tag n on.
func imapOut(n int) string {
	return fmt.Sprintf("> s%d NOOP\n< s%d OK done\n> s%d LOGOUT\n< * BYE see you\n< s%d OK bye\n", n, n, n+1, n+1)
}

const fetchItems = "(UID BODY.PEEK[HEADER.FIELDS (X-Skywatch-Token)]<0.512> BODY.PEEK[HEADER.FIELDS (Received Date)]<0.4096>)"

// fetched is the FETCH response for a message with a token.
func fetched(number, uid int, token string) string {
	header, date := "X-Skywatch-Token: "+token+"\r\n\r\n", "Date: Sat, 21 Nov 2026 02:00:00 +0000\r\n\r\n"
	return fmt.Sprintf("< * %d FETCH (UID %d BODY[HEADER.FIELDS (X-SKYWATCH-TOKEN)]<0> {%d}\n< %s BODY[HEADER.FIELDS (RECEIVED DATE)]<0> {%d}\n< %s)\n",
		number, uid, len(header), strings.ReplaceAll(header, "\r\n", "\n< "), len(date), strings.ReplaceAll(date, "\r\n", "\n< "))
}

// folderCase is a dialogue and the metrics it ends with.
type folderCase struct {
	dialogueCase
	values map[string]float64
}

func TestIMAPFolder(t *testing.T) {
	for _, test := range []folderCase{
		{dialogueCase{"search by ESEARCH", `{tls: none, username: u, password: Secret-1, folder: 'Übung & Co', search: 'SUBJECT "x"', max_messages: 7}`, imapIn(" ESEARCH") + `
			> s2 EXAMINE "&ANw-bung &- Co"
			< * 9 exists
			< * OK [UIDVALIDITY 1] fine {12}
			< s2 OK [READ-ONLY] opened
			> s3 UID SEARCH RETURN (COUNT) SUBJECT "x"
			< * ESEARCH (TAG "s3") UID COUNT 7
			< s3 OK found` + "\n" + imapOut(4), nil, 0, ""},
			map[string]float64{"probe_imap_messages": 9, "probe_imap_search_messages": 7, "probe_imap_deleted_messages": -1}},
		{dialogueCase{"search by SEARCH", `{tls: none, username: u, password: Secret-1, search: UNSEEN, min_messages: 4}`, imapIn("") + `
			> s2 EXAMINE "INBOX"
			< * 3 EXISTS
			< s2 OK opened
			> s3 UID SEARCH UNSEEN
			< * SEARCH 2 5
			< * SEARCH 7
			< s3 OK found` + "\n" + imapOut(4), nil, probe.ReasonResponse,
			`counting messages that the search finds in folder "INBOX" on "SERVER": found 3, want at least 4`},
			map[string]float64{"probe_imap_search_messages": 3}},
		{dialogueCase{"too many messages", `{tls: none, username: u, password: Secret-1, max_messages: 0}`, imapIn("") +
			"> s2 EXAMINE \"INBOX\"\n< * 3 EXISTS\n< s2 OK opened\n" + imapOut(3), nil, probe.ReasonResponse,
			`counting messages in folder "INBOX" on "SERVER": found 3, want at most 0`}, nil},
		{dialogueCase{"no such folder", imapLogin, imapIn("") + "> s2 EXAMINE \"INBOX\"\n< s2 NO [NONEXISTENT] unknown", nil, probe.ReasonResponse,
			`opening folder "INBOX" on "SERVER": refused with "NO [NONEXISTENT] unknown", want it opened`}, map[string]float64{"probe_imap_messages": -1}},
		{dialogueCase{"read-only folder", `{tls: none, username: u, password: Secret-1, delete: all}`, imapIn("") + "> s2 SELECT \"INBOX\"\n< * 1 EXISTS\n< s2 OK [READ-ONLY] opened", nil, probe.ReasonResponse,
			`opening folder "INBOX" on "SERVER": found it read-only, want to delete in it`}, nil},
		{dialogueCase{"unknown keys", `{tls: none, username: u, password: Secret-1, search: NONSENSE}`, imapIn("") + "> s2 EXAMINE \"INBOX\"\n< * 1 EXISTS\n< s2 OK opened\n> s3 UID SEARCH NONSENSE\n< s3 BAD unknown key", nil, probe.ReasonResponse,
			`searching folder "INBOX" on "SERVER": refused with "BAD unknown key", want it done`}, nil},
	} {
		t.Run(test.name, func(t *testing.T) { wantValues(t, test.run(t, "imap"), test.values) })
	}
}

func TestIMAPDelete(t *testing.T) {
	for _, test := range []folderCase{
		{dialogueCase{"own messages", `{tls: none, username: u, password: Secret-1, delete: own}`, imapIn(" UIDPLUS") + imapOpen + `
			> s3 UID SEARCH HEADER X-Skywatch-Token ""
			< * SEARCH 9 7 8
			< s3 OK found
			> s4 UID FETCH 7:9 ` + fetchItems + "\n" + fetched(2, 7, signed(t, "A")) + fetched(3, 8, "forged "+strings.Repeat("0", 64)) + fetched(4, 9, signed(t, "B")) + `
			< s4 OK fetched
			> s5 UID STORE 7,9 +FLAGS.SILENT (\Deleted)
			< s5 OK stored
			> s6 UID EXPUNGE 7,9
			< * 2 EXPUNGE
			< * 3 EXPUNGE
			< s6 OK gone` + "\n" + imapOut(7), nil, 0, ""}, map[string]float64{"probe_imap_deleted_messages": 2}},
		{dialogueCase{"own messages of another mailbox", `{tls: none, username: u, password: Secret-1, delete: own, mailbox: other@example.org}`, imapIn(" UIDPLUS") + imapOpen + `
			> s3 UID SEARCH HEADER X-Skywatch-Token ""
			< * SEARCH 7
			< s3 OK found
			> s4 UID FETCH 7 ` + fetchItems + "\n" + fetched(2, 7, signed(t, "A")) + "< s4 OK fetched\n" + imapOut(5), nil, 0, ""},
			map[string]float64{"probe_imap_deleted_messages": 0}},
		{dialogueCase{"without UIDPLUS", `{tls: none, username: u, password: Secret-1, delete: own}`, imapIn("") + imapOpen + `
			> s3 UID SEARCH HEADER X-Skywatch-Token ""
			< * SEARCH 7
			< s3 OK found
			> s4 UID FETCH 7 ` + fetchItems + "\n" + fetched(2, 7, signed(t, "A")) + `
			< s4 OK fetched
			> s5 UID STORE 7 +FLAGS.SILENT (\Deleted)
			< s5 OK stored
			> s6 UID SEARCH DELETED
			< * SEARCH 7
			< s6 OK found
			> s7 EXPUNGE
			< s7 OK gone` + "\n" + imapOut(8), nil, 0, ""}, map[string]float64{"probe_imap_deleted_messages": 1}},
		{dialogueCase{"a foreign message is flagged", `{tls: none, username: u, password: Secret-1, delete: own}`, imapIn("") + imapOpen + `
			> s3 UID SEARCH HEADER X-Skywatch-Token ""
			< * SEARCH 7
			< s3 OK found
			> s4 UID FETCH 7 ` + fetchItems + "\n" + fetched(2, 7, signed(t, "A")) + `
			< s4 OK fetched
			> s5 UID STORE 7 +FLAGS.SILENT (\Deleted)
			< s5 OK stored
			> s6 UID SEARCH DELETED
			< * SEARCH 2 7
			< s6 OK found` + "\n" + imapOut(7), nil, 0, ""}, map[string]float64{"probe_imap_deleted_messages": 0}},
		{dialogueCase{"all messages", `{tls: none, username: u, password: Secret-1, delete: all}`, imapIn("") + imapOpen + `
			> s3 UID SEARCH 1:4
			< * SEARCH 4 5 6 10
			< s3 OK found
			> s4 UID STORE 4:6,10 +FLAGS.SILENT (\Deleted)
			< s4 OK stored
			> s5 EXPUNGE
			< s5 OK gone` + "\n" + imapOut(6), nil, 0, ""}, map[string]float64{"probe_imap_deleted_messages": 4}},
	} {
		t.Run(test.name, func(t *testing.T) { wantValues(t, test.run(t, "imap"), test.values) })
	}
}

func TestIMAPSet(t *testing.T) {
	for _, test := range []struct {
		ids  []uint32
		want string
	}{{nil, ""}, {[]uint32{7}, "7"}, {[]uint32{1, 2, 3, 5, 7, 8}, "1:3,5,7:8"}, {[]uint32{4, 4}, "4"}, {[]uint32{1, 4294967295}, "1,4294967295"}} {
		if got := imapSet(test.ids); got != test.want {
			t.Errorf("%v gives %q, want %q", test.ids, got, test.want)
		}
	}
}

func TestEncodeFolder(t *testing.T) {
	for name, want := range map[string]string{ // the first is the example of RFC 3501, 5.1.3
		"~peter/mail/台北/日本語": "~peter/mail/&U,BTFw-/&ZeVnLIqe-", "Tom & Jerry": "Tom &- Jerry", "": "", "Entwürfe": "Entw&APw-rfe", "😀": "&2D3eAA-",
	} {
		if got := encodeFolder(name); got != want {
			t.Errorf("%q gives %q, want %q", name, got, want)
		}
	}
}

// TestDeleteAllWarns shows what the log says when a module may delete foreign messages.
func TestDeleteAllWarns(t *testing.T) {
	all := MailboxConfig{Delete: deleteAll}
	if got, want := strings.Join(all.Warnings(), ""), "delete: all removes every message of the mailbox, whoever sent it; delete: own removes those of skywatch alone"; got != want {
		t.Errorf("warning %q, want %q", got, want)
	}
	for _, quiet := range []MailboxConfig{{Delete: deleteNone}, {Delete: deleteOwn}} {
		if got := quiet.Warnings(); got != nil {
			t.Errorf("delete: %s warns of %q, want nothing", quiet.Delete, got)
		}
	}
}
