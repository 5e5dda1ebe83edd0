// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"skywatch/probes"
)

// Live is the configuration in force. It is safe for concurrent use.
type Live struct {
	path    string
	options probes.Options
	current atomic.Pointer[Config]

	mu       sync.Mutex // one change at a time; guards what follows
	checksum [sha256.Size]byte
	apply    func(*Config) error

	succeeded atomic.Bool
	succeedAt atomic.Int64 // unix seconds
}

// NewLive loads the file and keeps it current. The gauges of reloading are registered under our names and blackbox_exporter's.
func NewLive(path string, o probes.Options, reg prometheus.Registerer) (*Live, error) {
	l := &Live{path: path, options: o}
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	c, err := parse(path, data, o)
	if err != nil {
		return nil, err
	}
	l.keep(c, sha256.Sum256(data))
	l.register(reg)
	return l, nil
}

func (l *Live) keep(c *Config, checksum [sha256.Size]byte) {
	l.checksum = checksum
	l.current.Store(c)
	l.succeed()
}

func (l *Live) succeed() {
	l.succeeded.Store(true)
	l.succeedAt.Store(time.Now().Unix())
}

// Current gives the configuration in force.
func (l *Live) Current() *Config { return l.current.Load() }

// OnApply says what must take over a new configuration before it is in force; an error of it refuses the configuration.
func (l *Live) OnApply(apply func(*Config) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.apply = apply
}

// Reload reads the file again and swaps the whole configuration. With an error the old one stays. Content that is in force already
// is a success without a change.
func (l *Live) Reload() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.reload(); err != nil {
		l.succeeded.Store(false)
		return err
	}
	return nil
}

func (l *Live) reload() error {
	data, err := read(l.path)
	if err != nil {
		return err
	}
	checksum := sha256.Sum256(data)
	if checksum == l.checksum {
		l.unchanged()
		return nil
	}
	c, err := parse(l.path, data, l.options)
	if err != nil {
		return err
	}
	if was := l.Current().History.Path; c.History.Path != was {
		return failure(l.path, fmt.Errorf("history: path: changed from %q to %q: restart needed, want it unchanged by a reload", was, c.History.Path))
	}
	if l.apply != nil {
		if err := l.apply(c); err != nil {
			return failure(l.path, err)
		}
	}
	l.keep(c, checksum)
	return nil
}

// unchanged notes a reload that found nothing new. blackbox_exporter counts it as a new success; we leave the time of the last change.
func (l *Live) unchanged() {
	if l.options.Compat == probes.Exact {
		l.succeed()
	}
	l.succeeded.Store(true)
}

func (l *Live) register(reg prometheus.Registerer) {
	for _, prefix := range []string{"skywatch", "blackbox_exporter"} {
		reg.MustRegister(
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: prefix + "_config_last_reload_successful",
				Help: "Whether the last attempt to load the configuration succeeded.",
			}, func() float64 {
				if l.succeeded.Load() {
					return 1
				}
				return 0
			}),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: prefix + "_config_last_reload_success_timestamp_seconds",
				Help: "When the configuration was last loaded successfully.",
			}, func() float64 { return float64(l.succeedAt.Load()) }),
		)
	}
}
