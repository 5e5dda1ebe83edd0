// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package lockout

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"skywatch/internal/probe"
)

// server is a scripted one that judges secrets after a while.
type server struct {
	secret probe.Secret // that it accepts

	mu                sync.Mutex
	refused, accepted int
	now, most         int // logins at the same time
}

func (s *server) judge(secret probe.Secret) bool {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	time.Sleep(50 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now--
	if secret == s.secret {
		s.accepted++
		return true
	}
	s.refused++
	return false
}

// fixture is a guard with durable memories, and what it logs.
type fixture struct {
	*Guard
	memories map[string]*probe.MemoryStore
	stored   bool
	log      bytes.Buffer
	mu       sync.Mutex
}

// fixedKey is that of all fixtures: with a key by lot one pair of secrets in 65536 has the same fingerprint.
var fixedKey = bytes.Repeat([]byte{7}, sha256.Size)

func newFixture(config Config) *fixture {
	f := &fixture{memories: make(map[string]*probe.MemoryStore), stored: true}
	f.memory("").Put(keyName, fixedKey)
	f.restart(config)
	return f
}

// restart makes the guard anew, as a new process would.
func (f *fixture) restart(config Config) {
	f.Guard = New(Options{
		Config: config, Location: func() *time.Location { return time.UTC }, Memory: f.memory,
		Stored: func() bool { return f.stored }, Address: strings.ToLower,
		Log: slog.New(slog.NewTextHandler(&f.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})),
	})
}

func (f *fixture) memory(name string) probe.Store {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.memories[name] == nil {
		f.memories[name] = new(probe.MemoryStore)
	}
	return f.memories[name]
}

func login(secret probe.Secret) probe.Login {
	return probe.Login{Credential: "box", Username: "nora", Address: "mail:993", Secret: secret}
}

var errRefused = errors.New("refused")

// try makes a probe with one login, as the runner does: nil = accepted, errRefused, or why it was held up.
func (f *fixture) try(ctx context.Context, origin probe.Origin, s *server, l probe.Login) error {
	c := probe.Check{Module: &probe.Module{Name: "imap"}, Origin: origin}
	pass, hold := f.Begin(c, []probe.Login{l})
	if hold != nil {
		return hold
	}
	defer pass.End()
	if err := pass.Enter(ctx, l); err != nil {
		return err
	}
	accepted := s.judge(l.Secret)
	pass.Verdict(l, accepted)
	if !accepted {
		return errRefused
	}
	return nil
}

func (f *fixture) check(s *server, secret probe.Secret) error {
	return f.try(context.Background(), probe.OriginSchedule, s, login(secret))
}

func (f *fixture) request(s *server, secret probe.Secret) error {
	return f.try(context.Background(), probe.OriginRequest, s, login(secret))
}

func heldUp(err error) bool {
	hold := new(Hold)
	return errors.As(err, &hold)
}
