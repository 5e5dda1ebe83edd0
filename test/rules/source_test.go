// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "skywatch"
)

// source is a parsed Go file of the module.
type source struct {
	name string // relative to the root, with slashes
	text string
	set  *token.FileSet
	file *ast.File
}

func (s source) dir() string     { return path.Dir(s.name) }
func (s source) isTest() bool    { return strings.HasSuffix(s.name, "_test.go") }
func (s source) ignored() bool   { return strings.Contains(s.text, "\n//go:build ignore\n") }
func (s source) generated() bool { return ast.IsGenerated(s.file) }

// line gives the line of a position.
func (s source) line(p token.Pos) int { return s.set.Position(p).Line }

// ours gives the directory of an import within the module.
func ours(imported string) (string, bool) { return strings.CutPrefix(imported, module+"/") }

// sources parses all Go files of the module.
func sources(t *testing.T) (all []source) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		s, err := parse(name)
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("%d Go files found, want the whole module", len(all))
	}
	return all
}

func parse(name string) (source, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return source{}, err
	}
	relative, err := filepath.Rel(root, name)
	if err != nil {
		return source{}, err
	}
	s := source{name: filepath.ToSlash(relative), text: string(text), set: token.NewFileSet()}
	s.file, err = parser.ParseFile(s.set, s.name, text, parser.ParseComments|parser.SkipObjectResolution)
	return s, err
}
