// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"net/url"
	"reflect"
	"strings"

	"skywatch/internal/probe"
)

// secretsOf collects the secrets that are written inside a prober's configuration: every string type named Secret (ours and that of
// prometheus/common) and the passwords of URLs, those that are written as a text such as token_url included. Unexported fields hold nothing that was configured.
func secretsOf(p probe.Prober) []probe.Secret {
	var found []probe.Secret
	walkSecrets(reflect.ValueOf(p), func(secret string) {
		if secret != "" {
			found = append(found, probe.Secret(secret))
		}
	})
	return found
}

func walkSecrets(v reflect.Value, found func(string)) {
	switch v.Kind() {
	case reflect.String:
		if v.Type().Name() == "Secret" {
			found(v.String())
		} else if t := probe.NewTarget(v.String()); strings.Contains(v.String(), ":/") && t.Password() != "" {
			for _, secret := range t.Secrets() {
				found(secret.Reveal())
			}
		}
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if u, ok := v.Interface().(*url.URL); ok {
			password, _ := u.User.Password()
			found(password)
			return
		}
		walkSecrets(v.Elem(), found)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				walkSecrets(v.Field(i), found)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			walkSecrets(v.Index(i), found)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			walkSecrets(v.MapIndex(key), found)
		}
	}
}
