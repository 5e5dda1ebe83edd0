// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noftp

package probes

import (
	"context"
	"fmt"
	"strings"

	"skywatch/internal/probe"
)

// beginTLS goes over to TLS (RFC 4217, 4).
func (f *ftpTalk) beginTLS(ctx context.Context) error {
	if err := f.forTLS("starting TLS", "AUTH TLS", 234); err != nil {
		return err
	}
	return f.startTLS(ctx)
}

// protect has data connections be TLS ones (RFC 4217, 9). The buffer of PBSZ has no meaning for TLS.
func (f *ftpTalk) protect() error {
	if err := f.forTLS("protecting data connections", "PBSZ 0", 200); err != nil {
		return err
	}
	f.protected = true
	return f.forTLS("protecting data connections", "PROT P", 200)
}

// forTLS asks for something without which there is no TLS. That a server does not have it is a failure of TLS.
func (f *ftpTalk) forTLS(doing, command string, code int) error {
	answer, err := f.ask(doing, command, code)
	if err != nil && answer.code >= 500 {
		return f.refusal(probe.ReasonTLS, doing, answer, code)
	}
	return err
}

// logIn sends the name, and the password and the account when the server wants them. 232 is 230 by the certificate of the client (RFC 2228, 5.1).
func (f *ftpTalk) logIn(who *login, account probe.Secret) error {
	doing := fmt.Sprintf("logging in as %q", who.username)
	answer, err := f.verdict(who, doing, "USER "+who.username, 230, 232, 331, 332)
	if err == nil && answer.code == 331 {
		answer, err = f.verdict(who, doing, "PASS "+ftpPassword(who), 230, 202, 332)
	}
	if err == nil && answer.code == 332 {
		if account == "" {
			return f.refusal(probe.ReasonResponse, doing+" without an account", answer, 230)
		}
		_, err = f.verdict(who, doing, "ACCT "+account.Reveal(), 230, 202)
	}
	if err != nil {
		return err
	}
	who.accepted(f.r)
	f.done("auth")
	return nil
}

// verdict sends a part of the login. Only 530 is about the credential.
func (f *ftpTalk) verdict(who *login, doing, command string, codes ...int) (ftpReply, error) {
	answer, err := f.ask(doing, command, codes...)
	if err != nil && answer.code == 530 {
		return answer, who.refused(f.r, answer.String())
	}
	return answer, err
}

// ftpPassword gives the password; an anonymous user who has none gives something like an address (RFC 1635).
func ftpPassword(who *login) string {
	if who.Secret == "" && ftpAnonymous(who.username) {
		return "skywatch@"
	}
	return who.Secret.Reveal()
}

// ftpAnonymous tells whether a user is the one who needs no account.
func ftpAnonymous(username string) bool {
	return strings.EqualFold(username, "anonymous") || strings.EqualFold(username, "ftp")
}
