// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// TestEveryProberIsWhole lists what belongs to a prober beside its file.
func TestEveryProberIsWhole(t *testing.T) {
	manual, example := read(t, "../CONFIGURATION.md"), read(t, "../example.yml")
	for _, name := range Names() {
		if _, ok := subjects[name]; !ok {
			t.Errorf("prober %s: not in the conformance suite, want an enroll in probes/%s_test.go", name, name)
		}
		for _, file := range []string{name + ".go", name + "_test.go", "testdata/golden/" + name + ".prom"} {
			if _, err := os.Stat(file); err != nil {
				t.Errorf("prober %s: %v, want probes/%s", name, err, file)
			}
		}
		if !bytes.Contains(read(t, name+".go"), []byte("//go:build !no"+name+"\n")) {
			t.Errorf("prober %s: probes/%s.go has no build tag, want //go:build !no%s", name, name, name)
		}
		if text := heading(string(manual), name); !strings.Contains(text, "prober: "+name) {
			t.Errorf("prober %s: want a heading `### %s` in CONFIGURATION.md, and below it an example with `prober: %s`", name, name, name)
		}
		if !slices.Contains(exampleProbers(t, example), name) {
			t.Errorf("prober %s: no module in example.yml, want one", name)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return data
}

// heading gives the text below a heading of the third level, up to the next one of that level or above.
func heading(manual, name string) string {
	_, text, _ := strings.Cut("\n"+manual, "\n### "+name+"\n")
	if end := regexp.MustCompile(`(?m)^#{1,3} `).FindStringIndex(text); end != nil {
		text = text[:end[0]]
	}
	return text
}

func exampleProbers(t *testing.T, example []byte) []string {
	t.Helper()
	var file struct {
		Modules map[string]struct{ Prober string }
	}
	if err := yaml.Unmarshal(example, &file); err != nil {
		t.Errorf("example.yml: %v", err)
	}
	var probers []string
	for _, m := range file.Modules {
		probers = append(probers, m.Prober)
	}
	return probers
}

// TestKnownNamesAreFresh compares the generated list with the files.
func TestKnownNamesAreFresh(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{}
	call := regexp.MustCompile(`\bregister\("(\w+)", `)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "known_main.go" || file == "doc.go" {
			continue
		}
		if found := call.FindSubmatch(read(t, file)); found != nil {
			want = append(want, string(found[1]))
		}
	}
	if diff := cmp.Diff(want, generatedNames); diff != "" {
		t.Errorf("known_gen.go is stale (-files +list), run go generate ./probes:\n%s", diff)
	}
	if missing := slices.DeleteFunc(Names(), known); len(missing) > 0 {
		t.Errorf("%q are registered but not known", missing)
	}
}

// Parrot is a prober that this test file alone adds: it wants its word back.
type Parrot struct {
	Word   string       `yaml:"word"`
	Feed   probe.Secret `yaml:"feed,omitempty"`
	dialer dialer
}

var descParrot = &probe.Desc{Name: "probe_parrot_echo_bytes", Help: "What the parrot said."}

// Validate checks the module.
func (p *Parrot) Validate() (err error) {
	if p.Word == "" {
		return fmt.Errorf("no word, want one")
	}
	p.dialer, err = defaultIPConfig.dialer(Options{Resolver: localhost})
	return err
}

// Probe says the word.
func (p *Parrot) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	host, port, err := splitTarget(ctx, t)
	if err != nil {
		return err
	}
	addr, err := p.dialer.resolve(ctx, host, r)
	if err != nil {
		return err
	}
	conn, err := p.dialer.dial(ctx, "tcp", netip.AddrPortFrom(addr, port), r, 0)
	if err != nil {
		return err
	}
	defer conn.Close()
	return p.talk(r.Conn(conn), r)
}

func (p *Parrot) talk(conn net.Conn, r *probe.Recorder) error {
	if _, err := io.WriteString(conn, p.Word+"\n"); err != nil {
		return probe.Failf(probe.ReasonProtocol, "saying the word: %w", err)
	}
	answer := make([]byte, len(p.Word)+1)
	n, err := io.ReadFull(conn, answer)
	if err != nil {
		return probe.Failf(probe.ReasonProtocol, "listening: %w", err)
	}
	r.Set(descParrot, float64(n))
	if string(answer) != p.Word+"\n" {
		return probe.Failf(probe.ReasonResponse, "listening: got %s, want the word", r.Evidence(string(answer)))
	}
	return nil
}

// TestAddingAProber shows that a prober needs its registration and nothing else: it is decoded as strictly as any, its secrets are
// found and hidden, and it is run through the conformance suite.
func TestAddingAProber(t *testing.T) {
	register("parrot", func(Options) probe.Prober { return &Parrot{Word: "hello"} }, append(slices.Clone(dialDescs), descParrot)...)
	defer delete(registered, "parrot")
	modules, err := buildModules(t, Options{}, "modules: {m: {prober: parrot, parrot: {word: hi, feed: planted}}}")
	if err != nil {
		t.Fatal(err)
	}
	if m := modules.All()["m"]; m.Kind != "parrot" || !slices.Equal(m.Secrets, []probe.Secret{"planted"}) {
		t.Errorf("module %+v with %d secrets", m, len(m.Secrets))
	}
	for text, want := range map[string]string{
		"parrot: {wrod: hi}": `module "m": parrot: line 1: unknown field "wrod"`,
		"parrot: {word: ''}": `module "m": line 1: parrot: no word, want one`,
	} {
		if _, err := buildModules(t, Options{}, "modules: {m: {prober: tcp, "+text+"}}"); err == nil || err.Error() != want {
			t.Errorf("%s gives %v, want %s", text, err, want)
		}
	}
	conform(t, "parrot", subject{
		section: "{word: hello}",
		healthy: func(t testing.TB) string {
			return probetest.Serve(t, probetest.Line("hello\n"), probetest.Send("hello\n")).Addr
		},
		presence: map[situation]string{refused: tcpDialMetrics, healthy: tcpDialMetrics + " " + descParrot.Name},
	})
}

// TestRegisterTwicePanics: two files cannot claim the same name.
func TestRegisterTwicePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("registered twice, want a panic")
		}
	}()
	register(slices.Collect(maps.Keys(registered))[0], nil)
}
