// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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

// Validate checks the section. Relative paths of secret files become those of the configuration's directory dir, and each file must be
// readable now.
func (c Credentials) Validate(dir string) error {
	names := make(map[string]bool, len(c))
	for i := range c {
		if err := c[i].validate(dir); err != nil {
			return fmt.Errorf("credential %q: %w", c[i].Name, err)
		}
		if names[c[i].Name] {
			return fmt.Errorf("credential %q: name: given twice, want a unique name", c[i].Name)
		}
		names[c[i].Name] = true
	}
	return nil
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
	if c.Name == "" {
		return errors.New("name: missing, want a unique name")
	}
	if err := errors.Join(c.Account.validate(), c.PrivateKey.validate()); err != nil {
		return err
	}
	if c.Account.empty() && c.PrivateKey.empty() {
		return errors.New("no secret, want one of password, password_file, private_key and private_key_file")
	}
	for _, pattern := range c.Allow {
		if err := checkPattern(pattern); err != nil {
			return fmt.Errorf("allow: %w", err)
		}
	}
	for key, path := range map[string]*string{
		"password_file": &c.PasswordFile, "private_key_file": &c.PrivateKeyFile, "passphrase_file": &c.PassphraseFile,
	} {
		if *path == "" {
			continue
		}
		if !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
		if _, err := os.ReadFile(*path); err != nil {
			return fmt.Errorf("%s: %w, want a readable file", key, err)
		}
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

// password gives the password, read now if it is in a file.
func (a Account) password(o Options) (probe.Secret, error) {
	return readSecret(o, "password_file", a.Password, a.PasswordFile)
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
	found, info, err := o.locate(path)
	if err == nil && info.Size() > maxSecretBytes {
		err = fmt.Errorf("%d bytes long, want at most %d", info.Size(), maxSecretBytes)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(found)
	}
	if err != nil {
		return "", probe.Failf(probe.ReasonConfig, "reading %s: %w, want a readable file", key, err)
	}
	return probe.Secret(strings.TrimRight(string(data), "\r\n")), nil
}
