// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"skywatch/history"
)

// The daemon answers commands on a socket beside the history, which only its owner may open.
//
//	GET  /summary  the summary as it would be sent now
//	POST /summary  send it now

const (
	commandTimeout = 30 * time.Second
	listenAgain    = 5 * time.Second // between looks at a history that cannot be written
	maxAnswer      = 16 << 20
)

// summary is the text of a daily summary.
type summary struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// answerCommands serves the socket while this process holds the history's lock.
func (d *daemon) answerCommands(ctx context.Context) error {
	l := d.listen(ctx)
	if l == nil {
		return nil
	}
	server := &http.Server{
		Handler: d.commandHandler(), ReadHeaderTimeout: commandTimeout, ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	<-ctx.Done()
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if server.Shutdown(within) != nil {
		server.Close()
	}
	<-ended
	return nil
}

// listen waits until the history is open, and so this process the holder of its lock. Without a socket the daemon works, commands do not:
// the log says so, and nil is given when ctx has ended.
func (d *daemon) listen(ctx context.Context) net.Listener {
	for d.waitOpened(ctx) {
		if d.store.Err() == nil {
			l, err := history.Listen(d.live.Current().History.Path)
			if err == nil {
				return l
			}
			d.log.Error("commands cannot reach this process", "err", err)
			<-ctx.Done()
		}
		select {
		case <-time.After(listenAgain):
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

func (d *daemon) commandHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /summary", func(w http.ResponseWriter, r *http.Request) {
		subject, text, err := d.alerter.Summary(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(summary{subject, text})
	})
	mux.HandleFunc("POST /summary", func(w http.ResponseWriter, r *http.Request) {
		if err := d.alerter.SendSummary(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return mux
}

// errNoDaemon is a socket on which nobody answers.
var errNoDaemon = errors.New("no daemon answers")

// ask sends a command to the daemon that holds the history at path.
func ask(ctx context.Context, path, method, command string) ([]byte, error) {
	name := path + ".sock"
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", name)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: commandTimeout}
	request, err := http.NewRequestWithContext(ctx, method, "http://skywatch/"+command, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if dialing := new(net.OpError); errors.As(err, &dialing) && dialing.Op == "dial" {
		return nil, fmt.Errorf("asking %q: %w: %w", name, errNoDaemon, dialing.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("asking %q: %w, want an answer of the daemon", name, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("asking %q: %s", name, bytes.TrimSpace(body))
	}
	return body, err
}
