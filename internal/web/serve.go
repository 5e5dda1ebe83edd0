// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"context"
	"errors"
	"fmt"
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

// Serve answers on what Listen gave until ctx ends or one of it fails, and closes it. Requests that run then have a few seconds to end;
// Serve returns when all have.
func Serve(ctx context.Context, h http.Handler, listeners []net.Listener, flags *web.FlagConfig, log *slog.Logger) error {
	return serveAll(ctx, h, listeners, flags, log, shutdownTimeout)
}

func serveAll(ctx context.Context, h http.Handler, listeners []net.Listener, flags *web.FlagConfig, log *slog.Logger, grace time.Duration) error {
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
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		// The toolkit changes the server that it is given, so they cannot share one.
		listen := func(server *http.Server) error { return web.Serve(l, server, flags, log) }
		servers.Go(func() {
			defer l.Close() // when it failed before it served
			if err := serve(ctx, newServer(requests, counted, log), listen, grace); err != nil {
				failed <- fmt.Errorf("answering on %q: %w", l.Addr(), err)
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
