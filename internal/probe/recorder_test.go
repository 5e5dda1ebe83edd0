// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// record runs a prober that does f and fails with err.
func record(t *testing.T, f func(r *Recorder) error, secrets ...Secret) Result {
	t.Helper()
	c := checkOf(fakeProber(func(_ context.Context, _ Target, r *Recorder) error { return f(r) }))
	c.Module.Secrets = secrets
	return Run(t.Context(), c, Env{})
}

func TestRecorderSetAddPhase(t *testing.T) {
	plain := &Desc{Name: "probe_plain"}
	phased := &Desc{Name: "probe_phased", Labels: []string{"phase"}}
	res := record(t, func(r *Recorder) error {
		r.Set(plain, 1)
		r.Add(plain, 2)
		r.Phase(phased, "connect", time.Second)
		r.Phase(phased, "connect", 500*time.Millisecond)
		r.Set(phased, 7, "tls")
		r.Set(phased, 8, "tls")
		return nil
	})
	want := []Sample{{plain, 3, nil}, {phased, 1.5, []string{"connect"}}, {phased, 8, []string{"tls"}}}
	if diff := cmp.Diff(want, res.Samples); diff != "" {
		t.Error(diff)
	}
}

func TestRecorderBounds(t *testing.T) {
	d := &Desc{Name: "probe_many", Labels: []string{"n"}}
	res := record(t, func(r *Recorder) error {
		for i := range maxSamples + 10 {
			r.Set(d, 1, strconv.Itoa(i))
		}
		for i := range maxFacts + 10 {
			r.Fact(fmt.Sprintf("key%d", i), "a")
		}
		r.Fact("key0", strings.Repeat("b", maxFactBytes+1))
		return nil
	})
	if len(res.Samples) != maxSamples || len(res.Facts) != 32 {
		t.Errorf("%d samples, %d facts, want %d and 32", len(res.Samples), len(res.Facts), maxSamples)
	}
	if res.Facts[0].Value != strings.Repeat("b", maxFactBytes) {
		t.Errorf("fact of %d bytes, want the replaced value, cut to %d", len(res.Facts[0].Value), maxFactBytes)
	}
}

func TestRecorderStores(t *testing.T) {
	store, cache := new(MemoryStore), new(MemoryStore)
	c := checkOf(fakeProber(func(_ context.Context, _ Target, r *Recorder) error {
		if err := r.Store().Put("uid", []byte("1")); err != nil {
			return err
		}
		return r.Cache().Put("token", []byte("2"))
	}))
	if res := Run(t.Context(), c, Env{Store: store, Cache: cache}); !res.Success() {
		t.Fatal(res.Err)
	}
	uid, _ := store.Get("uid")
	token, _ := cache.Get("token")
	if string(uid) != "1" || string(token) != "2" {
		t.Errorf("stores have %q and %q, want 1 and 2", uid, token)
	}
}

// TestSecretsNeverComeOut lets a secret turn up everywhere, in every spelling.
func TestSecretsNeverComeOut(t *testing.T) {
	const secret = `p"ä ss/w&rd`
	encode := base64.StdEncoding.EncodeToString
	for name, text := range map[string]string{
		"plain": secret, "query": url.QueryEscape(secret), "path": url.PathEscape(secret), "quoted": strconv.Quote(secret),
		"hex": hex.EncodeToString([]byte(secret)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"base64 0": encode([]byte(secret + "xyz")), "base64 1": encode([]byte("a" + secret + "xyz")), "base64 2": encode([]byte("ab" + secret + "xyz")),
		"base64url": base64.RawURLEncoding.EncodeToString([]byte("user:" + secret)),
	} {
		d := &Desc{Name: "probe_info", Labels: []string{"text"}}
		shared := []string{text}
		res := record(t, func(r *Recorder) error {
			r.Log.Info("said "+text, "answer", text)
			r.Log.WithGroup("g").With("answer", text).Info("again")
			r.Fact("banner", text)
			r.Set(d, 1, shared...)
			return Failf(ReasonResponse, "got %s", r.Evidence(strings.Repeat("x", 295)+text))
		}, secret)
		all := fmt.Sprint(res.Err, res.Facts, res.Samples, res.Trace, res.Trace.Lines())
		core := strings.TrimRight(text, "=")
		for n := len(core); n > len(core)-4; n-- { // not even most of it
			if strings.Contains(all, core[:n]) {
				t.Errorf("%s: %q got out: %s", name, core[:n], all)
				break
			}
		}
		if got := strings.Count(all, secretText); got < 8 {
			t.Errorf("%s: %d masks, want at least 8: %s", name, got, all)
		}
		if shared[0] != text {
			t.Errorf("%s: the prober's own labels were changed to %q", name, shared[0])
		}
	}
}

func TestSecretsOfTheRun(t *testing.T) {
	c := checkOf(fakeProber(func(_ context.Context, target Target, r *Recorder) error {
		r.Hide("token123")
		return Failf(ReasonAuth, "logging in with %s and token123 and p@ss", target.Raw())
	}))
	c.Target = NewTarget("https://user:p%40ss@host/x")
	res := Run(t.Context(), c, Env{})
	if want := "logging in with https://user:<secret>@host/x and <secret> and <secret>"; res.Err != want || res.Target != "https://host/x" {
		t.Errorf("err %q, target %q, want %q", res.Err, res.Target, want)
	}
}

// TestRecorderAttempt: a prober knows whether its run has been tried before; so does a part of it.
func TestRecorderAttempt(t *testing.T) {
	var got []int
	c := checkOf(fakeProber(func(_ context.Context, _ Target, r *Recorder) error {
		got = append(got, r.Attempt(), r.Draft().Attempt())
		return Failf(ReasonResponse, "no")
	}))
	c.Attempts = 2
	Run(t.Context(), c, Env{})
	if want := []int{1, 1, 2, 2}; !slices.Equal(got, want) {
		t.Errorf("attempts %v, want %v", got, want)
	}
}
