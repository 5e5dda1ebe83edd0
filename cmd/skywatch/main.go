// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // small systems have no zone database
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program: it gives the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	p := &program{stdout: stdout, stderr: stderr}
	command, done, err := p.parse(args)
	if done {
		return 0
	}
	if err == nil {
		err = p.execute(command)
	}
	if err != nil && !errors.Is(err, errShown) {
		fmt.Fprintln(stderr, "skywatch:", err)
	}
	if err != nil {
		return 1
	}
	return 0
}

// errShown is a failure that the command has shown in its output; nothing is left to be said.
var errShown = errors.New("not all is well")

// execute runs a command until it is done or a signal ends it. A second signal kills.
func (p *program) execute(command string) error {
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer release()
	context.AfterFunc(ctx, release)
	return p.commands[command](ctx)
}

// hinted is an error with advice, which goes on lines of its own.
type hinted struct {
	error
	hints []string
}

// Error gives the message, then the hints.
func (h hinted) Error() string {
	return h.error.Error() + "\n  hint: " + strings.Join(h.hints, "\n  hint: ")
}

func hint(err error, hints ...string) error { return hinted{err, hints} }
