// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package rules

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

const header = "// SPDX-License-Identifier: Apache-2.0\n// Copyright The skywatch Authors\n\n"

// The bounds of size, in lines.
const (
	longestFunction = 80
	longestFile     = 400
)

// vagueWords say nothing about what a package or file owns.
var vagueWords = []string{"util", "utils", "common", "manager", "service", "helper", "helpers", "misc"}

func TestLicenceHeader(t *testing.T) {
	for _, s := range sources(t) {
		if !strings.HasPrefix(s.text, header) {
			t.Errorf("%s: does not begin with the licence header and an empty line", s.name)
		}
	}
}

func TestPackageDocumentation(t *testing.T) {
	documented := map[string]int{}
	for _, s := range sources(t) {
		if s.ignored() {
			continue
		}
		if s.file.Doc != nil && !s.isTest() {
			documented[s.dir()]++
		} else {
			documented[s.dir()] += 0
		}
	}
	for dir, n := range documented {
		if n != 1 {
			t.Errorf("%s: %d package comments, want 1", dir, n)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || s.file.Name.Name == "main" || s.generated() {
			continue
		}
		for _, d := range s.file.Decls {
			undocumented(d, func(name *ast.Ident) { t.Errorf("%s:%d: %s has no comment", s.name, s.line(name.Pos()), name.Name) })
		}
	}
}

// undocumented calls report for each exported name of a declaration that no comment speaks of.
func undocumented(d ast.Decl, report func(*ast.Ident)) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && onExported(d) {
			report(d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
					report(spec.Name)
				}
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					if name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
						report(name)
					}
				}
			}
		}
	}
}

// onExported tells whether a function is no method, or one of an exported type.
func onExported(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	kind := f.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	if generic, ok := kind.(*ast.IndexExpr); ok {
		kind = generic.X
	}
	name, ok := kind.(*ast.Ident)
	return ok && name.IsExported()
}

func TestSize(t *testing.T) {
	for _, s := range sources(t) {
		if s.generated() {
			continue
		}
		if lines := strings.Count(s.text, "\n"); lines > longestFile {
			t.Errorf("%s: %d lines, want at most %d", s.name, lines, longestFile)
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			var name string
			switch f := n.(type) {
			case *ast.FuncDecl:
				name = f.Name.Name
			case *ast.FuncLit:
				name = "a function"
			default:
				return true
			}
			if lines := s.line(n.End()) - s.line(n.Pos()) + 1; lines > longestFunction {
				t.Errorf("%s:%d: %s has %d lines, want at most %d", s.name, s.line(n.Pos()), name, lines, longestFunction)
			}
			return true
		})
	}
}

func TestNames(t *testing.T) {
	for _, s := range sources(t) {
		words := strings.FieldsFunc(strings.TrimSuffix(s.name, ".go"), func(r rune) bool { return r == '/' || r == '_' })
		for _, word := range append(words, s.file.Name.Name) {
			if slices.Contains(vagueWords, word) {
				t.Errorf("%s: %q does not say what is in it", s.name, word)
			}
		}
	}
}

func TestNoGlobalState(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || s.generated() || s.ignored() {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "init" && s.dir() != "probes" {
				t.Errorf("%s:%d: init, want that for the registration of probers only", s.name, s.line(f.Pos()))
			}
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
				uninitialised(g, func(name *ast.Ident) {
					t.Errorf("%s:%d: variable %s without a value, want no global state", s.name, s.line(name.Pos()), name.Name)
				})
			}
		}
	}
}

// embeds tells whether one of the comments makes files the value.
func embeds(comments ...*ast.CommentGroup) bool {
	for _, group := range comments {
		if group != nil && slices.ContainsFunc(group.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") }) {
			return true
		}
	}
	return false
}

// uninitialised calls report for each package variable that can only be meant to be written later.
func uninitialised(g *ast.GenDecl, report func(*ast.Ident)) {
	for _, spec := range g.Specs {
		value := spec.(*ast.ValueSpec)
		for _, name := range value.Names {
			if len(value.Values) == 0 && name.Name != "_" && !embeds(g.Doc, value.Doc) {
				report(name)
			}
		}
	}
}
