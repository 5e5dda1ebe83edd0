// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
)

// The bounds of the server. A probe's answer may take long, so writing has none.
const (
	headerTimeout   = 10 * time.Second
	idleTimeout     = 2 * time.Minute
	maxHeaderBytes  = 64 << 10
	shutdownTimeout = 3 * time.Second
)

// Serve answers on all addresses of the flags until ctx ends or one of them fails. Requests that run then have a few seconds to end;
// Serve returns when all have.
func Serve(ctx context.Context, h http.Handler, flags *web.FlagConfig, log *slog.Logger) error {
	return serveAll(ctx, h, flags, log, shutdownTimeout)
}

func serveAll(ctx context.Context, h http.Handler, flags *web.FlagConfig, log *slog.Logger, grace time.Duration) error {
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var running, servers sync.WaitGroup
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Done()
		h.ServeHTTP(w, r)
	})
	parts, err := split(flags, log)
	if err != nil {
		return err
	}
	failed := make(chan error, len(parts))
	for _, listen := range parts {
		servers.Go(func() {
			if err := serve(ctx, newServer(requests, counted, log), listen, grace); err != nil {
				failed <- err
				stop()
			}
		})
	}
	servers.Wait()
	cancel()
	running.Wait()
	close(failed)
	return <-failed // nil when none did
}

// split gives what answers on each address or socket: the toolkit changes the server that it is given, so they cannot share one.
func split(flags *web.FlagConfig, log *slog.Logger) (parts []func(*http.Server) error, err error) {
	if flags.WebSystemdSocket != nil && *flags.WebSystemdSocket {
		sockets, err := systemdSockets()
		for _, l := range sockets {
			parts = append(parts, func(server *http.Server) error { return web.Serve(l, server, flags, log) })
		}
		return parts, err
	}
	for _, address := range *flags.WebListenAddresses {
		one := &web.FlagConfig{WebListenAddresses: &[]string{address}, WebSystemdSocket: flags.WebSystemdSocket, WebConfigFile: flags.WebConfigFile}
		parts = append(parts, func(server *http.Server) error { return web.ListenAndServe(server, one, log) })
	}
	return parts, nil
}

func newServer(requests context.Context, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what clients do wrong
		BaseContext:       func(net.Listener) context.Context { return requests },
	}
}

// serve runs one server until ctx ends.
func serve(ctx context.Context, server *http.Server, listen func(*http.Server) error, grace time.Duration) error {
	ended := make(chan error, 1)
	go func() { ended <- listen(server) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(within); err != nil {
		server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
