// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noftp

package probes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"skywatch/internal/probe"
)

// The ways to open a data connection: the client connects to a port that the server names.
const (
	ftpAuto = "auto" // ftpEPSV, and ftpPASV where the server does not know that
	ftpEPSV = "epsv" // RFC 2428
	ftpPASV = "pasv" // RFC 959
)

// ftpLoginDirectory is where a login leads.
const ftpLoginDirectory = "."

var (
	descFTPPhase = phaseDesc("ftp", "resolve, connect, greeting, tls (before the greeting with tls: tls), auth, list, upload, download, delete, "+
		"features (instead of these without a login), quit")
	descFTPBanner  = bannerDesc("ftp")
	descFTPEntries = &probe.Desc{Name: "probe_ftp_list_entries", Help: "Number of entries in the listed directory."}
	descFTPBytes   = &probe.Desc{Name: "probe_ftp_transferred_bytes", Labels: []string{"transfer"}, Help: "Bytes that went over a data connection: list, upload, download."}
)

func init() {
	register("ftp", newFTP, slices.Concat(serviceDescs, []*probe.Desc{descFTPPhase, descFTPBanner, descFTPEntries, descFTPBytes})...)
}

// FTP logs in to a file server (RFC 959, TLS by RFC 4217), lists a directory, and if wanted writes a small file, reads it back and
// deletes it. Without a login it only looks whether the server talks.
type FTP struct {
	ServiceConfig `yaml:",inline"`
	ACCT          probe.Secret `yaml:"account,omitempty"` // for servers that ask for one besides the password; rare
	Directory     string       `yaml:"directory"`         // to go to and list; "." = that of the login; "" = none is listed
	Passive       string       `yaml:"passive"`           // ftpAuto, ftpEPSV or ftpPASV
	Upload        string       `yaml:"upload,omitempty"`  // directory for the file, relative to Directory; "" = no file
}

func newFTP(o Options) probe.Prober {
	p := &FTP{ServiceConfig: newServiceConfig(o, 21, 990), Directory: ftpLoginDirectory, Passive: ftpAuto}
	p.ready.resume = true // some servers insist that data connections go on with the session of the control connection
	p.ready.blank = true  // as anonymous users have it
	return p
}

// Validate checks the module.
func (p *FTP) Validate() error {
	if err := p.validate(); err != nil {
		return err
	}
	if !slices.Contains([]string{ftpAuto, ftpEPSV, ftpPASV}, p.Passive) {
		return fmt.Errorf("passive: found %q, want %s, %s or %s", p.Passive, ftpAuto, ftpEPSV, ftpPASV)
	}
	for key, path := range map[string]string{"directory": p.Directory, "upload": p.Upload} {
		if strings.ContainsAny(path, "\r\n\x00") {
			return fmt.Errorf("%s: found %q, want a path in one line", key, path)
		}
	}
	return nil
}

// Logins is that of Service. The anonymous user has no secret, so nothing keeps a probe of that user from any server.
func (p *FTP) Logins(t probe.Target) ([]probe.Login, error) {
	all, err := p.ServiceConfig.Logins(t)
	if t.Credential == "" && p.Credential == "" && p.Account.empty() && p.ACCT == "" && ftpAnonymous(p.Username) {
		return nil, err
	}
	return all, err
}

// Probe succeeds when the login and the work do.
func (p *FTP) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	return p.ready.dialer.each(ctx, r, func(ctx context.Context, r *probe.Recorder) error { return p.attempt(ctx, t, r) })
}

// attempt probes one address.
func (p *FTP) attempt(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	l, err := p.open(ctx, t, descFTPPhase, 0, r)
	if err != nil {
		return err
	}
	defer l.close()
	return p.work(ctx, &ftpTalk{textLink: l.text(), epsv: p.Passive != ftpPASV, pasv: p.Passive != ftpEPSV})
}

// work holds the conversation on an open link.
func (p *FTP) work(ctx context.Context, f *ftpTalk) error {
	if err := f.greet(); err != nil {
		return err
	}
	if p.TLS == tlsStart {
		if err := f.beginTLS(ctx); err != nil {
			return err
		}
	}
	who, err := f.login()
	if err != nil {
		return err
	}
	switch {
	case who != nil:
		if err = f.logIn(who, p.ACCT); err == nil {
			err = p.transfer(ctx, f)
		}
	case p.needsLogin():
		err = probe.Failf(probe.ReasonConfig, "logging in to %q: no account given, want a username or a credential, to list a directory or to write a file", f.server)
	default:
		err = f.features()
	}
	if err != nil {
		return err
	}
	return f.quit()
}

// needsLogin tells whether the module names a directory or a place for a file.
func (p *FTP) needsLogin() bool {
	return p.Upload != "" || p.Directory != "" && p.Directory != ftpLoginDirectory
}

// transfer does what needs data connections, which are protected if the control connection is.
func (p *FTP) transfer(ctx context.Context, f *ftpTalk) error {
	if p.Directory == "" && p.Upload == "" {
		return nil
	}
	if p.TLS != tlsNone {
		if err := f.protect(); err != nil {
			return err
		}
	}
	if p.Directory != "" && p.Directory != ftpLoginDirectory {
		if _, err := f.ask("going to "+fmt.Sprintf("%q", p.Directory), "CWD "+p.Directory, 250, 200); err != nil {
			return err
		}
	}
	if p.Directory != "" {
		if err := f.list(ctx); err != nil {
			return err
		}
	}
	if p.Upload == "" {
		return nil
	}
	return f.roundTrip(ctx, p.Upload)
}
