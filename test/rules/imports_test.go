// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package rules

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	leaf1 = "internal/probe"
	leaf2 = "internal/record"
)

// mayImport is the layer table: what a package may import of ours. cmd may import everything, and what is not here nothing.
var mayImport = map[string][]string{
	leaf1:                {},
	leaf2:                {leaf1},
	"probes":             {leaf1, leaf2},
	"history":            {leaf1, leaf2},
	"alerting":           {leaf1, leaf2},
	"collector":          {leaf1, leaf2},
	"dashboards":         {},
	"internal/schedule":  {leaf1, leaf2},
	"internal/lockout":   {leaf1},
	"internal/web":       {leaf1, leaf2},
	"internal/inventory": {leaf1, leaf2},
	"internal/probetest": {leaf1, leaf2},
	"internal/config":    {leaf1, leaf2, "probes", "alerting", "history", "internal/lockout"},
}

// testsMayImport is what tests of any package may import besides.
var testsMayImport = []string{"internal/probetest"}

// testMayImport is what the tests of one package may import besides: the outbox is driven through every fault on the real store too.
var testMayImport = map[string][]string{"alerting": {"history"}}

// sqlDrivers are the modules that only the named file may know.
var sqlDrivers = map[string]string{
	"modernc.org/sqlite":            "history/driver_modernc",
	"github.com/ncruces/go-sqlite3": "history/driver_ncruces",
}

func TestLayers(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range imports(t, s) {
			if within, is := ours(imported); is && !allowed(s, within) {
				t.Errorf("%s imports %s, which the layer table does not allow", s.name, within)
			}
		}
	}
}

func imports(t *testing.T, s source) (all []string) {
	for _, spec := range s.file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Errorf("%s: import %s: %v", s.name, spec.Path.Value, err)
		}
		all = append(all, imported)
	}
	return all
}

func allowed(s source, imported string) bool {
	switch {
	case strings.HasPrefix(s.name, "cmd/"), s.dir() == imported:
		return imported != "internal/probetest" || s.isTest()
	case s.isTest() && slices.Contains(slices.Concat(testsMayImport, testMayImport[s.dir()]), imported):
		return true
	case strings.HasPrefix(s.name, "test/"):
		return s.isTest()
	}
	return slices.Contains(mayImport[s.dir()], imported)
}

func TestLeavesUseTheStandardLibraryOnly(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || s.dir() != leaf1 && s.dir() != leaf2 {
			continue
		}
		for _, imported := range imports(t, s) {
			if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
				t.Errorf("%s imports %s, want the standard library only in a leaf", s.name, imported)
			}
		}
	}
}

func TestProbersKnowNoMetricLibrary(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range imports(t, s) {
			if s.dir() == "probes" && strings.HasPrefix(imported, "github.com/prometheus/client_golang") {
				t.Errorf("%s imports %s, want samples set through the Recorder", s.name, imported)
			}
		}
	}
}

func TestOnlyDriverFilesKnowDrivers(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range imports(t, s) {
			for driver, file := range sqlDrivers {
				if strings.HasPrefix(imported, driver) && !strings.HasPrefix(s.name, file) && !s.isTest() {
					t.Errorf("%s imports %s, want that in %s*.go only", s.name, imported, file)
				}
			}
		}
	}
}

func TestEveryPackageIsInTheTable(t *testing.T) {
	for _, s := range sources(t) {
		dir := s.dir()
		if _, known := mayImport[dir]; !known && !strings.HasPrefix(dir, "cmd/") && !strings.HasPrefix(dir, "test/") {
			t.Errorf("%s: package %s is not in the layer table", s.name, dir)
		}
	}
}
