// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"skywatch/internal/probetest"
)

// wrongPassword is one that no account has; it may appear nowhere.
const wrongPassword = "canary-wrong-pw-77"

// outcome is what `skywatch probe --output=json` says of a probe.
type outcome struct {
	Verdict string             `json:"verdict"`
	Reason  string             `json:"reason"`
	Error   string             `json:"error"`
	Seconds float64            `json:"duration_seconds"`
	Timeout float64            `json:"timeout_seconds"`
	Metrics map[string]float64 `json:"metrics"`
	Trace   string             `json:"trace"`
}

// command runs probes of the real binary with a configuration of its own.
type command struct {
	t           *testing.T
	dir, config string
}

// newCommand writes the configuration: the modules (YAML, the content of `modules:`), and the credentials good and bad for loopback.
func newCommand(t *testing.T, dir, modules, username, password string) *command {
	t.Helper()
	credential := "- {name: %s, username: %q, password: %q, allow: ['localhost:*', '127.0.0.1:*']}\n"
	return &command{t: t, dir: dir, config: "modules:\n" + modules + "\ncredentials:\n" +
		fmt.Sprintf(credential, "good", username, password) + fmt.Sprintf(credential, "bad", username, wrongPassword)}
}

// file writes the configuration for a probe: with a check, so that secrets which are written in the module may go to the target.
func (c *command) file(module, target string) string {
	c.t.Helper()
	f, err := os.CreateTemp(c.dir, "probe-*.yml")
	if err == nil {
		_, err = fmt.Fprintf(f, "%s\nchecks: [{name: Probe, module: %q, target: %q}]\n", c.config, module, target)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return f.Name()
}

// probe makes one attempt.
func (c *command) probe(module, target string) outcome {
	c.t.Helper()
	cmd := exec.Command(os.Getenv("SKYWATCH_BIN"), "--config.file="+c.file(module, target), "probe", "--output=json", module, target)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Run() // the exit status repeats the verdict
	var o outcome
	if err := json.Unmarshal(out.Bytes(), &o); err != nil {
		c.t.Fatalf("probing %s with %s: %v\n%s%s", target, module, err, out.String(), errs.String())
	}
	if bytes.Contains(out.Bytes(), []byte(wrongPassword)) || bytes.Contains(errs.Bytes(), []byte(wrongPassword)) {
		c.t.Errorf("probing %s with %s shows the password:\n%s%s", target, module, out.String(), errs.String())
	}
	return o
}

// want makes an attempt and checks its outcome; reason "" is success.
func (c *command) want(module, target, reason string) outcome {
	c.t.Helper()
	o := c.probe(module, target)
	c.judge(o, module, target, reason)
	return o
}

// overdue is how long after its deadline a probe may end on a machine that has no time for it just then.
const overdue = 15.0

// judge checks an outcome.
func (c *command) judge(o outcome, module, target, reason string) {
	c.t.Helper()
	if o.Reason != reason || (reason == "") != (o.Verdict == "up") {
		c.t.Errorf("probing %s with %s: verdict %s, reason %q (%s), want reason %q\n%s", target, module, o.Verdict, o.Reason, o.Error, reason, o.Trace)
	}
	if o.Seconds > o.Timeout+overdue {
		c.t.Errorf("probing %s with %s: took %.1f s, want an end by the deadline after %.1f s", target, module, o.Seconds, o.Timeout)
	}
}

// patiently is the name of the module like another one that has time to get to a moment on the busiest machine.
func patiently(module string) string { return module + "_patiently" }

// wantFrozen probes a server that stops at a moment, with a module of little time, and if that was not enough to get there with one that
// has more.
func (c *command) wantFrozen(s *server, port int, module, moment string, when freezeWhen) (o outcome) {
	c.t.Helper()
	for _, module := range []string{module, patiently(module)} {
		f := freezing(c.t, s, port, when)
		o = c.probe(module, f.addr)
		reached := f.isFrozen()
		f.thaw()
		eventually(c.t, s.recipe+" after it was frozen", s.ready)
		if reached {
			c.judge(o, module, f.addr, "timeout")
			return o
		}
	}
	c.t.Errorf("%s was never frozen after %s, want the moment seen: %s\n%s", s.recipe, moment, o.Error, o.Trace)
	return o
}

// matrix is what every prober that logs in must pass against its real server.
type matrix struct {
	prober string
	server *server
	// The section of a module as YAML in flow style without braces: that of TLS, which gets tls_config and credential added, and one
	// without TLS that logs in all the same, on which the freezing moments can be seen in clear.
	secure, clear         string
	securePort, clearPort int
	username, password    string
	greeted, loggedIn     freezeWhen // on the way in clear
	secured               freezeWhen // on the secure way; nil = afterTLS
}

// run goes through the rows. The server is running before and after.
func (m matrix) run(t *testing.T) {
	dir := m.server.peers.dir
	ca := fmt.Sprintf("tls_config: {ca_file: %q, server_name: localhost}", filepath.Join(m.server.peers.pki(), "ca.pem"))
	strange := fmt.Sprintf("tls_config: {ca_file: %q, server_name: localhost}", probetest.NewCA(t).File())
	module := func(name, timeout, section, more string) string {
		return fmt.Sprintf("  %s: {prober: %s, timeout: %s, %s: {%s, %s}}\n", name, m.prober, timeout, m.prober, section, more)
	}
	c := newCommand(t, dir, module("secure", "60s", m.secure, "credential: good, "+ca)+module("refused", "60s", m.secure, "credential: bad, "+ca)+
		module("strange", "60s", m.secure, "credential: good, "+strange)+module("clear", "60s", m.clear, "credential: good")+
		module("brief", "3s", m.clear, "credential: good")+module("brief_secure", "3s", m.secure, "credential: good, "+ca)+
		module(patiently("brief"), "60s", m.clear, "credential: good")+module(patiently("brief_secure"), "60s", m.secure, "credential: good, "+ca),
		m.username, m.password)
	secure, inClear := local(m.securePort), local(m.clearPort)
	c.want("secure", secure, "")
	c.want("clear", inClear, "")
	c.want("refused", secure, "auth")
	c.want("strange", secure, "tls")
	c.wantFrozen(m.server, m.clearPort, "brief", "the greeting", m.greeted)
	secured := m.secured
	if secured == nil {
		secured = afterTLS
	}
	c.wantFrozen(m.server, m.securePort, "brief_secure", "TLS", secured)
	c.wantFrozen(m.server, m.clearPort, "brief", "the login", m.loggedIn)
	m.server.stop()
	c.want("secure", secure, "connect")
	m.server.start()
	c.want("secure", secure, "")
}

func local(port int) string { return net.JoinHostPort("localhost", strconv.Itoa(port)) }
