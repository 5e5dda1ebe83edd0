// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !nocel

package probes

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/cel-go/cel"
)

// The bounds of one evaluation, besides the probe's own time. The library's cost limit is not used: its accounting makes an expression
// over a long list hundreds of times slower, more than what it would prevent.
const (
	celTime      = 2 * time.Second
	celInterrupt = 1000 // turns of a loop after which the time is looked at
)

// celEnvironment is made when the first module needs it.
var celEnvironment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(cel.Variable("body", cel.DynType), cel.Variable("headers", cel.MapType(cel.StringType, cel.ListType(cel.StringType))))
})

// celProgram is a compiled expression of the Common Expression Language.
type celProgram struct{ program cel.Program }

// compileCEL compiles an expression over the variable body, the decoded JSON, and headers, the lists of values by canonical name.
func compileCEL(text string) (celProgram, error) {
	env, err := celEnvironment()
	if err != nil {
		return celProgram{}, fmt.Errorf("preparing CEL: %w", err)
	}
	tree, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return celProgram{}, fmt.Errorf("compiling the CEL program %q: %s", text, strings.TrimPrefix(first, "ERROR: <input>:"))
	}
	program, err := env.Program(tree, cel.InterruptCheckFrequency(celInterrupt))
	if err != nil {
		return celProgram{}, fmt.Errorf("compiling the CEL program %q: %w", text, err)
	}
	return celProgram{program}, nil
}

// eval gives the value of the expression. The deadline of ctx ends it, and so does the bound on its time.
func (c celProgram) eval(ctx context.Context, variables map[string]any) (any, error) {
	within, cancel := context.WithTimeout(ctx, celTime)
	defer cancel()
	value, _, err := c.program.ContextEval(within, variables)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case within.Err() != nil:
		return nil, fmt.Errorf("it takes longer than %s", celTime)
	case err != nil:
		return nil, err
	}
	return value.Value(), nil
}
