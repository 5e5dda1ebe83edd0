// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/probes"
)

func TestInvalidFilesGiveOneClearError(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid-*.yml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "invalid-"), ".yml")
		names = append(names, name)
		t.Run(name, func(t *testing.T) {
			_, err := Load(file, probes.Options{})
			if err == nil {
				t.Fatal("the file was taken, want an error")
			}
			if diff := cmp.Diff("reading configuration \""+file+"\": "+strings.ReplaceAll(invalid[name], "{probers}", strings.Join(probes.Names(), ", ")), err.Error()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
	slices.Sort(names)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(invalid)), names); diff != "" {
		t.Errorf("files (-with a message, +present):\n%s", diff)
	}
}
