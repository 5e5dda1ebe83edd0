// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"skywatch/internal/probe"
)

// keyed is a key of the section and whether it has a value.
type keyed struct {
	key   string
	given bool
}

// firstGiven gives the first of the keys that has a value; "" when none has.
func firstGiven(keys ...keyed) string {
	for _, k := range keys {
		if k.given {
			return k.key
		}
	}
	return ""
}

func (c *OpenStack) tenantKeys() []keyed {
	return []keyed{{"tenant_name", c.TenantName != ""}, {"tenant_id", c.TenantID != ""}}
}

func (c *OpenStack) projectKeys() []keyed {
	return []keyed{{"project_name", c.ProjectName != ""}, {"project_id", c.ProjectID != ""},
		{"project_domain_name", c.ProjectDomainName != ""}, {"project_domain_id", c.ProjectDomainID != ""}}
}

func (c *OpenStack) userKeys() []keyed {
	return []keyed{{"username", c.Username != ""}, {"user_id", c.UserID != ""},
		{"user_domain_name", c.UserDomainName != ""}, {"user_domain_id", c.UserDomainID != ""}}
}

func (c *OpenStack) passwordKeys() []keyed {
	return []keyed{{"password", c.Password != ""}, {"password_file", c.PasswordFile != ""}, {"credential", c.Credential != ""}}
}

func (c *OpenStack) applicationKeys() []keyed {
	return []keyed{{"application_credential_id", c.ApplicationID != ""}, {"application_credential_name", c.ApplicationName != ""},
		{"application_credential_secret", c.ApplicationSecret != ""}, {"application_credential_secret_file", c.ApplicationSecretFile != ""}}
}

// application tells whether it is an application credential that logs in.
func (c *OpenStack) application() bool { return firstGiven(c.applicationKeys()...) != "" }

// userDomain tells whether the domain of a user's name is known.
func (c *OpenStack) userDomain() bool { return c.UserDomainName != "" || c.UserDomainID != "" }

// validateUser checks that Keystone gets all it needs to know, and nothing that contradicts it.
func (c *OpenStack) validateUser(o Options) error {
	user, project, secret, application := c.userKeys(), c.projectKeys(), c.passwordKeys(), c.applicationKeys()
	for _, pair := range [][2]keyed{
		{user[0], user[1]}, {user[2], user[3]}, {project[0], project[1]}, {project[2], project[3]}, {application[0], application[1]},
		{application[2], application[3]}, {secret[0], secret[1]}, {secret[2], user[0]}, {secret[2], secret[0]}, {secret[2], secret[1]},
	} {
		if pair[0].given && pair[1].given {
			return fmt.Errorf("both %s and %s given, want at most one", pair[0].key, pair[1].key)
		}
	}
	foreign := c.tenantKeys()
	if c.Version == 2 {
		foreign = slices.Concat(user[1:], project, application)
	}
	if key := firstGiven(foreign...); key != "" {
		return fmt.Errorf("%s: not part of version %d of Keystone's API, want the keys of that version", key, c.Version)
	}
	if c.application() {
		return c.validateApplication()
	}
	return c.validatePassword(o)
}

// validateApplication checks the keys of an application credential.
func (c *OpenStack) validateApplication() error {
	key := firstGiven(slices.Concat(c.passwordKeys(), c.projectKeys())...)
	switch {
	case key != "":
		return fmt.Errorf("%s: given with an application credential, which is bound to a user and a project, want none", key)
	case c.ApplicationSecret == "" && c.ApplicationSecretFile == "":
		return errors.New("application_credential_secret: missing, want it or application_credential_secret_file")
	case c.ApplicationID != "":
		return nil
	case c.ApplicationName == "":
		return errors.New("application_credential_id: missing, want it or application_credential_name")
	case c.Username == "" && c.UserID == "":
		return errors.New("application_credential_name: given without its user, want username or user_id too")
	}
	return c.validateDomain()
}

// validatePassword checks the keys of a login with a password.
func (c *OpenStack) validatePassword(o Options) error {
	if c.Credential != "" {
		if _, err := c.picked(o, c.Credential); err != nil {
			return err
		}
	} else {
		switch {
		case c.Username == "" && c.UserID == "" && c.Version == 2:
			return errors.New("username: missing, want it or credential")
		case c.Username == "" && c.UserID == "":
			return errors.New("username: missing, want it, user_id, credential or an application credential")
		case c.Account.empty():
			return errors.New("password: missing, want it, password_file or credential")
		}
		if err := c.validateDomain(); err != nil {
			return err
		}
	}
	named, byDomain := c.ProjectName != "", c.ProjectDomainName != "" || c.ProjectDomainID != ""
	switch {
	case named && !byDomain:
		return errors.New("project_domain_name: missing, want it or project_domain_id with project_name")
	case !named && byDomain:
		return errors.New("project_name: missing, want it with the domain of a project")
	}
	return nil
}

// validateDomain wants the domain of a user who is given by name.
func (c *OpenStack) validateDomain() error {
	if c.Username != "" && !c.userDomain() && c.Version == 3 {
		return errors.New("user_domain_name: missing, want it or user_domain_id with username")
	}
	return nil
}

// picked gives the account of a named credential that suits the section. A credential without a name has the password of user_id.
func (c *OpenStack) picked(o Options, name string) (Account, error) {
	credential := o.Credentials.Find(name)
	switch {
	case credential == nil:
		return Account{}, fmt.Errorf("credential: %q is not configured, want it under credentials", name)
	case c.application():
		return Account{}, fmt.Errorf("credential: %q picked for an application credential, which has its own secret, want none", name)
	case credential.Account.empty():
		return Account{}, fmt.Errorf("credential: %q has no password, want one", name)
	case credential.Username == "" && c.UserID == "":
		return Account{}, fmt.Errorf("credential: %q has no username, want one, or user_id in the module", name)
	case credential.Username != "" && c.UserID != "":
		return Account{}, fmt.Errorf("credential: %q has a username and the module has user_id, want one of them", name)
	case credential.Username != "" && !c.userDomain() && c.Version == 3:
		return Account{}, fmt.Errorf("credential: %q has a username, want user_domain_name or user_domain_id in the module", name)
	}
	return credential.Account, nil
}

// login finds who asks for a token: whom the target picks, else whom the module names. Without an error there is a secret.
func (c *OpenStack) login(o Options, t probe.Target) (*login, error) {
	name, account, key := cmp.Or(t.Credential, c.Credential), c.Account, "password_file"
	if name != "" {
		var err error
		if account, err = c.picked(o, name); err != nil {
			return nil, probe.Failf(probe.ReasonConfig, "openstack: %w", err)
		}
	} else if c.application() {
		account.Password, account.PasswordFile, key = c.ApplicationSecret, c.ApplicationSecretFile, "application_credential_secret_file"
	}
	l := &login{Login: probe.Login{Credential: name, Username: account.Username, Address: c.address, Fixed: true}, username: account.Username}
	var err error
	if l.Secret, err = readSecret(o, "openstack: "+key, account.Password, account.PasswordFile); err == nil && l.Secret == "" {
		err = probe.Failf(probe.ReasonConfig, "reading openstack: %s: it is empty, want a secret", key)
	}
	return l, err
}

// Logins tells who gets which secret: Keystone the password, and the target a token that is not known yet, in whose place stands the
// password that it is given for: a token for another one is another secret. Without
// openstack, what a module sends is the business of blackbox_exporter's keys.
func (h *HTTP) Logins(t probe.Target) ([]probe.Login, error) {
	if h.OpenStack == nil {
		return nil, nil
	}
	p := &httpProbe{HTTP: h, target: t}
	if err := p.parse(); err != nil {
		return nil, err
	}
	l, err := h.OpenStack.login(h.options, t)
	if l == nil {
		return nil, err
	}
	token := probe.Login{Credential: l.Credential, Username: l.Username, Address: hostPortOf(p.url), Secret: l.Secret}
	return []probe.Login{l.Login, token}, nil // a secret that cannot be read is the probe's failure
}

// sendsSecrets is that of confidant: only for openstack the rule of where secrets may go holds.
func (h *HTTP) sendsSecrets() bool { return h.OpenStack != nil }
