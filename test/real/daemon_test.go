// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"skywatch/internal/probetest"
)

// daemon is the real skywatch with its configuration; it can be killed and started again and again.
type daemon struct {
	*process
	t        *testing.T
	dir      string
	port     int
	env      []string
	flags    []string
	launcher []string // a command that runs the binary, such as smallfs.sh; nil = run it directly
}

// newDaemon writes the configuration; the daemon's files live in dir.
func newDaemon(t *testing.T, dir, config string) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: dir, port: probetest.HoldPort()}
	writeFile(t, d.file("skywatch.yml"), config)
	return d
}

func (d *daemon) file(name string) string { return filepath.Join(d.dir, name) }

// start starts the daemon and waits until it is ready.
func (d *daemon) start() {
	d.t.Helper()
	argv := append(d.launcher, os.Getenv("SKYWATCH_BIN"), "--config.file="+d.file("skywatch.yml"), "--web.listen-address="+address(d.port))
	argv = append(argv, d.flags...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), d.env...)
	d.process = launch(d.t, d.dir, "skywatch", cmd)
	ready := answers200("http://" + address(d.port) + "/-/ready")
	eventually(d.t, "skywatch to be ready", func() error {
		select {
		case <-d.process.done:
			d.t.Fatalf("skywatch ended at once:\n%s", tail(d.file("skywatch.log"), 2000))
		default:
		}
		return ready()
	})
}

// get fetches a page of the daemon.
func (d *daemon) get(path string) (string, error) {
	client := &http.Client{Timeout: patience}
	resp, err := client.Get("http://" + address(d.port) + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("fetching %q: status %d, want 200: %s", path, resp.StatusCode, body)
	}
	return string(body), err
}

// metric sums the samples of a metric that have all the labels, each as name="value"; found is false when there is none.
func (d *daemon) metric(name string, labels ...string) (sum float64, found bool, err error) {
	text, err := d.get("/metrics")
	if err != nil {
		return 0, false, err
	}
	for line := range strings.Lines(text) {
		if !isSample(line, name, labels) {
			continue
		}
		v, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:len(line)-1], 64)
		if err != nil {
			return 0, false, fmt.Errorf("reading metric %q: %w", line, err)
		}
		sum, found = sum+v, true
	}
	return sum, found, nil
}

func isSample(line, name string, labels []string) bool {
	rest, ok := strings.CutPrefix(line, name)
	if !ok || rest[0] != '{' && rest[0] != ' ' {
		return false
	}
	for _, label := range labels {
		if !strings.Contains(rest, label) {
			return false
		}
	}
	return true
}

// awaitMetric waits until a metric satisfies the condition.
func (d *daemon) awaitMetric(what string, ok func(v float64) bool, name string, labels ...string) {
	d.t.Helper()
	eventually(d.t, what, func() error {
		v, found, err := d.metric(name, labels...)
		if err == nil && (!found || !ok(v)) {
			err = fmt.Errorf("%s%q is %v (found: %t)", name, labels, v, found)
		}
		return err
	})
}

// awaitState waits until a check is up (1) or down (0).
func (d *daemon) awaitState(check string, up float64) {
	d.t.Helper()
	d.awaitMetric(fmt.Sprintf("check %q to have skywatch_check_up %v", check, up),
		func(v float64) bool { return v == up }, "skywatch_check_up", "check="+strconv.Quote(check))
}

// awaitRounds waits until a check has been made some more times: long enough for anything that would follow to follow.
func (d *daemon) awaitRounds(check string, n int) {
	d.t.Helper()
	label := "check=" + strconv.Quote(check)
	before, _, err := d.metric("skywatch_check_results_total", label)
	if err != nil {
		d.t.Fatal(err)
	}
	d.awaitMetric(fmt.Sprintf("%d more results of %q", n, check),
		func(v float64) bool { return v >= before+float64(n) }, "skywatch_check_results_total", label)
}

// awaitEmptyOutbox waits until nothing is left to be sent.
func (d *daemon) awaitEmptyOutbox() {
	d.t.Helper()
	eventually(d.t, "the outbox to be empty", func() error {
		open, _, err := d.metric("skywatch_outbox_messages", `state="open"`)
		if err != nil {
			return err
		}
		sealed, _, err := d.metric("skywatch_outbox_messages", `state="sealed"`)
		if err == nil && open+sealed > 0 {
			err = fmt.Errorf("%v open and %v sealed messages, want none", open, sealed)
		}
		return err
	})
}
