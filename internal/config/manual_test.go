// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"skywatch/probes"
)

// TestManualExamplesLoad takes every example of modules out of CONFIGURATION.md as it stands there: it is a whole file, and is taken. Secrets of
// credentials must be there when a file is loaded, so those it names are.
func TestManualExamplesLoad(t *testing.T) {
	manual, err := os.ReadFile("../../CONFIGURATION.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets", "mailbox"), []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	headings := regexp.MustCompile(`(?m)^#{2,3} `)
	block := regexp.MustCompile(`(?m)^    modules:\n(?:    .*\n|\n    )*`)
	examples := 0
	for _, section := range headings.Split(string(manual), -1) {
		heading, _, _ := strings.Cut(section, "\n")
		for _, example := range block.FindAllString(section, -1) {
			examples++
			file := filepath.Join(dir, "skywatch.yml")
			if err := os.WriteFile(file, []byte(regexp.MustCompile(`(?m)^    `).ReplaceAllString(example, "")), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(file, probes.Options{}); err != nil {
				t.Errorf("%s: %v\n%s", heading, err, example)
			}
		}
	}
	if least := len(probes.Names()); examples < least {
		t.Errorf("found %d examples, want at least one for each of the %d probers", examples, least)
	}
}
