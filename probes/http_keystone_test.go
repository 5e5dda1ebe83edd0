// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !noopenstack

package probes

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// fakeKeystone gives the tokens t0ken-1, t0ken-2 and so on to whoever has the secret s3cret, as Keystone does.
type fakeKeystone struct {
	*httptest.Server
	life time.Duration

	mu    sync.Mutex
	asked []string // path, query and body of each request
	given int
	last  string
}

func newKeystone(t testing.TB) *fakeKeystone {
	k := &fakeKeystone{life: time.Hour}
	k.Server = web(t, map[string]http.HandlerFunc{"/v3/auth/tokens": k.v3, "/v2.0/tokens": k.v2, "/identity/v3/auth/tokens": k.v3})
	return k
}

// take notes a request and tells whether it has the secret.
func (k *fakeKeystone) take(w http.ResponseWriter, r *http.Request) (token string, ok bool) {
	body, _ := io.ReadAll(r.Body)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, r.Method+" "+r.URL.RequestURI()+" "+r.UserAgent()+" "+string(body))
	w.Header().Set("Content-Type", "application/json")
	if !strings.Contains(string(body), `"s3cret"`) {
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error":{"code":401,"message":"The request you have made requires authentication.","title":"Unauthorized"}}`)
		return "", false
	}
	k.given++
	k.last = fmt.Sprint("t0ken-", k.given)
	return k.last, true
}

// v3 answers as Keystone 22 does to ?nocatalog. Its clock is years ahead, which must not matter.
func (k *fakeKeystone) v3(w http.ResponseWriter, r *http.Request) {
	token, ok := k.take(w, r)
	if !ok {
		return
	}
	now := time.Now().AddDate(5, 0, 0).UTC()
	w.Header().Set("X-Subject-Token", token)
	w.WriteHeader(http.StatusCreated)
	const form = "2006-01-02T15:04:05.000000Z"
	fmt.Fprintf(w, `{"token":{"methods":["password"],"expires_at":%q,"issued_at":%q,"user":{"name":"admin"}}}`, now.Add(k.life).Format(form), now.Format(form))
}

// v2 answers as the published description of Identity API v2.0 has it.
func (k *fakeKeystone) v2(w http.ResponseWriter, r *http.Request) {
	token, ok := k.take(w, r)
	if !ok {
		return
	}
	now := time.Now().UTC()
	fmt.Fprintf(w, `{"access":{"token":{"issued_at":%q,"expires":%q,"id":%q,"tenant":{"description":null,"enabled":true,"id":"fc394f2ab2df4114bde39905f800dc57",`+
		`"name":"demo"}},"serviceCatalog":[],"user":{"username":"demo","roles_links":[],"id":"9a6590b2ab024747bc2167c4e064d00d","roles":[],"name":"demo"},`+
		`"metadata":{"is_admin":0,"roles":[]}}}`, now.Format("2006-01-02T15:04:05.000000"), now.Add(k.life).Format(time.RFC3339), token)
}

// current is the token given last.
func (k *fakeKeystone) current() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last
}

// requests gives what was asked since the last call.
func (k *fakeKeystone) requests() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	asked := k.asked
	k.asked = nil
	return asked
}

// keys makes an openstack section with a user and a password.
func (k *fakeKeystone) keys() string {
	return "openstack: {auth_url: '" + k.URL + "', username: admin, password: s3cret, user_domain_name: Default}"
}

// remember is fetch with a cache that outlives the probe.
func remember(t testing.TB, m *probe.Module, target probe.Target, cache probe.Store) probe.Result {
	t.Helper()
	return probe.Run(t.Context(), probe.Check{Module: m, Target: target, Timeout: long}, probe.Env{Cache: cache})
}

// TestKeystoneRequests sends what the API wants of each kind of login, and nothing else.
func TestKeystoneRequests(t *testing.T) {
	const scope = `,"scope":{"project":`
	password := func(user string) string {
		return `{"auth":{"identity":{"methods":["password"],"password":{"user":{` + user + `,"password":"s3cret"}}}`
	}
	application := func(what string) string {
		return `{"auth":{"identity":{"application_credential":{` + what + `,"secret":"s3cret"},"methods":["application_credential"]}}}`
	}
	file := probetest.WriteFile(t, "secret", []byte("s3cret\n"))
	credentials := Credentials{{Name: "ops", Account: Account{Username: "me", Password: "s3cret"}}, {Name: "bare", Account: Account{Password: "s3cret"}}}
	for _, test := range []struct{ path, keys, want string }{
		{"", "username: a, password: s3cret, user_domain_name: D", "/v3/auth/tokens?nocatalog " + password(`"domain":{"name":"D"},"name":"a"`) + `}}`},
		{"/", "username: a, password_file: " + file + ", user_domain_id: d", "/v3/auth/tokens?nocatalog " + password(`"domain":{"id":"d"},"name":"a"`) + `}}`},
		{"/identity/", "user_id: u, password: s3cret", "/identity/v3/auth/tokens?nocatalog " + password(`"id":"u"`) + `}}`},
		{"/v3", "user_id: u, password: s3cret, project_id: p", "/v3/auth/tokens?nocatalog " + password(`"id":"u"`) + scope + `{"id":"p"}}}}`},
		{"/v3/", "user_id: u, password: s3cret, project_name: p, project_domain_name: D",
			"/v3/auth/tokens?nocatalog " + password(`"id":"u"`) + scope + `{"domain":{"name":"D"},"name":"p"}}}}`},
		{"/v3", "user_id: u, password: s3cret, project_name: p, project_domain_id: d",
			"/v3/auth/tokens?nocatalog " + password(`"id":"u"`) + scope + `{"domain":{"id":"d"},"name":"p"}}}}`},
		{"/v3", "credential: ops, user_domain_name: D", "/v3/auth/tokens?nocatalog " + password(`"domain":{"name":"D"},"name":"me"`) + `}}`},
		{"/v3", "credential: bare, user_id: u", "/v3/auth/tokens?nocatalog " + password(`"id":"u"`) + `}}`},
		{"", "application_credential_id: i, application_credential_secret: s3cret", "/v3/auth/tokens?nocatalog " + application(`"id":"i"`)},
		{"", "application_credential_name: n, application_credential_secret_file: " + file + ", user_id: u",
			"/v3/auth/tokens?nocatalog " + application(`"name":"n","user":{"id":"u"}`)},
		{"", "application_credential_name: n, application_credential_secret: s3cret, username: a, user_domain_id: d",
			"/v3/auth/tokens?nocatalog " + application(`"name":"n","user":{"domain":{"id":"d"},"name":"a"}`)},
		{"/v2.0", "username: a, password: s3cret, tenant_name: t", `/v2.0/tokens {"auth":{"passwordCredentials":{"password":"s3cret","username":"a"},"tenantName":"t"}}`},
		{"", "identity_api_version: 2, credential: ops, tenant_id: t", `/v2.0/tokens {"auth":{"passwordCredentials":{"password":"s3cret","username":"me"},"tenantId":"t"}}`},
	} {
		k := newKeystone(t)
		service := web(t, map[string]http.HandlerFunc{"/": echoHeader(authTokenHeader)})
		m := httpModule(t, "fail_if_body_not_matches_regexp: [t0ken-1]\nopenstack: {auth_url: '"+k.URL+test.path+"', "+test.keys+"}", Options{Credentials: credentials})
		res := remember(t, m, probe.NewTarget(service.URL), nil)
		if !res.Success() {
			t.Errorf("%s: %s\n%s", test.keys, res.Err, res.Trace)
		}
		if got := strings.Join(k.requests(), "\n"); !sameRequest(got, "POST "+strings.Replace(test.want, " ", " skywatch ", 1)) {
			t.Errorf("%s asks with\n%s, want\n%s", test.keys, got, test.want)
		}
		wantSecretFree(t, res, "s3cret")
		wantSecretFree(t, res, "t0ken-1")
		if len(res.Logins) != 1 || !res.Logins[0].Accepted || res.Logins[0].Secret != "s3cret" || "http://"+res.Logins[0].Address != k.URL {
			t.Errorf("%s: logins %+v, want one that was accepted", test.keys, res.Logins)
		}
	}
}

// sameRequest compares requests whose last word is a JSON text.
func sameRequest(got, want string) bool {
	head := func(text string) (string, any) {
		before, body, _ := strings.Cut(text, " {")
		var value any
		json.Unmarshal([]byte("{"+body), &value)
		return before, value
	}
	gotHead, gotBody := head(got)
	wantHead, wantBody := head(want)
	return gotHead == wantHead && gotBody != nil && cmp.Equal(gotBody, wantBody)
}

// TestKeystoneFailures tells what Keystone did wrong from what the service does, and a refused secret from everything else.
func TestKeystoneFailures(t *testing.T) {
	answers := func(status int, header, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if name, value, ok := strings.Cut(header, ": "); ok {
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	const token, message = "X-Subject-Token: t0ken-1", `{"error":{"code":4,"message":"why","title":"T"}}`
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		reason probe.Reason
		want   string
		logins string
	}{
		{"refused", answers(401, "", message), probe.ReasonAuth, ` as "admin": Keystone refused with status 401 and "why", want a token`, "refused"},
		{"refused by something else", answers(401, "", "<html>"), probe.ReasonAuth, ` as "admin": Keystone refused with status 401 and "<html>", want a token`, "refused"},
		{"more factors", answers(401, "Openstack-Auth-Receipt: r", message), probe.ReasonConfig,
			` as "admin": Keystone wants more than one proof, want a user for whom one is enough`, ""},
		{"invalid", answers(400, "", message), probe.ReasonConfig, `: Keystone takes the parameters for invalid: status 400 and "why", want a token`, ""},
		{"invalid elsewhere", answers(400, "", "no"), probe.ReasonResponse, `: status 400 from Keystone and "no", want a token`, ""},
		{"forbidden", answers(403, "", message), probe.ReasonResponse, `: status 403 from Keystone and "why", want a token`, ""},
		{"not there", answers(404, "", "404"), probe.ReasonResponse, `: status 404 from Keystone and "404", want a token`, ""},
		{"too many", answers(429, "Retry-After: 1", "later"), probe.ReasonResponse, `: status 429 from Keystone and "later", want a token`, ""},
		{"broken", answers(503, "", ""), probe.ReasonResponse, `: status 503 from Keystone and "", want a token`, ""},
		{"choices", answers(300, "Location: /v3/", "{}"), probe.ReasonResponse,
			`: status 300 from Keystone, to "/v3/", where the password is not sent, want an auth_url that gives a token`, ""},
		{"redirect", answers(307, "Location: http://b.example/v3", ""), probe.ReasonResponse,
			`: status 307 from Keystone, to "http://b.example/v3", where the password is not sent, want an auth_url that gives a token`, ""},
		{"empty", answers(201, token, ""), probe.ReasonProtocol, `: the answer has no token: EOF, want one`, ""},
		{"garbage", answers(201, token, "hello"), probe.ReasonProtocol, `: the answer has no token: invalid character 'h' looking for beginning of value, want one`, ""},
		{"list", answers(201, token, "[]"), probe.ReasonProtocol,
			`: the answer has no token: json: cannot unmarshal array into Go value of type map[string]interface {}, want one`, ""},
		{"other document", answers(201, token, `{"a":1}`), probe.ReasonProtocol, `: the answer has no token: expected response key "token" not found in response, want one`, ""},
		{"no header", answers(201, "", `{"token":{}}`), probe.ReasonProtocol, `: the answer has no token: there is none that a header can carry, want one`, ""},
		{"strange header", answers(201, "X-Subject-Token: t\x01", `{"token":{}}`), probe.ReasonProtocol,
			`: malformed MIME header line: "X-Subject-Token: t\x01", want a response`, ""},
		{"closed", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, probe.ReasonProtocol, `: the connection was closed, want a response`, ""},
		{"cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "{")
			panic(http.ErrAbortHandler)
		}, probe.ReasonProtocol, `: the connection was closed, want a response`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var asked atomic.Int64
			k := web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) { asked.Add(1); test.answer(w, r) }})
			service := web(t, map[string]http.HandlerFunc{"/": func(http.ResponseWriter, *http.Request) { t.Error("the service was asked without a token") }})
			cache := new(probe.MemoryStore)
			res := remember(t, httpModule(t, (&fakeKeystone{Server: k}).keys(), Options{}), probe.NewTarget(service.URL), cache)
			want := fmt.Sprintf("fetching %q: authenticating at %q%s", service.URL, k.URL, test.want)
			wantOutcome(t, res, test.reason, want, "")
			wantSeries(t, res, map[string]string{"http_openstack_failure_info{keystone}": "1", "http_openstack_failure_info{service}": "absent",
				"http_duration_seconds{auth}": "0", "http_status_code": "0"})
			if asked.Load() != 1 {
				t.Errorf("Keystone was asked %d times, want once", asked.Load())
			}
			logins := ""
			for _, l := range res.Logins {
				logins += map[bool]string{true: "accepted", false: "refused"}[l.Accepted]
			}
			if logins != test.logins {
				t.Errorf("logins %q, want %q", logins, test.logins)
			}
		})
	}
}
