// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !noopenstack

package probes

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// guarded is a service that answers 200 to the token that was given last, 401 to any other, and 403 at /forbidden.
type guarded struct {
	*httptest.Server
	asked atomic.Int64
	key   *fakeKeystone
}

func newGuarded(t testing.TB, k *fakeKeystone) *guarded {
	g := &guarded{key: k}
	g.Server = web(t, map[string]http.HandlerFunc{
		"/": func(w http.ResponseWriter, r *http.Request) {
			g.asked.Add(1)
			body, _ := io.ReadAll(r.Body)
			if token := r.Header.Get(authTokenHeader); token == "" || token != k.current() {
				w.WriteHeader(http.StatusUnauthorized)
			}
			io.WriteString(w, "got "+string(body))
		},
		"/forbidden": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"/never":     func(w http.ResponseWriter, _ *http.Request) { g.asked.Add(1); w.WriteHeader(http.StatusUnauthorized) },
	})
	return g
}

// TestTokenIsKept for the next probes, whose phase auth is zero, until the service refuses it; then it is renewed once, and the body sent again.
func TestTokenIsKept(t *testing.T) {
	k := newKeystone(t)
	s := newGuarded(t, k)
	m := httpModule(t, "method: POST\nbody: hello\nfail_if_body_not_matches_regexp: [got hello]\n"+k.keys(), Options{})
	cache, target := new(probe.MemoryStore), probe.NewTarget(s.URL)
	for i, want := range []struct{ auth, asked string }{{"T", "1"}, {"0", "0"}, {"0", "0"}} {
		res := remember(t, m, target, cache)
		wantOutcome(t, res, probe.ReasonNone, "", "")
		wantSeries(t, res, map[string]string{"http_duration_seconds{auth}": want.auth, "http_openstack_failure_info{service}": "absent"})
		if asked := fmt.Sprint(len(k.requests())); asked != want.asked || (len(res.Logins) == 1) != (asked == "1") {
			t.Errorf("probe %d: Keystone was asked %s times with the logins %v, want %s", i+1, asked, res.Logins, want.asked)
		}
	}
	k.mu.Lock()
	k.last = "revoked"
	k.mu.Unlock()
	before := s.asked.Load()
	res := remember(t, m, target, cache)
	wantOutcome(t, res, probe.ReasonNone, "", "")
	wantSeries(t, res, map[string]string{"http_duration_seconds{auth}": "T", "http_status_code": "200", "http_redirects": "0"})
	if asked, requests := len(k.requests()), s.asked.Load()-before; asked != 1 || requests != 2 {
		t.Errorf("Keystone was asked %d times and the service %d times, want once and twice", asked, requests)
	}
	wantOutcome(t, remember(t, m, target, cache), probe.ReasonNone, "", "")
	if asked := k.requests(); len(asked) != 0 {
		t.Errorf("the renewed token was not kept: %q", asked)
	}
}

// TestTokenRefusedForGood: a fresh token is not renewed, and a kept one once.
func TestTokenRefusedForGood(t *testing.T) {
	k := newKeystone(t)
	s := newGuarded(t, k)
	m, cache := httpModule(t, k.keys(), Options{}), new(probe.MemoryStore)
	const refused = `fetching "%s/never": status 401 from the service, which refuses a fresh token of Keystone, want 200 to 299`
	for _, keep := range []bool{false, true} {
		if keep {
			wantOutcome(t, remember(t, m, probe.NewTarget(s.URL), cache), probe.ReasonNone, "", "") // the same cache, as if of one target
			k.requests()
		}
		before := s.asked.Load()
		res := remember(t, m, probe.NewTarget(s.URL+"/never"), cache)
		wantOutcome(t, res, probe.ReasonAuth, refused, s.URL)
		wantSeries(t, res, map[string]string{"http_openstack_failure_info{service}": "1", "http_openstack_failure_info{keystone}": "absent"})
		want := int64(1)
		if keep {
			want = 2
		}
		if asked, requests := len(k.requests()), s.asked.Load()-before; asked != 1 || requests != want {
			t.Errorf("Keystone was asked %d times and the service %d times, want 1 and %d", asked, requests, want)
		}
		if len(res.Logins) != 1 || !res.Logins[0].Accepted {
			t.Errorf("logins %+v, want one accepted by Keystone: the service knows no secret", res.Logins)
		}
	}
	res := remember(t, m, probe.NewTarget(s.URL+"/forbidden"), cache)
	wantOutcome(t, res, probe.ReasonResponse, `fetching "%s/forbidden": status 403 from the service, want 200 to 299`, s.URL)
	k.requests()
	res = remember(t, httpModule(t, "valid_status_codes: [401]\n"+k.keys(), Options{}), probe.NewTarget(s.URL+"/never"), cache)
	wantOutcome(t, res, probe.ReasonNone, "", "")
	if asked := k.requests(); len(asked) > 0 {
		t.Errorf("a 401 that is wanted has the token renewed: %q", asked)
	}
}

// TestTokenIsOfOneLogin: another secret, user or Keystone never gets the token of the one before.
func TestTokenIsOfOneLogin(t *testing.T) {
	k, other := newKeystone(t), newKeystone(t)
	s := web(t, map[string]http.HandlerFunc{"/": okBody})
	cache := new(probe.MemoryStore)
	credentials := Credentials{{Name: "ops", Account: Account{Username: "ops", Password: "s3cret"}}}
	target := probe.NewTarget(s.URL)
	asks := func(keys string, target probe.Target, from *fakeKeystone, want int, reason probe.Reason) {
		t.Helper()
		res := remember(t, httpModule(t, keys, Options{Credentials: credentials}), target, cache)
		if asked := from.requests(); len(asked) != want || res.Reason != reason {
			t.Errorf("%s asks %d times and ends with %s (%s), want %d and %s", keys, len(asked), res.Reason, res.Err, want, reason)
		}
	}
	asks(k.keys(), target, k, 1, probe.ReasonNone)
	asks(k.keys(), target, k, 0, probe.ReasonNone)
	asks(strings.Replace(k.keys(), "admin", "other", 1), target, k, 1, probe.ReasonNone)
	asks(strings.Replace(k.keys(), "Default", "other", 1), target, k, 1, probe.ReasonNone)
	asks(other.keys(), target, other, 1, probe.ReasonNone)
	picking := target
	picking.Credential = "ops"
	asks(k.keys(), picking, k, 1, probe.ReasonNone)
	asks(k.keys(), picking, k, 0, probe.ReasonNone)
	asks(k.keys(), target, k, 0, probe.ReasonNone)
	asks(strings.Replace(k.keys(), "s3cret", "wrong", 1), target, k, 1, probe.ReasonAuth)
	for _, key := range []string{"s3cret", "admin", "wrong"} {
		if got, err := cache.Get(key); got != nil || err != nil {
			t.Errorf("%q is a key of the cache", key)
		}
	}
}

// TestTokenNearItsEnd is not used any more; one without an end, or with one that has passed, is not kept at all.
func TestTokenNearItsEnd(t *testing.T) {
	for _, test := range []struct{ life, want time.Duration }{
		{time.Hour, time.Minute}, {10 * time.Minute, time.Minute}, {time.Minute, 6 * time.Second}, {3 * time.Second, 300 * time.Millisecond},
	} {
		if got := renewBefore(test.life); got != test.want {
			t.Errorf("a token that lives %s is renewed %s before its end, want %s", test.life, got, test.want)
		}
	}
	now, salt := time.Now(), []byte("salt")
	kept := keptToken{Salt: salt, Proof: proofOf(salt, "s3cret"), Until: now}
	if kept.usable(now, "s3cret") || !kept.usable(now.Add(-time.Second), "s3cret") || kept.usable(now.Add(-time.Second), "other") {
		t.Error("a token is used past its time or for another secret")
	}
	k := newKeystone(t)
	s := newGuarded(t, k)
	for _, life := range []time.Duration{0, -time.Hour} {
		k.life = life
		cache := new(probe.MemoryStore)
		m := httpModule(t, k.keys(), Options{})
		for range 2 {
			wantOutcome(t, remember(t, m, probe.NewTarget(s.URL), cache), probe.ReasonNone, "", "")
		}
		if asked := k.requests(); len(asked) != 2 {
			t.Errorf("with a life of %s Keystone was asked %d times, want each time", life, len(asked))
		}
	}
}

// TestTokenOnRedirects stays on its host and port, or goes where its credential may.
func TestTokenOnRedirects(t *testing.T) {
	k := newKeystone(t)
	var seen []string
	note := func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(r.Host, ":")
		seen = append(seen, name+" "+r.Header.Get(authTokenHeader))
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}
	}
	s, elsewhere := web(t, map[string]http.HandlerFunc{"/": note}), web(t, map[string]http.HandlerFunc{"/": note})
	secure := secureWeb(t, probetest.NewCA(t), map[string]http.HandlerFunc{"/": note})
	m := httpModule(t, "tls_config: {insecure_skip_verify: true}\n"+k.keys(), Options{})
	a := named(t, s.URL, "a.example")
	for _, test := range []struct {
		from, to string
		want     string // what the second one gets
	}{
		{a, "/next", "a.example T"},
		{a, named(t, s.URL, "www.a.example"), "www.a.example"},
		{a, named(t, s.URL, "b.example"), "b.example"},
		{a, named(t, elsewhere.URL, "a.example"), "a.example"},
		{named(t, secure.URL, "a.example"), a, "a.example"},
		{named(t, secure.URL, "a.example"), "/next", "a.example T"},
		{a, named(t, s.URL, "b.example") + "/?to=" + a, "b.example"},
	} {
		seen = nil
		wantOutcome(t, fetch(t, m, test.from+"/?to="+test.to), probe.ReasonNone, "", "")
		got := strings.TrimSpace(strings.ReplaceAll(seen[1], k.current(), "T"))
		if got != test.want || !strings.HasPrefix(seen[0], "a.example t0ken-") {
			t.Errorf("from %s to %s: saw %q, want the second as %q", test.from, test.to, seen, test.want)
		}
		if len(seen) == 3 && seen[2] != "a.example " {
			t.Errorf("back from a foreign host: %q, want no token", seen[2])
		}
	}
	port := parsed(t, s.URL).Port()
	credentials := Credentials{{Name: "ops", Account: Account{Username: "a", Password: "s3cret"}, Allow: []string{"a.example:" + port, "127.0.0.1:*"}}}
	m = httpModule(t, "openstack: {auth_url: '"+k.URL+"', credential: ops, user_domain_name: D}", Options{Credentials: credentials})
	seen = nil
	wantOutcome(t, fetch(t, m, a+"/?to="+named(t, s.URL, "www.a.example")), probe.ReasonNone, "", "")
	if len(seen) != 2 || seen[1] != "www.a.example " {
		t.Errorf("a host that the credential does not allow: saw %q, want no token there", seen)
	}
	credentials[0].Allow = append(credentials[0].Allow, "www.a.example:"+port)
	seen = nil
	wantOutcome(t, fetch(t, m, a+"/?to="+named(t, s.URL, "www.a.example")), probe.ReasonNone, "", "")
	if len(seen) != 2 || !strings.HasPrefix(seen[1], "www.a.example t0ken-") {
		t.Errorf("a host that the credential allows: saw %q, want a token there", seen)
	}
	for _, test := range []struct {
		first, next string
		want        bool
	}{
		{"http://h/", "https://h/", true}, {"http://h:80/", "https://h:443/", true}, {"https://h/", "https://h:443/", true},
		{"http://h/", "https://h:8443/", false}, {"http://h:81/", "https://h/", false}, {"http://h:1/", "http://h:2/", false}, {"https://h/", "http://h/", false},
	} {
		if got := samePort(parsed(t, test.first), parsed(t, test.next)); got != test.want {
			t.Errorf("from %s to %s: %v, want %v", test.first, test.next, got, test.want)
		}
	}
}

// TestKeystoneIsAskedOncePerAttempt when it refuses, however many addresses the target has.
func TestKeystoneIsAskedOncePerAttempt(t *testing.T) {
	k := newKeystone(t)
	s := web(t, map[string]http.HandlerFunc{"/": okBody})
	resolver := testResolver{"127.0.0.1": {"127.0.0.1"}, "many.example": {"127.0.0.1", "127.0.0.2", "127.0.0.3"}}
	for _, which := range []string{"any", "all"} {
		m := httpModule(t, "addresses: "+which+"\n"+strings.Replace(k.keys(), "s3cret", "wrong", 1), Options{Resolver: resolver})
		res := fetch(t, m, named(t, s.URL, "many.example"))
		if asked := len(k.requests()); asked != 1 || res.Reason != probe.ReasonAuth || len(res.Logins) != 1 {
			t.Errorf("%s: asked %d times, %d logins, %s: %s, want one refusal", which, asked, len(res.Logins), res.Reason, res.Err)
		}
	}
}

// TestTokenSharedByManyProbes at the same time: each has a token that works, and those that come later ask nobody.
func TestTokenSharedByManyProbes(t *testing.T) {
	k := newKeystone(t)
	s := web(t, map[string]http.HandlerFunc{"/": echoHeader(authTokenHeader)})
	m, cache := httpModule(t, k.keys(), Options{}), new(probe.MemoryStore)
	for round := range 2 {
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() { wantOutcome(t, remember(t, m, probe.NewTarget(s.URL), cache), probe.ReasonNone, "", "") })
		}
		group.Wait()
		if asked := len(k.requests()); round == 1 && asked != 0 || asked > 8 {
			t.Errorf("round %d: Keystone was asked %d times", round+1, asked)
		}
	}
}

// TestOpenStackParamsOfTrust: no request decides which server the target's name is, for that gets the token.
func TestOpenStackParamsOfTrust(t *testing.T) {
	wantTrust(t, "http", `openstack: {auth_url: "http://k/", username: u, password: p, user_domain_name: d}`, "resolver")
}

// TestOpenStackLogins lists both who get a secret: Keystone the password and the target the token.
func TestOpenStackLogins(t *testing.T) {
	credentials := Credentials{{Name: "ops", Account: Account{Username: "ops", Password: "pw2"}}, {Name: "key", PrivateKey: PrivateKey{PrivateKey: "k"}}}
	const section = "openstack: {auth_url: 'https://KEYS.example/identity', username: admin, password: pw1, user_domain_name: D}"
	h := httpModule(t, section, Options{Credentials: credentials}).Prober.(*HTTP)
	for _, test := range []struct {
		target, credential string
		want               []probe.Login
		err                string
	}{
		{"http://a.example/x", "", []probe.Login{{Username: "admin", Address: "KEYS.example:443", Secret: "pw1", Fixed: true}, {Username: "admin", Address: "a.example:80", Secret: "pw1"}}, ""},
		{"https://u:p@a.example", "ops", []probe.Login{{Credential: "ops", Username: "ops", Address: "KEYS.example:443", Secret: "pw2", Fixed: true}, {Credential: "ops", Username: "ops", Address: "a.example:443", Secret: "pw2"}}, ""},
		{"[::1]:8080/x", "", []probe.Login{{Username: "admin", Address: "KEYS.example:443", Secret: "pw1", Fixed: true}, {Username: "admin", Address: "[::1]:8080", Secret: "pw1"}}, ""},
		{"a.example", "none", nil, `openstack: credential: "none" is not configured, want it under credentials`},
		{"a.example", "key", nil, `openstack: credential: "key" has no password, want one`},
		{"http://", "", nil, `fetching "http://": no host, want a URL with one`},
	} {
		target := probe.NewTarget(test.target)
		target.Credential = test.credential
		got, err := h.Logins(target)
		if diff := cmp.Diff(test.want, got); diff != "" || fmt.Sprint(err) != fmt.Sprint(map[bool]any{true: nil, false: test.err}[test.err == ""]) {
			t.Errorf("%s with %q: %v, want %s (-want +got):\n%s", test.target, test.credential, err, test.err, diff)
		}
	}
	h = httpModule(t, "basic_auth: {username: a, password: b}", Options{}).Prober.(*HTTP)
	if got, err := h.Logins(probe.NewTarget("http://a.example")); got != nil || err != nil {
		t.Errorf("without openstack: %v, %v, want none", got, err)
	}
}

func parsed(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestTokenIsBehindTheGate: while logins are paused Keystone is not asked, and a token that is kept does for the probe.
func TestTokenIsBehindTheGate(t *testing.T) {
	k := newKeystone(t)
	s := newGuarded(t, k)
	m := httpModule(t, k.keys(), Options{})
	cache, gate := new(probe.MemoryStore), new(shutGate)
	c := probe.Check{Module: m, Target: probe.NewTarget(s.URL), Timeout: long}
	if res := probe.Run(t.Context(), c, probe.Env{Cache: cache, Gate: gate}); res.Reason != probe.ReasonAuth || len(k.requests()) != 0 || s.asked.Load() != 0 {
		t.Errorf("%s: %s, want it held up before anybody was asked", res.Reason, res.Err)
	}
	wantOutcome(t, remember(t, m, c.Target, cache), probe.ReasonNone, "", "")
	if res := probe.Run(t.Context(), c, probe.Env{Cache: cache, Gate: gate}); !res.Success() || len(gate.asked) != 1 || !gate.asked[0].Fixed {
		t.Errorf("%s: %s, asked for %v, want it done with the token", res.Reason, res.Err, gate.asked)
	}
}
