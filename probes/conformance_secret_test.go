// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

const planted = "tr0ub4dor&3 <x>"

// spellings are the forms in which a server may give a secret back.
func spellings(secret string) []string {
	encode := base64.StdEncoding.EncodeToString
	return []string{
		secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)),
		encode([]byte(secret)), encode([]byte("u" + secret)), encode([]byte("\x00u\x00" + secret)), encode([]byte("user:" + secret)),
	}
}

// echoedSecret meets servers that say the module's secret and the target's password; neither may show up in anything that comes out.
func (c candidate) echoedSecret(t *testing.T) {
	m := *c.module(t)
	m.Secrets = append(m.Secrets, planted)
	for _, text := range spellings(planted) {
		script := []probetest.Step{probetest.Send(text + "\r\n")}
		if c.echo != nil {
			script = c.echo(text)
		}
		res := runProbe(t, t.Context(), &m, c.target(c.serve(t, script...).Addr), long)
		wantSecretFree(t, res, text)
	}
	server := c.serve(t)
	for _, password := range []string{"hunter22", "hunter22/x", "x/hunter22", "hunter22?x", "x#hunter22", "hunter22:x/y@z"} {
		res := runProbe(t, t.Context(), &m, withUserinfo(c.target(server.Addr), password), long)
		wantSecretFree(t, res, "hunter22")
	}
}

func withUserinfo(target, password string) string {
	if scheme, rest, ok := strings.Cut(target, "://"); ok {
		return scheme + "://user:" + password + "@" + rest
	}
	return "user:" + password + "@" + target
}

func wantSecretFree(t *testing.T, res probe.Result, text string) {
	t.Helper()
	var all strings.Builder
	fmt.Fprintln(&all, res.Target, res.Err, res.Facts, res.Trace.Lines(), res.Trace)
	for _, s := range res.Samples {
		fmt.Fprintln(&all, s.Labels)
	}
	core := strings.TrimRight(text, "=")
	if strings.Contains(all.String(), core) {
		t.Errorf("the secret %q got out:\n%s", core, all.String())
	}
}
