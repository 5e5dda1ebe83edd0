// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !noopenstack

package probes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/gophercloud/gophercloud/v2"

	"skywatch/internal/probe"
)

// failure tells what came instead of a token.
func (k *keystoneCall) failure(ctx context.Context, err error) error {
	var status gophercloud.ErrUnexpectedResponseCode
	switch {
	case errors.As(err, &status):
		return k.status(status)
	case k.answered:
		return probe.Failf(probe.ReasonProtocol, "%s: the answer has no token: %s, want one", k.doing(), k.cut(err.Error()))
	}
	return k.noResponse(ctx, k.doing(), err)
}

func (k *keystoneCall) doing() string {
	return "authenticating at " + strconv.Quote(k.config.AuthURL)
}

// status judges what Keystone says. It is the one place that tells a refused secret from everything else.
func (k *keystoneCall) status(e gophercloud.ErrUnexpectedResponseCode) error {
	said, known := keystoneMessage(e.Body)
	answer := k.r.Evidence(said)
	switch {
	case e.Actual == http.StatusUnauthorized && e.ResponseHeader.Get("Openstack-Auth-Receipt") != "":
		return probe.Failf(probe.ReasonConfig, "%s as %q: Keystone wants more than one proof, want a user for whom one is enough", k.doing(), k.config.who(k.login))
	case e.Actual == http.StatusUnauthorized:
		k.r.Login(k.login.Login, false)
		return probe.Failf(probe.ReasonAuth, "%s as %q: Keystone refused with status 401 and %s, want a token", k.doing(), k.config.who(k.login), answer)
	case e.Actual == http.StatusBadRequest && known:
		return probe.Failf(probe.ReasonConfig, "%s: Keystone takes the parameters for invalid: status 400 and %s, want a token", k.doing(), answer)
	case e.Actual >= 300 && e.Actual < 400:
		return probe.Failf(probe.ReasonResponse, "%s: status %d from Keystone, to %s, where the password is not sent, want an auth_url that gives a token",
			k.doing(), e.Actual, k.r.Evidence(e.ResponseHeader.Get("Location")))
	}
	return probe.Failf(probe.ReasonResponse, "%s: status %d from Keystone and %s, want a token", k.doing(), e.Actual, answer)
}

// keystoneMessage gives the message of Keystone's errors, or all of a body that is none.
func keystoneMessage(body []byte) (text string, known bool) {
	var answer struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &answer) == nil && answer.Error.Message != "" {
		return answer.Error.Message, true
	}
	return string(body), false
}

// who names the one who logs in, for errors.
func (c *OpenStack) who(l *login) string {
	return cmp.Or(c.ApplicationID, c.ApplicationName, l.username, c.UserID)
}
