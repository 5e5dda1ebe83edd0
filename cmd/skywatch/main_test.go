// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary answer to the name skywatch too, so that scripts drive the real program.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"skywatch": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values[sceneKey] = newScene(env)
			env.Setenv("TZ", "UTC")
			return os.Mkdir(env.WorkDir+"/mail", 0o700)
		},
		Cmds: commands,
	})
}
