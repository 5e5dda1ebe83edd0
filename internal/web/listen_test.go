// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/exporter-toolkit/web"
)

func TestListenSaysWhatIsWanted(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	missing, empty := filepath.Join(t.TempDir(), "none.yml"), ""
	for _, test := range []struct {
		name, file string
		systemd    bool
		addresses  []string
		want       string
	}{
		{"taken", empty, false, []string{"127.0.0.1:0", taken.Addr().String()}, `listening on "` + taken.Addr().String() + `": bind: address already in use, want a free address`},
		{"foreign", empty, false, []string{"192.0.2.1:0"}, `listening on "192.0.2.1:0": bind: cannot assign requested address, want an address of this host`},
		{"no port", empty, false, []string{"localhost"}, `listening on "localhost": missing port in address, want host:port such as 127.0.0.1:9115 or :9115`},
		{"nonsense", empty, false, []string{"a:b:c"}, `listening on "a:b:c": too many colons in address, want host:port such as 127.0.0.1:9115 or :9115`},
		{"large", empty, false, []string{":99999"}, `listening on ":99999": invalid port, want host:port such as 127.0.0.1:9115 or :9115`},
		{"unknown", empty, false, []string{":htpp"}, `listening on ":htpp": lookup tcp/htpp: unknown port, want host:port such as 127.0.0.1:9115 or :9115`},
		{"vsock", empty, false, []string{"vsock://9115"}, `listening on "vsock://9115": missing port in address, want host:port such as 127.0.0.1:9115 or :9115`},
		{"no file", missing, false, []string{"127.0.0.1:0"}, `reading --web.config.file="` + missing + `": no such file or directory, want a readable file`},
		{"no sockets", empty, true, nil, `taking the sockets of systemd: no socket was handed over, want a start by a socket unit`},
	} {
		t.Run(test.name, func(t *testing.T) {
			all, err := Listen(&web.FlagConfig{WebListenAddresses: &test.addresses, WebSystemdSocket: &test.systemd, WebConfigFile: &test.file})
			if err == nil || err.Error() != test.want {
				t.Errorf("\n got %v\nwant %s", err, test.want)
			}
			closeAll(all)
		})
	}
}

func TestListenRefusesABadFile(t *testing.T) {
	no := false
	for text, want := range map[string]string{
		"nonsense: 1\n":                  "field nonsense not found",
		"basic_auth_users: {a: plain}\n": "hashedSecret too short",
		"tls_server_config: {cert_file: none.pem, key_file: none.pem}\n": "none.pem: no such file or directory",
	} {
		file := configFile(t, text)
		_, err := Listen(&web.FlagConfig{WebListenAddresses: &[]string{"127.0.0.1:0"}, WebSystemdSocket: &no, WebConfigFile: &file})
		if err == nil || !strings.HasPrefix(err.Error(), `reading --web.config.file="`+file+`": `) || !strings.Contains(err.Error(), want) ||
			!strings.HasSuffix(err.Error(), ", want a configuration of exporter-toolkit") {
			t.Errorf("%s: %v, want %q in it", text, err, want)
		}
	}
}

// TestListenTakesAllOrNone: what was taken before the failure is free again.
func TestListenTakesAllOrNone(t *testing.T) {
	first, err := net.Listen("tcp", "127.91.15.1:0") // where no other test looks for a port
	if err != nil {
		t.Fatal(err)
	}
	address, no, empty := first.Addr().String(), false, ""
	first.Close()
	if _, err := Listen(&web.FlagConfig{WebListenAddresses: &[]string{address, address}, WebSystemdSocket: &no, WebConfigFile: &empty}); err == nil {
		t.Fatal("one address was taken twice")
	}
	if first, err = net.Listen("tcp", address); err != nil {
		t.Errorf("%v, want it free again", err)
	} else {
		first.Close()
	}
}
