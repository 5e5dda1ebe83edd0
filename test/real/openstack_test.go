// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"skywatch/internal/probetest"
)

// watched is a way to Keystone that knows what went by.
type watched struct {
	*httptest.Server
	port   int
	longer bool // whether tokens are said to live a year longer than they do

	mu       sync.Mutex
	requests map[string]int
	tokens   []string
}

var expiry = regexp.MustCompile(`"expires_at": "(\d+)-`)

// newWatched opens the way; it speaks TLS when there is a CA.
func newWatched(t *testing.T, port int, ca *probetest.CA) *watched {
	t.Helper()
	w := &watched{port: port, requests: map[string]int{}}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address(port)})
	proxy.Transport = &http.Transport{DisableKeepAlives: true}
	proxy.ModifyResponse = w.pass
	w.Server = httptest.NewUnstartedServer(proxy)
	w.Server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if ca == nil {
		w.Server.Start()
	} else {
		w.Server.TLS = probetest.Config(ca.Good())
		w.Server.StartTLS()
	}
	t.Cleanup(w.Server.Close)
	return w
}

// pass notes an answer on its way.
func (w *watched) pass(resp *http.Response) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests[fmt.Sprint(resp.Request.Method, " ", resp.Request.URL.Path, " ", resp.StatusCode)]++
	if token := resp.Header.Get("X-Subject-Token"); token != "" {
		w.tokens = append(w.tokens, token)
	}
	if !w.longer {
		return nil
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	body = expiry.ReplaceAllFunc(body, func(found []byte) []byte {
		year, err := strconv.Atoi(string(expiry.FindSubmatch(found)[1]))
		if err != nil {
			return found
		}
		return fmt.Appendf(nil, `"expires_at": "%d-`, year+1)
	})
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// seen tells how often there was a request with an answer, such as "POST /v3/auth/tokens 201".
func (w *watched) seen(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests[what]
}

const (
	gaveToken    = "POST /v3/auth/tokens 201"
	gaveProjects = "GET /v3/projects 200"
	refusedToken = "GET /v3/projects 401"
	adminOfAll   = "user_domain_name: Default, project_name: admin, project_domain_name: Default"
)

// openStackModule gives a module that asks the Keystone at url.
func openStackModule(name, timeout, url, keys, more string) string {
	return fmt.Sprintf("  %s: {prober: http, timeout: %s, http: {%s openstack: {auth_url: %q, %s}}}\n", name, timeout, more, url, keys)
}

// asAdmin makes a request of Keystone's API with a token of its own, and gives the answer.
func asAdmin(t *testing.T, port int, method, path, body string, token ...string) (answer map[string]any, header http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+address(port)+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i, name := range []string{"X-Auth-Token", "X-Subject-Token"}[:len(token)] {
		req.Header.Set(name, token[i])
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %v, status %d, %s", method, path, err, resp.StatusCode, text)
	}
	json.Unmarshal(text, &answer)
	return answer, resp.Header
}

// adminToken logs in, and gives the token and the ID of the user.
func adminToken(t *testing.T, port int) (token, user string) {
	t.Helper()
	const login = `{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"admin","domain":{"name":"Default"},"password":"Admin-pw1"}}},` +
		`"scope":{"project":{"name":"admin","domain":{"name":"Default"}}}}}`
	answer, header := asAdmin(t, port, "POST", "/v3/auth/tokens", login)
	return header.Get("X-Subject-Token"), answer["token"].(map[string]any)["user"].(map[string]any)["id"].(string)
}

// wantPart checks which part of a probe failed, and that the error says it.
func wantPart(t *testing.T, o outcome, part, text string) {
	t.Helper()
	if o.Metrics["probe_http_openstack_failure_info{part=\""+part+"\"}"] != 1 || !strings.Contains(o.Error, text) {
		t.Errorf("failed with %s\nwant part %s and %q\n%s", o.Error, part, text, o.Trace)
	}
}

// TestOpenStack has the real Keystone both as the one who gives tokens and as the service that wants them. Its database takes long to
// make, hence one for all.
func TestOpenStack(t *testing.T) {
	p := newPeers(t)
	port := probetest.HoldPort()
	keystone := p.keystone(port)
	keystone.start()
	t.Run("matrix", func(t *testing.T) { openStackMatrix(t, p, keystone, port) })
	t.Run("token", func(t *testing.T) { openStackToken(t, port) })
	keystone.stop()
	t.Setenv("KEYSTONE_TOKEN_SECONDS", "20") // longer than a probe takes, on a slow machine too
	keystone.start()
	t.Run("expiry", func(t *testing.T) { openStackExpiry(t, port) })
}

// openStackMatrix is what a prober that logs in must pass.
func openStackMatrix(t *testing.T, p *peers, keystone *server, port int) {
	auth := "http://" + address(port) + "/v3"
	projects := "http://" + address(port) + "/v3/projects"
	token, user := adminToken(t, port)
	application, _ := asAdmin(t, port, "POST", "/v3/users/"+user+"/application_credentials", `{"application_credential":{"name":"skywatch"}}`, token)
	made := application["application_credential"].(map[string]any)
	id, secret := made["id"].(string), made["secret"].(string)
	ca := probetest.NewCA(t)
	secure := newWatched(t, port, ca)
	asking := freezing(t, keystone, port, func(toServer, _ []byte) bool { return bytes.Contains(toServer, []byte("POST /v3/auth")) })
	gone := probetest.RefusedAddr(t)
	modules := openStackModule("admin", "60s", auth, "credential: good, "+adminOfAll, "") +
		openStackModule("any_version", "60s", "http://"+address(port), "credential: good, "+adminOfAll, "") +
		openStackModule("unscoped", "60s", auth, "credential: good, user_domain_name: Default", "") +
		openStackModule("refused", "60s", auth, "credential: bad, "+adminOfAll, "") +
		openStackModule("reader", "60s", auth, "username: watch, password: Watch-pw1, user_domain_id: default, project_name: ops, project_domain_id: default", "") +
		openStackModule("by_id", "60s", auth, "user_id: "+user+", password: Admin-pw1, project_name: admin, project_domain_name: Default", "") +
		openStackModule("application", "60s", auth, "application_credential_id: "+id+", application_credential_secret: "+secret, "") +
		openStackModule("application_by_name", "60s", auth, "application_credential_name: skywatch, user_id: "+user+", application_credential_secret: "+secret, "") +
		openStackModule("application_refused", "60s", auth, "application_credential_id: "+id+", application_credential_secret: "+wrongPassword, "") +
		openStackModule("no_project", "60s", auth, "credential: good, user_domain_name: Default, project_name: none, project_domain_name: Default", "") +
		openStackModule("secure", "60s", secure.URL, "credential: good, "+adminOfAll, "tls_config: {ca_file: "+ca.File()+"},") +
		openStackModule("strange", "60s", secure.URL, "credential: good, "+adminOfAll+", tls_config: {ca_file: "+probetest.NewCA(t).File()+"}", "") +
		openStackModule("brief", "10s", "http://"+asking.addr, "credential: good, "+adminOfAll, "") +
		openStackModule("gone", "60s", "http://"+gone, "credential: good, "+adminOfAll, "") +
		openStackModule("brief_service", "20s", auth, "credential: good, "+adminOfAll, "") +
		"  bad_token: {prober: http, timeout: 60s, http: {headers: {X-Auth-Token: bad}, valid_status_codes: [401]}}\n"
	c := newCommand(t, p.dir, modules, "admin", "Admin-pw1")
	for _, module := range []string{"admin", "any_version", "by_id", "application", "application_by_name", "secure", "bad_token"} {
		c.want(module, projects, "")
	}
	wantPart(t, c.want("refused", projects, "auth"), "keystone", `" as "admin": Keystone refused with status 401 and "The request you have made requires authentication.", want a token`)
	wantPart(t, c.want("application_refused", projects, "auth"), "keystone", "Keystone refused with status 401")
	wantPart(t, c.want("no_project", projects, "auth"), "keystone", "Keystone refused with status 401")
	wantPart(t, c.want("reader", projects, "response"), "service", "status 403 from the service, want 200 to 299")
	c.want("unscoped", "http://"+address(port)+"/v3/auth/projects", "")
	wantPart(t, c.want("strange", projects, "tls"), "keystone", "TLS handshake: ")
	wantPart(t, c.want("gone", projects, "connect"), "keystone", "authenticating at ")
	wantPart(t, c.want("admin", "http://"+gone, "connect"), "service", "fetching ")

	wantPart(t, c.want("brief", projects, "timeout"), "keystone", "no response in time, want a response")
	asking.thaw()
	eventually(t, "Keystone after it was frozen", keystone.ready)
	serving := freezing(t, keystone, port, func(toServer, _ []byte) bool { return bytes.Contains(toServer, []byte("GET /v3/projects")) })
	wantPart(t, c.want("brief_service", "http://"+serving.addr+"/v3/projects", "timeout"), "service", "no response in time, want a response")
	serving.thaw()
	eventually(t, "Keystone after it was frozen", keystone.ready)

	keystone.stop()
	wantPart(t, c.want("admin", projects, "connect"), "keystone", "connection refused")
	keystone.start()
	c.want("admin", projects, "")
}

// openStackToken shows that a token is kept by the daemon, shared by checks of one module and target, and renewed when it is revoked.
func openStackToken(t *testing.T, port int) {
	w := newWatched(t, port, nil)
	target := w.URL + "/v3/projects"
	check := fmt.Sprintf("module: keystone, target: %q, every: 5s, timeout: 60s, attempts: 1}\n", target)
	d := newDaemon(t, t.TempDir(), "modules:\n"+openStackModule("keystone", "60s", w.URL, "credential: admin, "+adminOfAll, "")+
		"credentials:\n- {name: admin, username: admin, password: Admin-pw1, allow: ['127.0.0.1:*']}\n"+
		"checks:\n- {name: one, "+check+"- {name: two, "+check)
	d.flags = []string{"--log.prober=debug"}
	d.start()
	d.awaitRounds("one", 2)
	d.awaitRounds("two", 2)
	if n := w.seen(gaveToken); n < 1 || n > 2 { // two checks that start at the same time may both ask
		t.Errorf("Keystone gave %d tokens for two checks of one module and target, want one that is shared", n)
	}
	for range 2 {
		if ok, text := askedFor(t, d, target); !ok {
			t.Fatalf("the probe failed:\n%s", text)
		}
	}
	given := w.seen(gaveToken)
	if ok, text := askedFor(t, d, target); !ok || w.seen(gaveToken) != given || !strings.Contains(text, `probe_http_duration_seconds{phase="auth"} 0`+"\n") {
		t.Errorf("the token was not kept: %d given before, %d now\n%s", given, w.seen(gaveToken), text)
	}
	if w.seen(refusedToken) > 0 {
		t.Errorf("something was refused: %v", w.requests)
	}
	admin, _ := adminToken(t, port)
	given = w.seen(gaveToken) // a check may find its token revoked before the request does
	w.mu.Lock()
	tokens := w.tokens
	w.mu.Unlock()
	for _, token := range tokens {
		asAdmin(t, port, "DELETE", "/v3/auth/tokens", "", admin, token)
	}
	if ok, text := askedFor(t, d, target); !ok || w.seen(gaveToken) == given || w.seen(refusedToken) == 0 {
		t.Errorf("a revoked token was not renewed: %v\n%s", w.requests, text)
	}
	d.awaitState("one", 1)
	d.awaitState("two", 1)
	for _, check := range []string{"one", "two"} {
		if n, _, err := d.metric("skywatch_check_failures_total", "check="+strconv.Quote(check)); err != nil || n != 0 {
			t.Errorf("check %s failed %v times (%v), want never", check, n, err)
		}
	}
	noCanaries(t, d, append(w.tokens, "Admin-pw1"))
}

// askedFor requests a probe of the module keystone, as patiently as Keystone is slow.
func askedFor(t *testing.T, d *daemon, target string) (success bool, text string) {
	t.Helper()
	client := &http.Client{Timeout: patience}
	resp, err := client.Get("http://" + address(d.port) + "/probe?module=keystone&target=" + url.QueryEscape(target))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(body), "\nprobe_success 1\n"), string(body)
}

// openStackExpiry has tokens end before their time, as skywatch sees it: the service refuses them, and no probe fails.
func openStackExpiry(t *testing.T, port int) {
	w := newWatched(t, port, nil)
	w.longer = true
	target := w.URL + "/v3/projects"
	d := newDaemon(t, t.TempDir(), "modules:\n"+openStackModule("keystone", "60s", w.URL, "credential: admin, "+adminOfAll, "")+
		"credentials:\n- {name: admin, username: admin, password: Admin-pw1, allow: ['127.0.0.1:*']}\n")
	d.start()
	eventually(t, "a token that ended", func() error {
		if ok, text := askedFor(t, d, target); !ok {
			t.Fatalf("a probe failed:\n%s", text)
		}
		if w.seen(refusedToken) == 0 {
			return fmt.Errorf("the service refused nothing yet")
		}
		return nil
	})
	if given, refused := w.seen(gaveToken), w.seen(refusedToken); given != refused+1 {
		t.Errorf("Keystone gave %d tokens for %d that ended, want one for each and one before", given, refused)
	}
}

// noCanaries searches what the daemon shows and writes.
func noCanaries(t *testing.T, d *daemon, secrets []string) {
	t.Helper()
	shown := tail(d.file("skywatch.log"), 1<<24)
	for _, path := range []string{"/", "/config", "/logs?id=1", "/metrics"} {
		text, err := d.get(path)
		if err != nil && path != "/logs?id=1" {
			t.Error(err)
		}
		shown += text
	}
	for _, secret := range secrets {
		if strings.Contains(shown, secret) {
			t.Errorf("the secret %q is shown", secret)
		}
	}
}
