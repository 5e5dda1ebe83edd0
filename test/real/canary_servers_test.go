// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// canaryPin is a fingerprint that no key has.
const canaryPin = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// canaryWeb refuses every request and says the texts in the status line, the header and the body.
func canaryWeb(t *testing.T, _ string, says []string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i, text := range slices.Concat(says, []string{r.Header.Get("Authorization"), r.Header.Get("X-Key")}) { // requests share what it says
			w.Header().Set(fmt.Sprintf("X-Echo-%d", i), text)
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q", strings.Join(says, " ")))
		w.Header().Set("Location", "/"+says[1])
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintln(w, strings.Join(says, "\n"), r.Header)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// canaryUserinfo is canaryWeb with the secret in the target.
func canaryUserinfo(t *testing.T, secret string, says []string) string {
	t.Helper()
	u, err := url.Parse(canaryWeb(t, secret, says))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("watch", secret)
	return u.String()
}

func canaryWebSocket(t *testing.T, secret string, says []string) string {
	t.Helper()
	return strings.Replace(canaryWeb(t, secret, says), "http://", "ws://", 1)
}

// canaryKey makes an encrypted key, whose passphrase is "open", and gives a line of it as well.
func canaryKey(t *testing.T) (key, line string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "canary")
	if err != nil {
		t.Fatal(err)
	}
	key = string(pem.EncodeToMemory(block))
	return key, strings.Split(key, "\n")[3]
}

// canarySSH is a server that says the texts before the login, and then refuses it; or takes it, and says them as the output of a command.
func canarySSH(takes bool) func(t *testing.T, secret string, says []string) string {
	return func(t *testing.T, secret string, says []string) string {
		t.Helper()
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := ssh.NewSignerFromKey(private)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(says, " ")
		conf := &ssh.ServerConfig{ServerVersion: "SSH-2.0-" + strings.ReplaceAll(secret, " ", ""), BannerCallback: func(ssh.ConnMetadata) string { return text }}
		conf.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if takes {
				return nil, nil
			}
			return nil, errors.New(string(password))
		}
		conf.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, errors.New("no") }
		conf.AddHostKey(signer)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go canarySession(conn, conf, text)
			}
		}()
		return listener.Addr().String()
	}
}

// canarySession serves one connection; every command says the text and fails.
func canarySession(conn net.Conn, conf *ssh.ServerConfig, text string) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, conf)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for fresh := range channels {
		channel, asks, err := fresh.Accept()
		if err != nil {
			return
		}
		for ask := range asks {
			ask.Reply(true, nil)
			fmt.Fprint(channel, text)
			fmt.Fprint(channel.Stderr(), text)
			channel.SendRequest("exit-status", false, []byte{0, 0, 0, 1})
			break
		}
		channel.Close()
	}
}
