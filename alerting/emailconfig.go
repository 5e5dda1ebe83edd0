// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"strconv"
	"strings"

	"skywatch/internal/probe"
)

// EmailConfig is a notifier that sends mail through a smarthost. A message counts as sent once it was taken for one recipient; those
// who were refused are logged, counted and named in the message's error, and are not tried again.
type EmailConfig struct {
	Smarthost    string       `yaml:"smarthost"` // host:port
	TLS          string       `yaml:"tls"`       // starttls (required), tls or none
	From         string       `yaml:"from"`
	To           []string     `yaml:"to"`
	Hello        string       `yaml:"hello,omitempty"` // name in EHLO; "" = the host's
	Username     string       `yaml:"username,omitempty"`
	Password     probe.Secret `yaml:"password,omitempty"`
	PasswordFile string       `yaml:"password_file,omitempty"` // read at each use
	TLSConfig    MailTLS      `yaml:"tls_config,omitempty"`
}

// MailTLS says how the smarthost's certificate is verified.
type MailTLS struct {
	CAFile             string `yaml:"ca_file,omitempty"`
	ServerName         string `yaml:"server_name,omitempty"`
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify,omitempty"`
}

// The values of EmailConfig.TLS.
const (
	tlsStart    = "starttls"
	tlsImplicit = "tls"
	tlsNone     = "none"
)

// UnmarshalYAML starts from the defaults.
func (e *EmailConfig) UnmarshalYAML(unmarshal func(any) error) error {
	type plain EmailConfig
	e.TLS = tlsStart
	return unmarshal((*plain)(e))
}

func (e *EmailConfig) validate() error {
	if _, _, err := e.host(); err != nil {
		return err
	}
	switch e.TLS {
	case tlsStart, tlsImplicit, tlsNone:
	default:
		return fmt.Errorf("email: tls %q: unknown, want starttls, tls or none", e.TLS)
	}
	if _, err := mail.ParseAddress(e.From); err != nil {
		return fmt.Errorf("email: from %q: %w, want a mail address", e.From, err)
	}
	if len(e.To) == 0 {
		return errors.New("email: to: empty, want at least one mail address")
	}
	for _, to := range e.To {
		if _, err := mail.ParseAddress(to); err != nil {
			return fmt.Errorf("email: to %q: %w, want a mail address", to, err)
		}
	}
	if strings.ContainsAny(e.Hello, " \t\r\n") {
		return fmt.Errorf("email: hello %q: has white space, want a host name", e.Hello)
	}
	return e.validateSecrets()
}

func (e *EmailConfig) validateSecrets() error {
	switch {
	case e.Password != "" && e.PasswordFile != "":
		return errors.New("email: both password and password_file are set, want one of them")
	case e.Username == "" && (e.Password != "" || e.PasswordFile != ""):
		return errors.New("email: username: empty, want one beside the password")
	case e.Username != "" && e.Password == "" && e.PasswordFile == "":
		return errors.New("email: password: empty, want password or password_file beside the username")
	}
	if _, err := e.password(); err != nil {
		return err
	}
	_, err := e.tlsConfig()
	return err
}

// host gives the parts of the smarthost.
func (e *EmailConfig) host() (host string, port int, err error) {
	host, text, err := net.SplitHostPort(e.Smarthost)
	if err == nil && host == "" {
		err = errors.New("no host")
	}
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("email: smarthost %q: not understood, want host:port such as mail.example.org:587", probe.NewTarget(e.Smarthost)) // without a password
	}
	return host, port, nil
}

// domain is that of the sender.
func (e *EmailConfig) domain() string {
	from, err := mail.ParseAddress(e.From)
	if err != nil {
		return "localhost"
	}
	return from.Address[strings.LastIndexByte(from.Address, '@')+1:]
}

func (e *EmailConfig) password() (probe.Secret, error) {
	if e.PasswordFile == "" {
		return e.Password, nil
	}
	text, err := os.ReadFile(e.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("email: password_file: %w, want a readable file", err)
	}
	return probe.Secret(bytes.TrimRight(text, "\r\n")), nil
}

func (e *EmailConfig) tlsConfig() (*tls.Config, error) {
	host, _, err := e.host()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{ServerName: host, InsecureSkipVerify: e.TLSConfig.InsecureSkipVerify, MinVersion: tls.VersionTLS12}
	if e.TLSConfig.ServerName != "" {
		c.ServerName = e.TLSConfig.ServerName
	}
	if e.TLSConfig.CAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(e.TLSConfig.CAFile)
	if err != nil {
		return nil, fmt.Errorf("email: tls_config: ca_file: %w, want a readable file", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("email: tls_config: ca_file %q: no certificate found, want PEM", e.TLSConfig.CAFile)
	}
	return c, nil
}
