// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skywatch/probes"
)

// hostile are files that try to exhaust whoever reads them.
var hostile = map[string]string{
	"anchor in itself":      "checks: &a [*a]\n",
	"anchor in itself, map": "check_defaults: &a {every: *a}\n",
	"aliases of aliases": "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\n" +
		"d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e]\n" +
		"g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f]\nchecks: [*g, *g, *g, *g, *g, *g, *g, *g, *g]\n",
	"with itself":   "modules: {w: {prober: http}}\nchecks: [{name: a, module: w, targets: [{target: a, with: &w {headers: *w}}]}]\n",
	"with merged":   "modules: {w: {prober: http}}\nchecks: [{name: a, module: w, targets: [{target: a, with: &w {<<: *w}}]}]\n",
	"with text":     "modules: {w: {prober: http}}\nchecks: [{name: a, module: w, targets: [{target: a, with: text}]}]\n",
	"targets twice": "modules: {w: {prober: http}}\nchecks: [{name: a, module: w, targets: &t [{target: a}, *t]}]\n",
	"null target":   "modules: {w: {prober: http}}\nchecks: [{name: a, module: w, targets: [null]}]\n",
	"deep":          "checks: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
	"binary":        "modules: !!binary AAAA\n",
	"not UTF-8":     "time_zone: \xff\xfe\n",
	"merge of text": "check_defaults: {<<: text}\n",
	"null document": "~\n",
	"scalar":        "hello\n",
	"null check":    "checks: [null]\n",
	"null module":   "modules: {a: }\n",
	"zone is a dir": "time_zone: ../../../../etc\n",
}

func TestHostileFilesAreRefusedCleanly(t *testing.T) {
	for name, text := range hostile {
		if _, err := loadText(t, text); err == nil {
			t.Errorf("%s: was taken, want an error", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range hostile {
		f.Add([]byte(text))
	}
	f.Add([]byte(websites))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parse("testdata/fuzz.yml", text, probes.Options{})
		if err != nil {
			if !strings.HasPrefix(err.Error(), `reading configuration "testdata/fuzz.yml": `) {
				t.Errorf("error without its beginning: %v", err)
			}
			return
		}
		if _, err := c.YAML(); err != nil {
			t.Errorf("a good configuration cannot be shown: %v", err)
		}
	})
}
