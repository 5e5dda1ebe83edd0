// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// canary is a secret that is planted in a module, whose server fails and says the secret in every form it can. Another prober that logs in adds
// rows to canaries.
type canary struct {
	name   string // of module and check
	prober string
	keys   string // section of the module in flow style without braces; CANARY stands for the secret, quoted
	secret string // "" = one is made up; a key is too long for that
	serve  func(t *testing.T, secret string, says []string) (target string)

	named     bool      // whether the secret is that of a credential with the name of the row
	elsewhere bool      // whether it is in a file of its own
	parrots   []*parrot // that may have got proofs of it
}

func canaries(t *testing.T) []canary {
	key, line := canaryKey(t)
	all := []canary{
		{name: "http_basic", prober: "http", keys: "basic_auth: {username: watch, password: CANARY}", serve: canaryWeb},
		{name: "http_bearer", prober: "http", keys: "authorization: {credentials: CANARY}", serve: canaryWeb},
		{name: "http_header", prober: "http", keys: "http_headers: {X-Key: {secrets: [CANARY]}}", serve: canaryWeb},
		{name: "http_target", prober: "http", keys: "fail_if_ssl: true", serve: canaryUserinfo},
		{name: "http_regexp", prober: "http", keys: "basic_auth: {username: watch, password: CANARY}, valid_status_codes: [401], fail_if_body_not_matches_regexp: [no]", serve: canaryWeb},
		{name: "websocket", prober: "websocket", keys: "headers: {X-Key: {secrets: [CANARY]}}", serve: canaryWebSocket},
		{name: "ssh_refused", prober: "ssh", keys: "host_key: any, username: watch, password: CANARY", serve: canarySSH(false)},
		{name: "ssh_command", prober: "ssh", keys: "host_key: any, username: watch, password: CANARY, command: x", serve: canarySSH(true)},
		{name: "ssh_wrong_host", prober: "ssh", keys: "host_key: '" + canaryPin + "', username: watch, password: CANARY", serve: canarySSH(true)},
		{name: "ssh_key", prober: "ssh", keys: fmt.Sprintf("host_key: any, username: watch, private_key: %q, passphrase: CANARY", key), serve: canarySSH(false)},
		{name: "ssh_key_text", prober: "ssh", keys: fmt.Sprintf("host_key: any, username: watch, private_key: %q, passphrase: open", key), secret: line, serve: canarySSH(false)},
		{name: "ssh_credential", prober: "ssh", keys: "host_key: any, credential: ssh_credential", named: true, serve: canarySSH(false)},
	}
	for i := range all {
		if all[i].secret == "" {
			all[i].secret = canarySecret(all[i].name, 2*i)
		}
	}
	return append(all, canaryLoginRows(t)...)
}

// canaryForms are the spellings under which the secret is said, and looked for.
func canaryForms(secret string) []string {
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret)))}
	for shift := range 3 { // as it may begin anywhere in a longer text
		encoded := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), secret...))
		forms = append(forms, encoded[(shift*8+5)/6:(shift+len(secret))*8/6])
	}
	return forms
}

// traces are what gives a secret away, be it a part of it: all of them begin and end with the same words.
func (h *canaryHunt) traces() (forms []string) {
	for _, word := range []string{"cana+ry", "kanarienvogel"} {
		forms = append(forms, canaryForms(word)...)
		forms = append(forms, strings.ToUpper(word))
	}
	for _, row := range h.rows {
		if !strings.Contains(row.secret, "cana+ry") && !strings.Contains(row.secret, "kanarienvogel") {
			forms = append(forms, canaryForms(row.secret)...)
		}
		for _, p := range row.parrots {
			forms = append(forms, p.proven()...)
		}
	}
	return forms
}

// canaryHunt looks for all secrets in all that comes out.
type canaryHunt struct {
	t    *testing.T
	rows []canary
	d    *daemon
}

// look searches one text.
func (h *canaryHunt) look(where, text string) {
	h.t.Helper()
	if len(text) == 0 {
		h.t.Errorf("%s is empty, want something to search", where)
	}
	for _, form := range h.traces() {
		if i := strings.Index(text, form); i >= 0 {
			h.t.Errorf("%s shows a secret as %q: %q", where, form, text[max(0, i-200):min(len(text), i+len(form)+100)])
		}
	}
}

// page fetches a page, searches it, and gives it.
func (h *canaryHunt) page(path string) string {
	h.t.Helper()
	text, err := h.d.get(path)
	if err != nil {
		h.t.Errorf("%s: %v", path, err)
	}
	h.look(path, text)
	return text
}

// mostLinked is how many pages of a kind are searched: enough for all moods of a parrot.
const mostLinked = 9

// linked fetches pages that a page has links to.
func (h *canaryHunt) linked(text, pattern string) {
	h.t.Helper()
	found := regexp.MustCompile(pattern).FindAllString(text, -1)
	if len(found) == 0 {
		h.t.Errorf("no link %s, want some", pattern)
	}
	for _, link := range found[:min(len(found), mostLinked)] {
		h.page("/" + strings.ReplaceAll(link, "&amp;", "&"))
	}
}

// TestCanaries plants a secret in every prober that logs in, lets the real daemon check servers that say it back, and searches everything that
// comes out of skywatch for it.
func TestCanaries(t *testing.T) {
	rows, mails := canaries(t), newSink(t)
	dir := t.TempDir()
	targets := make([]string, len(rows))
	for i, row := range rows {
		targets[i] = row.serve(t, row.secret, canaryForms(row.secret))
	}
	h := &canaryHunt{t: t, rows: rows, d: newDaemon(t, dir, canaryConfig(rows, targets, mails.address()))}
	h.d.flags = []string{"--log.level=debug", "--log.prober=debug", "--history.limit=1000", "--web.enable-pprof"}
	h.d.start()
	for _, row := range rows {
		h.d.awaitState(row.name, 0)
		h.d.awaitMetric("each mood of a parrot", func(v float64) bool { return v >= 3 }, "skywatch_check_results_total", "check="+strconv.Quote(row.name))
	}
	h.d.awaitEmptyOutbox()
	h.probes(targets)
	h.commands(targets)
	for _, path := range []string{"/", "/config", "/outages", "/metrics", "/metrics/checks", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline"} {
		h.page(path)
	}
	h.linked(h.page("/"), `logs\?id=\d+`)
	for _, row := range rows {
		h.linked(h.page("/checks/"+row.name), `traces/\d+`)
	}
	h.d.stop(t)
	h.files(dir)
	h.letters(mails)
}

// probes asks for each module by /probe.
func (h *canaryHunt) probes(targets []string) {
	h.t.Helper()
	masked := 0
	for i, row := range h.rows {
		text := h.page("/probe?debug=true&module=" + row.name + "&target=" + url.QueryEscape(targets[i]))
		masked += strings.Count(text, "<secret>")
	}
	if masked < len(h.rows) {
		h.t.Errorf("%d masks on the debug pages, want the servers to have said the secrets", masked)
	}
}

// commands probes each module on the command line, in one of the forms of output.
func (h *canaryHunt) commands(targets []string) {
	h.t.Helper()
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := worker; i < len(h.rows); i += 4 {
				h.command(h.rows[i].name, targets[i], []string{"text", "json"}[i/4%2])
			}
		})
	}
	wg.Wait()
}

func (h *canaryHunt) command(module, target, output string) {
	cmd := exec.Command(os.Getenv("SKYWATCH_BIN"), "--config.file="+h.d.file("skywatch.yml"), "--log.level=debug", "--log.prober=debug",
		"probe", "--output="+output, module, target)
	out, err := cmd.CombinedOutput()
	if err == nil {
		h.t.Errorf("skywatch probe %s succeeds, want it to fail at a parrot", module)
	}
	h.look("skywatch probe --output="+output+" "+module, string(out))
}

// files searches the database and the logs, and as a control finds every secret in the configuration.
func (h *canaryHunt) files(dir string) {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 3 {
		h.t.Fatalf("found %q (%v), want configuration, log and database", files, err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			continue // a lock
		}
		text := readText(h.t, file)
		if filepath.Base(file) != "skywatch.yml" {
			h.look(file, text)
			continue
		}
		for _, row := range h.rows {
			if !row.elsewhere && !slices.ContainsFunc(canaryForms(row.secret), func(form string) bool { return strings.Contains(text, form) }) {
				h.t.Errorf("the secret of %s is not in the configuration, want the search to be able to find it", row.name)
			}
		}
	}
	if !strings.Contains(readText(h.t, filepath.Join(dir, "skywatch.db")), h.rows[0].name) {
		h.t.Error("the database does not know the checks, want their results in it")
	}
}

// letters searches the mails, of which there is one for each check that is down at least in part.
func (h *canaryHunt) letters(mails *sink) {
	h.t.Helper()
	letters, err := mails.received()
	if err != nil {
		h.t.Error(err)
	}
	all := ""
	for _, l := range letters {
		h.look("a mail", l.subject+"\n"+l.text)
		all += l.text
	}
	for _, row := range h.rows {
		if !strings.Contains(all, row.name) {
			h.t.Errorf("no mail speaks of %s, want one", row.name)
		}
	}
}

// canaryConfig has a module and a check for each row.
func canaryConfig(rows []canary, targets []string, smarthost string) string {
	modules, checks, credentials := "", "", ""
	for i, row := range rows {
		modules += fmt.Sprintf("  %s: {prober: %s, timeout: 5s, %s: {%s, preferred_ip_protocol: ip4}}\n", row.name, row.prober, row.prober,
			strings.ReplaceAll(row.keys, "CANARY", strconv.Quote(row.secret)))
		checks += fmt.Sprintf("  - {name: %s, module: %s, target: %q, every: 1s, attempts: 1}\n", row.name, row.name, targets[i])
		if row.named {
			credentials += fmt.Sprintf("  - {name: %s, username: watch, password: %q, allow: ['127.0.0.1:*']}\n", row.name, row.secret)
		}
	}
	return fmt.Sprintf("modules:\n%schecks:\n%scredentials:\n%slogin_guard: {auth_failures_max: 0}\n", modules, checks, credentials) +
		fmt.Sprintf("notifiers:\n  - {name: ops, email: {smarthost: %q, tls: none, from: watch@skywatch.test, to: [ops@skywatch.test]}}\n", smarthost) +
		"alerting: {group_wait: 100ms, retry_min: 200ms, retry_max: 1s}\nhistory: {path: skywatch.db, flush_interval: 1s}\n"
}
