// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"skywatch/internal/probetest"
)

const targetsConfig = `
modules:
  site: {prober: http, timeout: 60s, http: {preferred_ip_protocol: ip4}}
checks:
  - name: Websites
    module: site
    every: 1s
    attempts: 1
    targets:
      - {target: "http://%[1]s/"}
      - {target: "http://%[1]s/redir/2", with: {valid_status_codes: [301], follow_redirects: false}}
      - {target: "http://%[1]s/redir/3"}
      - {target: "http://%[1]s/status/503", with: {valid_status_codes: [503]}}
      - {target: "http://%[2]s/status/404", with: {valid_status_codes: [404]}}
notifiers:
  - {name: console, log: {}}
alerting: {group_wait: 10s} # longer than two rounds on the busiest machine: a server may go away within one
history: {path: skywatch.db}
`

// awaitTargets waits until these of the check's five targets are up.
func (d *daemon) awaitTargets(up ...bool) {
	d.t.Helper()
	eventually(d.t, fmt.Sprintf("targets to be %v", up), func() error {
		text, err := d.get("/metrics")
		if err != nil {
			return err
		}
		var got []bool
		for line := range strings.Lines(text) {
			if isSample(line, "skywatch_check_target_up", []string{`check="Websites"`}) {
				got = append(got, strings.HasSuffix(line, " 1\n"))
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(up) {
			return fmt.Errorf("they are %v", got)
		}
		return nil
	})
}

// told waits until as many messages of the subject were sent, by the log of the daemon.
func (d *daemon) told(subject string, times int) {
	d.t.Helper()
	eventually(d.t, fmt.Sprintf("%d messages %q", times, subject), func() error {
		log, err := os.ReadFile(d.file("skywatch.log"))
		if n := strings.Count(string(log), fmt.Sprintf("msg=\"message sent\" notifier=console subject=%q", subject)); err == nil && n != times {
			err = fmt.Errorf("there are %d", n)
		}
		return err
	})
}

// TestManyTargets: two real web servers, each of whose pages must answer with its own status, are one service.
func TestManyTargets(t *testing.T) {
	p := newPeers(t)
	first, second := probetest.HoldPort(), probetest.HoldPort()
	one := p.nginx(first)
	other := newPeers(t).nginx(second)
	one.start()
	other.start()
	d := newDaemon(t, p.dir, fmt.Sprintf(targetsConfig, address(first), address(second)))
	d.start()
	d.awaitState("Websites", 1)
	d.awaitTargets(true, true, true, true, true)

	other.stop()
	d.awaitState("Websites", 0)
	d.awaitTargets(true, true, true, true, false)
	d.told("DOWN Websites", 1)
	one.stop()
	d.awaitTargets(false, false, false, false, false)
	d.told("CHANGED Websites", 1)
	other.start()
	d.awaitTargets(false, false, false, false, true)
	d.told("CHANGED Websites", 2)
	one.start()
	d.awaitState("Websites", 1)
	d.awaitTargets(true, true, true, true, true)
	d.told("UP Websites", 1)
	d.told("CHANGED Websites", 2)
	d.told("DOWN Websites", 1)

	ring := openRing(t, d.file("skywatch.db"), "ro")
	defer ring.db.Close()
	if all, err := ring.transitions(stateDown); err != nil || all["Websites"] < 3 {
		t.Errorf("%v transitions to down, %v, want that of the start and two changes at least", all, err)
	}
}
