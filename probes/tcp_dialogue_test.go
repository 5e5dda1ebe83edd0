// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"strings"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// probeTCP probes a scripted server with a tcp section.
func probeTCP(t testing.TB, section string, timeout time.Duration, script ...probetest.Step) probe.Result {
	t.Helper()
	return runProbe(t, t.Context(), testModule(t, Options{}, "tcp", section), probetest.Serve(t, script...).Addr, timeout)
}

const regexFlag, bytesFlag = "probe_failed_due_to_regex", "probe_failed_due_to_bytes"

func TestTCPDialogue(t *testing.T) {
	send, line := probetest.Send, probetest.Line
	for _, test := range []struct {
		name    string
		section string
		script  []probetest.Step
		reason  probe.Reason
		err     string // after the address
		regex   float64
		bytes   float64
	}{
		{name: "silent server, no dialogue", section: `{}`, script: []probetest.Step{probetest.Silence()}},
		{name: "peer closes without match", section: `{query_response: [{expect: "^220"}]}`, script: []probetest.Step{send("500 no\r\n421 bye\r\n")},
			reason: probe.ReasonResponse, err: `connection closed, got last "421 bye", want a line that matches "^220"`, regex: 1},
		{name: "peer closes at once", section: `{query_response: [{expect: "^220"}]}`,
			reason: probe.ReasonProtocol, err: `connection closed, got nothing, want a line that matches "^220"`, regex: 1},
		{name: "peer stays silent", section: `{query_response: [{expect: "^220"}]}`, script: []probetest.Step{probetest.Silence()},
			reason: probe.ReasonTimeout, err: `no more in time, got nothing, want a line that matches "^220"`},
		{name: "lines before the match are skipped", section: `{query_response: [{expect: "^220"}]}`, script: []probetest.Step{send("a\nb\n\n220 x\n")}},
		{name: "match is not anchored", section: `{query_response: [{expect: "22"}]}`, script: []probetest.Step{send("a 220 x\n")}},
		{name: "one CR is dropped", section: `{query_response: [{expect: "^a\\r$"}]}`, script: []probetest.Step{send("a\r\r\n")}},
		{name: "unterminated banner, peer closes", section: `{query_response: [{expect: "^SSH"}]}`, script: []probetest.Step{send("SSH-2.0")}},
		{name: "unterminated banner, peer stays", section: `{query_response: [{expect: "^SSH"}]}`, script: []probetest.Step{send("SSH-2.0"), probetest.Silence()},
			reason: probe.ReasonTimeout, err: `no more in time, got "SSH-2.0", want a line that matches "^SSH"`},
		{name: "line of 70000 bytes", section: `{query_response: [{expect: "x"}]}`, script: []probetest.Step{send(strings.Repeat("x", 70000) + "\n")},
			reason: probe.ReasonProtocol, err: `line longer than 65535 bytes, got "` + strings.Repeat("x", 300) + `"..., want a line that matches "x"`},
		{name: "longest line", section: `{query_response: [{expect: "^x{3}"}]}`, script: []probetest.Step{send(strings.Repeat("x", 65535) + "\n")}},
		{name: "send expands", section: `{query_response: [{send: "a$1b"}, {expect: "a(.*)b", send: "x$1y${1}z$$"}, {expect: "(?P<who>\\w+)$", send: "to ${who}\r"}]}`,
			script: []probetest.Step{line("a$1b\n"), send("a$1b\n"), line("x$1z$\n"), send("i am joe\n"), line("to joe\r\n")}},
		{name: "send that expands to nothing", section: `{query_response: [{expect: "^a(.*)", send: "$1"}, {send: "end"}]}`, script: []probetest.Step{send("a\n"), line("end\n")}},
		{name: "bytes match", section: `{query_response: [{expect_bytes: "+OK"}]}`, script: []probetest.Step{send("+OK and more"), probetest.Silence()}},
		{name: "bytes differ", section: `{query_response: [{expect_bytes: "+OK"}]}`, script: []probetest.Step{send("-ERR")},
			reason: probe.ReasonResponse, err: `found "-ER", want the bytes "+OK"`, bytes: 1},
		{name: "too few bytes", section: `{query_response: [{expect_bytes: "+OK"}]}`, script: []probetest.Step{send("+O")},
			reason: probe.ReasonResponse, err: `connection closed, got "+O", want the bytes "+OK"`},
		{name: "no bytes", section: `{query_response: [{expect_bytes: "+OK"}]}`, script: []probetest.Step{probetest.Silence()},
			reason: probe.ReasonTimeout, err: `no more in time, got nothing, want the bytes "+OK"`},
		{name: "no bytes after lines", section: `{query_response: [{expect: "^b"}, {expect_bytes: "+OK"}]}`, script: []probetest.Step{send("a\nb\n")},
			reason: probe.ReasonResponse, err: `connection closed, got last "b", want the bytes "+OK"`},
		{name: "bytes after a line", section: `{query_response: [{expect: "^a$"}, {expect_bytes: "bc"}, {expect: "^d$"}]}`, script: []probetest.Step{send("a\nbcd\n"), probetest.Silence()}},
		{name: "empty expect matches any line", section: `{query_response: [{expect: ""}]}`, script: []probetest.Step{send("x\n")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inTime(t, test.reason, func(t testing.TB, timeout time.Duration) {
				res := probeTCP(t, test.section, timeout, test.script...)
				if res.Reason != test.reason || !strings.HasSuffix(res.Err, test.err) {
					t.Errorf("%q: %s, want %q: %s", res.Reason, res.Err, test.reason, test.err)
				}
				wantValues(t, res, map[string]float64{regexFlag: test.regex, bytesFlag: test.bytes, "probe_expect_info": -1})
			})
		})
	}
}

// TestTCPErrorText shows a whole error once.
func TestTCPErrorText(t *testing.T) {
	server := probetest.Serve(t, probetest.Send("421 busy\r\n"))
	m := testModule(t, Options{}, "tcp", `{query_response: [{expect: "^4"}, {expect: "^220"}]}`)
	res := runProbe(t, t.Context(), m, server.Addr, long)
	want := `step 2: reading from "` + server.Addr + `": connection closed, got last "421 busy", want a line that matches "^220"`
	if res.Err != want {
		t.Errorf("err %s\nwant %s", res.Err, want)
	}
}

func TestTCPLabels(t *testing.T) {
	banner := probetest.Send("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\nweb\xff shop\r\n")
	for _, test := range []struct{ section, want string }{
		{`{query_response: [{expect: "^SSH-2.0-([^ -]+)(?: (.*))?$", labels: [{name: ssh_version, value: "$1"}, {name: ssh_comments, value: "$2"}]}]}`,
			`probe_expect_info{ssh_comments="Debian-2",ssh_version="OpenSSH_9.2p1"} 1`},
		{`{query_response: [{expect: "^SSH-(.*?)-", labels: [{name: version, value: "$1"}]}, {expect: "^web(.*)$", labels: [{name: "a-b c", value: "${1}!"}]}]}`,
			`probe_expect_info{a-b c="` + "\uFFFD shop!" + `",version="2.0"} 1`},
		{`{query_response: [{expect: "^SSH", labels: [{name: version, value: a}]}, {expect: "^nothing", labels: [{name: other, value: b}]}]}`,
			`probe_expect_info{other="",version="a"} 1`},
		{`{query_response: [{expect: "^SSH", labels: [{name: same, value: a}]}, {expect: "^web", labels: [{name: same, value: b}]}]}`, `probe_expect_info{same="b"} 1`},
		{`{query_response: [{expect: "^nothing", labels: [{name: version, value: a}]}]}`, ""},
		{`{query_response: [{send: x, labels: [{name: version, value: a}]}]}`, ""},
	} {
		res := probeTCP(t, test.section, long, banner)
		text := probetest.Exposition(res.Samples)
		if !strings.Contains(text, test.want) || test.want == "" && strings.Contains(text, "probe_expect_info") {
			t.Errorf("%s gives\n%swant %s", test.section, text, test.want)
		}
	}
}

func TestTCPFacts(t *testing.T) {
	res := probeTCP(t, `{query_response: [{expect: "^2"}, {send: hello}, {expect: "^3"}]}`, long,
		probetest.Send("220 ready\r\n"), probetest.Line("hello\n"), probetest.Send("350 id 7\r\n"))
	want := []probe.Fact{{Key: "address", Value: "127.0.0.1"}, {Key: "banner", Value: "220 ready"}}
	if len(res.Facts) != 2 || res.Facts[0] != want[0] || res.Facts[1] != want[1] {
		t.Errorf("facts %v, want %v", res.Facts, want)
	}
}

// TestTCPSecretAtTheCut: what an error quotes is cut, and a secret at the cut must not be halved.
func TestTCPSecretAtTheCut(t *testing.T) {
	m := *testModule(t, Options{}, "tcp", `{query_response: [{expect: "^220"}]}`)
	m.Secrets = []probe.Secret{"hunter22hunter22"}
	server := probetest.Serve(t, probetest.Send(strings.Repeat("x", 292)+"hunter22hunter22\r\n"))
	res := runProbe(t, t.Context(), &m, server.Addr, long)
	if strings.Contains(res.Err, "hunt") || res.Reason != probe.ReasonResponse {
		t.Errorf("%s: %s", res.Reason, res.Err)
	}
}

func TestTCPRefused(t *testing.T) {
	for section, want := range map[string]string{
		`{query_response: [{expect: "", expect_bytes: x}]}`:                 `query_response: entry 1: both expect and expect_bytes given, want at most one`,
		`{query_response: [{send: a}, {labels: [{value: x}]}]}`:             `query_response: entry 2: labels: found the name "", want UTF-8 text that does not begin with __`,
		`{query_response: [{labels: [{name: __name__}]}]}`:                  `query_response: entry 1: labels: found the name "__name__", want UTF-8 text that does not begin with __`,
		`{query_response: [{labels: [{name: a}, {name: a}]}]}`:              `query_response: entry 1: labels: "a" given twice, want each name once`,
		`{tls: true, query_response: [{starttls: true}]}`:                   `query_response: entry 1: starttls on a connection that has TLS already, want it once and without tls`,
		`{query_response: [{starttls: true}, {send: x}, {starttls: true}]}`: `query_response: entry 3: starttls on a connection that has TLS already, want it once and without tls`,
		`{source_ip_address: nowhere}`:                                      `source_ip_address: found "nowhere", want an IP address`,
		`{tls_config: {cert: x}}`:                                           `tls_config: cert without key, want exactly one of key and key_file with a client certificate`,
	} {
		_, err := buildModules(t, Options{}, "modules: {m: {prober: tcp, tcp: "+section+"}}")
		if want = `module "m": line 1: tcp: ` + want; err == nil || err.Error() != want {
			t.Errorf("%s gives %v\nwant %s", section, err, want)
		}
	}
}
