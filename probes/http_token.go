// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"skywatch/internal/probe"
)

// issuedToken is what Keystone gives.
type issuedToken struct {
	text string
	life time.Duration // by Keystone's own clock; 0 = not known
}

// keptToken is a token in Recorder.Cache. It is used for the secret that got it and no other, which the proof tells without being of use
// to anybody who wants to know the secret.
type keptToken struct {
	Salt, Proof []byte
	Token       string
	Until       time.Time // when another one is asked for
}

// proofOf ties a kept token to a secret.
func proofOf(salt []byte, secret probe.Secret) []byte {
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(secret.Reveal()))
	return mac.Sum(nil)
}

// usable tells whether the token may be used at a time by who has the secret.
func (k keptToken) usable(now time.Time, secret probe.Secret) bool {
	return now.Before(k.Until) && hmac.Equal(k.Proof, proofOf(k.Salt, secret))
}

// renewBefore is how long before its end a token is renewed: a tenth of its life, at most a minute.
func renewBefore(life time.Duration) time.Duration { return min(life/10, time.Minute) }

// cacheKey is where the token of a login is kept: one place for all that Keystone is told but the secret.
func (c *OpenStack) cacheKey(l *login) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{c.endpoint, l.username, c.UserID, c.UserDomainName, c.UserDomainID, c.ProjectName, c.ProjectID,
		c.ProjectDomainName, c.ProjectDomainID, c.TenantName, c.TenantID, c.ApplicationID, c.ApplicationName}, "\x00")))
	return "openstack " + hex.EncodeToString(sum[:16])
}

// keystone is what the parts of a probe know about the token.
type keystone struct {
	part    string // which part is under way, partKeystone or partService
	key     string // where the token is kept
	fresh   bool   // whether this probe asked for it
	refused *error // a refusal by Keystone, which holds for all addresses of the target; never nil
}

// addToken puts a token on the request: the kept one unless another is wanted.
func (p *httpProbe) addToken(ctx context.Context, req *http.Request, renew bool) error {
	p.keystone.part = partKeystone
	l, err := p.OpenStack.login(p.options, p.target)
	if err != nil {
		return err
	}
	p.hideSecret(l.Secret)
	p.keystone.key = p.OpenStack.cacheKey(l)
	token := ""
	if !renew {
		token = p.keptToken(l)
	}
	if token == "" {
		if token, err = p.freshToken(ctx, l, req.UserAgent()); err != nil {
			return err
		}
	}
	p.hideSecret(probe.Secret(token))
	req.Header.Set(authTokenHeader, token)
	p.private[authTokenHeader] = true
	p.keystone.part = partService
	return nil
}

// hideSecret masks a secret, also in the form that it has in a JSON text.
func (p *httpProbe) hideSecret(secret probe.Secret) {
	p.r.Hide(secret)
	if text, err := json.Marshal(secret.Reveal()); err == nil && len(text) > len(secret)+2 {
		p.r.Hide(probe.Secret(text[1 : len(text)-1]))
	}
}

// keptToken gives a token of an earlier probe; "" when there is none that will do.
func (p *httpProbe) keptToken(l *login) string {
	var kept keptToken
	data, err := p.r.Cache().Get(p.keystone.key)
	if err != nil || json.Unmarshal(data, &kept) != nil || !kept.usable(time.Now(), l.Secret) {
		return ""
	}
	p.r.Log.Debug("using the token of an earlier probe", "until", kept.Until)
	return kept.Token
}

// freshToken asks Keystone, unless that has refused the login at another address of the target.
func (p *httpProbe) freshToken(ctx context.Context, l *login, userAgent string) (string, error) {
	if err := *p.keystone.refused; err != nil {
		return "", err
	}
	if err := p.r.Entering(l.Login); err != nil {
		return "", err
	}
	start := time.Now()
	issued, err := p.askKeystone(ctx, l, userAgent)
	if err != nil {
		if probe.ReasonOf(err) == probe.ReasonAuth {
			*p.keystone.refused = err
		}
		return "", err
	}
	took := time.Since(start)
	p.r.Phase(httpDuration, "auth", took)
	p.r.Log.Debug("received token", "life", issued.life, "took", took)
	p.keystone.fresh = true
	p.keep(l, issued)
	return issued.text, nil
}

// keep remembers a token for later probes of this module and target. One that is too long is asked for each time.
func (p *httpProbe) keep(l *login, issued issuedToken) {
	if issued.life <= 0 {
		return
	}
	salt := make([]byte, sha256.Size)
	rand.Read(salt)
	data, err := json.Marshal(keptToken{Salt: salt, Proof: proofOf(salt, l.Secret), Token: issued.text,
		Until: time.Now().Add(issued.life - renewBefore(issued.life))})
	if err == nil {
		err = p.r.Cache().Put(p.keystone.key, data)
	}
	if err != nil {
		p.r.Log.Debug("token not kept", "err", err)
	}
}

// refusesToken tells whether a response of the service is about our token, and not what the module wants.
func (p *httpProbe) refusesToken(resp *http.Response) bool {
	return p.OpenStack != nil && !p.withheld && resp.StatusCode == http.StatusUnauthorized && !p.wantsStatus(resp.StatusCode)
}

// again makes the request once more with a token of its own.
func (p *httpProbe) again(ctx context.Context, req *http.Request) (*http.Request, error) {
	p.r.Log.Info("the service refused the token of an earlier probe, asking for another")
	next := req.Clone(ctx)
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		next.Body = body
	}
	p.redirects = 0
	return next, p.addToken(ctx, next, true)
}

// serviceSaid tells whose status it is where it could be Keystone's.
func (p *httpProbe) serviceSaid(resp *http.Response) string {
	switch {
	case p.OpenStack == nil:
		return ""
	case p.refusesToken(resp):
		return " from the service, which refuses a fresh token of Keystone"
	}
	return " from the service"
}
