// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nossh

package probes

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"

	"golang.org/x/crypto/ssh"

	"skywatch/internal/probe"
)

// The bounds of what a command may say, in bytes; more on stderr is left out.
const (
	maxSSHOutput = 64 << 10
	maxSSHErrors = 1 << 10
)

// commandOutput keeps what a command says, up to a limit.
type commandOutput struct {
	text bytes.Buffer // not embedded: its ReadFrom has no limit
	max  int
	over func() // called when there is more; nil = that is left out
	full bool
}

// Write takes everything, so that the command is never held up.
func (o *commandOutput) Write(p []byte) (int, error) {
	room := min(len(p), o.max-o.text.Len())
	o.text.Write(p[:room])
	if room < len(p) && o.over != nil {
		o.full = true
		o.over()
		return room, io.ErrShortWrite
	}
	return len(p), nil
}

// run runs the command and judges what came of it.
func (c *sshClient) run(ctx context.Context, client *ssh.Client) error {
	session, err := client.NewSession()
	if refused := new(ssh.OpenChannelError); errors.As(err, &refused) {
		return probe.Failf(probe.ReasonResponse, "opening a session on %q: refused with %s, want it opened", c.server, c.r.Evidence(refused.Message))
	}
	if err != nil {
		return c.cut(ctx, client, "opening a session on", err)
	}
	out := &commandOutput{max: maxSSHOutput, over: func() { client.Close() }}
	errs := &commandOutput{max: maxSSHErrors}
	session.Stdout, session.Stderr = out, errs
	if err := session.Start(c.prober.Command); err != nil {
		return c.cut(ctx, client, "starting the command on", err)
	}
	status, err := exitStatus(session.Wait())
	if out.full {
		return probe.Failf(probe.ReasonResponse, "running %q on %q: more than %d bytes of output, want fewer", c.prober.Command, c.server, maxSSHOutput)
	}
	if err != nil {
		return c.cut(ctx, client, "waiting for the command on", err)
	}
	c.done("command")
	c.r.Log.Debug("command has ended", "status", status)
	c.r.Log.Debug("its output is " + c.r.Evidence(out.text.String()))
	c.r.Log.Debug("its errors are " + c.r.Evidence(errs.text.String()))
	c.r.Set(descSSHExit, float64(status))
	c.r.Set(descSSHOutput, float64(out.text.Len()))
	return c.judge(status, out, errs)
}

// judge compares with what is expected.
func (c *sshClient) judge(status int, out, errs *commandOutput) error {
	p := c.prober
	if status != p.ExpectExit {
		return probe.Failf(probe.ReasonResponse, "running %q on %q: exit status %d with %s on stderr, want %d",
			p.Command, c.server, status, c.r.Evidence(errs.text.String()), p.ExpectExit)
	}
	if p.ExpectOutput != nil && !p.ExpectOutput.Match(out.text.Bytes()) {
		return probe.Failf(probe.ReasonResponse, "running %q on %q: output %s, want what matches %q",
			p.Command, c.server, c.r.Evidence(out.text.String()), p.ExpectOutput.String())
	}
	return nil
}

// exitStatus gives the status of a command that ended, which is that of a shell (128 and the signal's number) when a signal ended it.
func exitStatus(err error) (int, error) {
	if exit := new(ssh.ExitError); errors.As(err, &exit) {
		return exit.ExitStatus(), nil
	}
	return 0, err
}

// cut says why a session ended early. The connection knows better than the session whether it was lost; it is of no more use.
func (c *sshClient) cut(ctx context.Context, client *ssh.Client, doing string, err error) error {
	if cause := hangUp(ctx, client); cause != nil && !errors.Is(cause, net.ErrClosed) { // it was not we who closed it
		err = cause
	}
	return c.lost(ctx, doing, err)
}

// hangUp ends a connection and waits until everything that ran for it has ended. It gives the reason why the connection ended first.
func hangUp(ctx context.Context, client *ssh.Client) error {
	client.Close()
	ended := make(chan error, 1)
	go func() { ended <- client.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done(): // see sshBurst; never seen
		return ctx.Err()
	}
}
