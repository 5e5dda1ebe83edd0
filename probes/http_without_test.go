// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && (nohttp3 || nocel || noopenstack)

package probes

import "testing"

// TestHTTPWithoutParts refuses modules that need what the build leaves out.
func TestHTTPWithoutParts(t *testing.T) {
	refused := map[string]string{}
	if missingHTTP3() != nil {
		refused["enable_http3: true\nenable_http2: false"] = "enable_http3: HTTP/3 is not part of this build"
	}
	if _, err := compileCEL("true"); err != nil {
		refused[`fail_if_body_json_matches_cel: "true"`] = "fail_if_body_json_matches_cel: CEL is not part of this build"
		refused[`fail_if_body_json_not_matches_cel: "true"`] = "fail_if_body_json_not_matches_cel: CEL is not part of this build"
	}
	if missingOpenStack() != nil {
		refused["openstack: {auth_url: 'http://k', user_id: u, password: p}"] = "openstack: OpenStack is not part of this build"
	}
	if len(refused) == 0 {
		t.Fatal("nothing is left out of this build")
	}
	for keys, want := range refused {
		if _, err := buildHTTP(t, keys, Options{}); err == nil || err.Error() != `module "m": line 4: http: `+want {
			t.Errorf("%s: %v, want %s", keys, err, want)
		}
	}
}
