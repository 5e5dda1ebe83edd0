// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && nocel

package probes

import (
	"context"
	"errors"
)

var errNoCEL = errors.New("CEL is not part of this build")

type celProgram struct{}

// compileCEL refuses a module that needs CEL.
func compileCEL(string) (celProgram, error) { return celProgram{}, errNoCEL }

func (celProgram) eval(context.Context, map[string]any) (any, error) { return nil, errNoCEL }
