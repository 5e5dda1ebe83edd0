// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
	"skywatch/probes"
)

// TestIMAPProber runs imap against Dovecot, with both forms of TLS.
func TestIMAPProber(t *testing.T) {
	m := newPeers(t).mailServer()
	for form, port := range map[string]int{"starttls": m.imap, "tls": m.imaps} {
		t.Run(form, func(t *testing.T) {
			matrix{prober: "imap", server: m.server, secure: "tls: " + form, securePort: port, clear: "tls: none", clearPort: m.imap,
				username: mailUser, password: mailPassword, greeted: afterReply("server ready."), loggedIn: afterReply("s1 OK")}.run(t)
		})
	}
}

// TestPOP3Prober is the same for pop3.
func TestPOP3Prober(t *testing.T) {
	m := newPeers(t).mailServer()
	for form, port := range map[string]int{"starttls": m.pop3, "tls": m.pop3s} {
		t.Run(form, func(t *testing.T) {
			matrix{prober: "pop3", server: m.server, secure: "tls: " + form, securePort: port, clear: "tls: none", clearPort: m.pop3,
				username: mailUser, password: mailPassword, greeted: afterReply("server ready."), loggedIn: afterReply("+OK Logged in.")}.run(t)
		})
	}
}

// TestMailMechanisms shows each way to log in to Dovecot, well and badly.
func TestMailMechanisms(t *testing.T) {
	p := newPeers(t)
	m := p.mailServer("DOVECOT_OAUTH2=" + introspection(t).URL + "/introspect")
	ca := fmt.Sprintf("tls_config: {ca_file: %q}", filepath.Join(p.pki(), "ca.pem"))
	for _, way := range []struct {
		prober, auth, password string
		port                   int
	}{
		{"imap", "login", mailPassword, m.imap}, {"imap", "plain", mailPassword, m.imap}, {"imap", "cram-md5", mailPassword, m.imap},
		{"imap", "xoauth2", goodToken, m.imap}, {"pop3", "user", mailPassword, m.pop3}, {"pop3", "apop", mailPassword, m.pop3},
	} {
		module := func(credential string) string {
			return fmt.Sprintf("  %s: {prober: %s, timeout: 60s, %s: {auth: %s, credential: %s, %s}}\n", credential, way.prober, way.prober, way.auth, credential, ca)
		}
		c := newCommand(t, p.dir, module("good")+module("bad"), mailUser, way.password)
		for module, reason := range map[string]string{"good": "", "bad": "auth"} {
			if o := c.want(module, local(way.port), reason); strings.Contains(o.Trace+o.Error, way.password) {
				t.Errorf("%s %s shows the secret:\n%s\n%s", way.prober, way.auth, o.Error, o.Trace)
			}
		}
	}
}

// TestMailLoginDisabled: Dovecot allows no login in clear text to a client from elsewhere, and skywatch sends no password then.
func TestMailLoginDisabled(t *testing.T) {
	p := newPeers(t)
	m := p.mailServer("DOVECOT_SSL=required")
	const section = "{tls: none, source_ip_address: 127.0.0.2, credential: good}"
	c := newCommand(t, p.dir, "  imap: {prober: imap, timeout: 60s, imap: "+section+"}\n  pop3: {prober: pop3, timeout: 60s, pop3: "+section+"}\n", mailUser, mailPassword)
	for module, want := range map[string]struct {
		port int
		text string
	}{
		"imap": {m.imap, "the server allows no LOGIN now (LOGINDISABLED), want it allowed"},
		"pop3": {m.pop3, "the server allows no USER now and says"},
	} {
		o := c.want(module, address(want.port), "response")
		if !strings.Contains(o.Error, want.text) {
			t.Errorf("%s: %s, want %s", module, o.Error, want.text)
		}
		if strings.Contains(o.Trace, "<secret>") {
			t.Errorf("%s sent the password all the same:\n%s", module, o.Trace)
		}
	}
}

// signer is the key of signed messages as skywatch keeps it.
type signer struct{ key []byte }

func (s signer) store(t *testing.T) probe.Store {
	t.Helper()
	store := new(probe.MemoryStore)
	if err := store.Put("mail_key", s.key); err != nil {
		t.Fatal(err)
	}
	return store
}

// header makes the header field of a message to a mailbox.
func (s signer) header(mailbox, token string) string {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(mailbox + "\x00" + token))
	return "X-Skywatch-Token: " + token + " " + hex.EncodeToString(h.Sum(nil)) + "\n"
}

// probeIn makes a probe in this process, with a store of its own.
func probeIn(t *testing.T, prober, section string, port int, store probe.Store) probe.Result {
	t.Helper()
	var modules probes.Modules
	if err := yaml.Unmarshal([]byte("{m: {prober: "+prober+", "+prober+": "+section+"}}"), &modules); err != nil {
		t.Fatal(err)
	}
	if err := modules.Build(probes.Options{}); err != nil {
		t.Fatal(err)
	}
	check := probe.Check{Module: modules.All()["m"], Target: probe.NewTarget(address(port)), Timeout: patience}
	res := probe.Run(t.Context(), check, probe.Env{Shared: store})
	if !res.Success() {
		t.Fatalf("%s: %s\n%s", prober, res.Err, res.Trace)
	}
	return res
}

// TestMailDelete shows what is deleted and what is left alone, in a mailbox with signed, forged and foreign messages.
func TestMailDelete(t *testing.T) {
	for _, prober := range []string{"imap", "pop3"} {
		t.Run(prober, func(t *testing.T) {
			m := newPeers(t).mailServer()
			port := map[string]int{"imap": m.imap, "pop3": m.pop3}[prober]
			ours, theirs := signer{[]byte("0123456789abcdef0123456789abcdef")}, signer{[]byte("another skywatch has another key")}
			messages := map[string]string{
				"ours": ours.header(mailUser, "A"), "ours too": ours.header(mailUser, "B"), "foreign": "", "forged": "X-Skywatch-Token: A " + strings.Repeat("0", 64) + "\n",
				"of another skywatch": theirs.header(mailUser, "A"), "for another mailbox": ours.header("ops@skywatch.test", "A"),
			}
			left := []string{"for another mailbox", "foreign", "forged", "of another skywatch"}
			for subject, header := range messages {
				m.deliver(mailUser, header+"Received: from somewhere\nSubject: "+subject+"\n")
			}
			section := func(more string) string {
				return fmt.Sprintf("{tls: none, username: %s, password: %s%s}", mailUser, mailPassword, more)
			}
			probeIn(t, prober, section(""), port, ours.store(t))
			if got := m.subjects(""); len(got) != len(messages) {
				t.Errorf("left %q, want all", got)
			}
			for _, deleted := range []float64{2, 0} {
				res := probeIn(t, prober, section(", delete: own"), port, ours.store(t))
				if got, _ := probetest.Value(res.Samples, "probe_"+prober+"_deleted_messages"); got != deleted {
					t.Errorf("deleted %v, want %v\n%s", got, deleted, res.Trace)
				}
				if diff := cmp.Diff(left, m.subjects(""), cmpopts.SortSlices(strings.Compare)); diff != "" {
					t.Errorf("-want +left:\n%s", diff)
				}
			}
			probeIn(t, prober, section(", delete: all"), port, ours.store(t))
			if got := m.subjects(""); len(got) > 0 {
				t.Errorf("left %q, want none", got)
			}
		})
	}
}

// TestIMAPSearch counts what is found, in a folder other than the inbox, into which mail is delivered by its subaddress.
func TestIMAPSearch(t *testing.T) {
	m := newPeers(t).mailServer()
	for i := range 7 {
		m.deliver("watch+Junk@skywatch.test", fmt.Sprintf("Subject: number %d\n", i%3))
	}
	m.deliver(mailUser, "Subject: number 0\n")
	if got := m.subjects(".Junk"); !slices.Contains(got, "number 0") || len(got) != 7 {
		t.Errorf("Junk has %q, want 7 messages", got)
	}
	for folder, want := range map[string][2]float64{"INBOX": {1, 1}, "Junk": {7, 3}} {
		section := fmt.Sprintf(`{tls: none, username: %s, password: %s, folder: %s, search: 'UNSEEN SUBJECT "number 0"', min_messages: 1}`, mailUser, mailPassword, folder)
		res := probeIn(t, "imap", section, m.imap, nil)
		messages, _ := probetest.Value(res.Samples, "probe_imap_messages")
		found, _ := probetest.Value(res.Samples, "probe_imap_search_messages")
		if got := [2]float64{messages, found}; got != want {
			t.Errorf("%s: %v, want %v\n%s", folder, got, want, res.Trace)
		}
	}
}
