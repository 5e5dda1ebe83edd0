// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"skywatch/internal/probe"
)

// Credential is an entry of `credentials`: a secret with a name, so that modules, checks and requests can pick it without showing it.
type Credential struct {
	Name       string `yaml:"name"`
	Account    `yaml:",inline"`
	PrivateKey `yaml:",inline"`
	Allow      []string `yaml:"allow,omitempty"` // host:port patterns that may get it; none = the targets of the checks that use it
}

// Account is a name and what proves it, embedded inline where a login is configured.
type Account struct {
	Username     string       `yaml:"username,omitempty"`
	Password     probe.Secret `yaml:"password,omitempty"`      // or the token, for mechanisms that have one
	PasswordFile string       `yaml:"password_file,omitempty"` // read at each use, without its trailing line end
}

// PrivateKey is a key of SSH, in OpenSSH or PEM form, embedded inline.
type PrivateKey struct {
	PrivateKey     probe.Secret `yaml:"private_key,omitempty"`
	PrivateKeyFile string       `yaml:"private_key_file,omitempty"` // read at each use
	Passphrase     probe.Secret `yaml:"passphrase,omitempty"`       // of an encrypted key
	PassphraseFile string       `yaml:"passphrase_file,omitempty"`  // read at each use, without its trailing line end
}

// Credentials is the `credentials:` section of a configuration. The zero value has none. It is read-only after Validate.
type Credentials []Credential

// The bounds of the section.
const (
	maxCredentials    = 1000
	maxCredentialName = 200 // bytes
	maxAllow          = 100 // patterns of one credential
)

// Validate checks the section. Relative paths of secret files become those of the configuration's directory dir, and each file must be
// readable now. at is the index of the entry that the error is about.
func (c Credentials) Validate(dir string) (at int, err error) {
	names := make(map[string]bool, len(c))
	for i := range c {
		if i == maxCredentials {
			return i, fmt.Errorf("%d credentials, want at most %d", len(c), maxCredentials)
		}
		err := c[i].validate(dir)
		if err == nil && names[c[i].Name] {
			err = errors.New("name: given twice, want a unique name")
		}
		if err != nil {
			return i, fmt.Errorf("credential %s: %w", probe.Evidence(c[i].Name), err)
		}
		names[c[i].Name] = true
	}
	return 0, nil
}

// Find gives the credential of a name; nil when there is none.
func (c Credentials) Find(name string) *Credential {
	for i := range c {
		if c[i].Name == name {
			return &c[i]
		}
	}
	return nil
}

func (c *Credential) validate(dir string) error {
	if err := cmp.Or(checkCredentialName(c.Name), c.Account.validate(), c.PrivateKey.validate()); err != nil {
		return err
	}
	if c.Account.empty() && c.PrivateKey.empty() {
		return errors.New("no secret, want one of password, password_file, private_key and private_key_file")
	}
	if len(c.Allow) > maxAllow {
		return fmt.Errorf("allow: %d patterns, want at most %d", len(c.Allow), maxAllow)
	}
	for _, pattern := range c.Allow {
		if err := checkPattern(pattern); err != nil {
			return fmt.Errorf("allow: %w", err)
		}
	}
	return cmp.Or(
		ownFile("password_file", &c.PasswordFile, dir),
		ownFile("private_key_file", &c.PrivateKeyFile, dir),
		ownFile("passphrase_file", &c.PassphraseFile, dir),
	)
}

// checkCredentialName accepts what can be shown on one line everywhere: in an answer, a label, a page.
func checkCredentialName(name string) error {
	switch {
	case name == "":
		return errors.New("name: missing, want a unique name")
	case len(name) > maxCredentialName:
		return fmt.Errorf("name: %d bytes long, want at most %d", len(name), maxCredentialName)
	case !utf8.ValidString(name) || name != strings.TrimSpace(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("name: has unprintable characters or a space at an end, want printable ones only and none there")
	}
	return nil
}

// ownFile makes the path of a secret one of the configuration's directory. The file must be readable now and no longer than a secret may be.
func ownFile(key string, path *string, dir string) error {
	if *path == "" {
		return nil
	}
	if !filepath.IsAbs(*path) {
		*path = filepath.Join(dir, *path)
	}
	if _, err := readSecretFile(Options{}, *path); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func (a Account) empty() bool { return a.Password == "" && a.PasswordFile == "" }

func (a Account) validate() error {
	return oneOf("password", a.Password, a.PasswordFile)
}

func (k PrivateKey) empty() bool { return k.PrivateKey == "" && k.PrivateKeyFile == "" }

func (k PrivateKey) validate() error {
	if k.empty() && (k.Passphrase != "" || k.PassphraseFile != "") {
		return errors.New("passphrase without private_key, want both or none")
	}
	return errors.Join(oneOf("private_key", k.PrivateKey, k.PrivateKeyFile), oneOf("passphrase", k.Passphrase, k.PassphraseFile))
}

func oneOf(key string, inline probe.Secret, file string) error {
	if inline != "" && file != "" {
		return fmt.Errorf("both %s and %s_file given, want at most one", key, key)
	}
	return nil
}

// password gives the password, read now if it is in a file. One that is empty may be just being written; the server would count it as refused.
func (a Account) password(o Options) (probe.Secret, error) {
	secret, err := readSecret(o, "password_file", a.Password, a.PasswordFile)
	if err == nil && secret == "" && a.PasswordFile != "" {
		err = probe.Failf(probe.ReasonConfig, "reading password_file: it is empty, want a secret")
	}
	return secret, err
}

// key gives the text of the private key and its passphrase; both may be "".
func (k PrivateKey) key(o Options) (key, passphrase probe.Secret, err error) {
	if key, err = readSecret(o, "private_key_file", k.PrivateKey, k.PrivateKeyFile); err != nil {
		return "", "", err
	}
	passphrase, err = readSecret(o, "passphrase_file", k.Passphrase, k.PassphraseFile)
	return key, passphrase, err
}

// maxSecretBytes bounds the file of a secret.
const maxSecretBytes = 64 << 10

func readSecret(o Options, key string, inline probe.Secret, path string) (probe.Secret, error) {
	if path == "" {
		return inline, nil
	}
	data, err := readSecretFile(o, path)
	if err != nil {
		return "", probe.Failf(probe.ReasonConfig, "reading %s: %w", key, err)
	}
	return probe.Secret(strings.TrimRight(string(data), "\r\n")), nil
}

func readSecretFile(o Options, path string) ([]byte, error) {
	found, info, err := o.locate(path)
	if err == nil && info.Size() > maxSecretBytes {
		return nil, fmt.Errorf("%d bytes long, want at most %d", info.Size(), maxSecretBytes)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(found)
	}
	if err != nil {
		return nil, fmt.Errorf("%w, want a readable file", err)
	}
	return data, nil
}
