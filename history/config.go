// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"fmt"
	"time"

	"skywatch/internal/probe"
)

// Config is the `history:` section of the configuration.
type Config struct {
	Path          string         `yaml:"path"`           // the SQLite file; <path>.lock and <path>.sock lie beside it
	MaxSize       probe.Bytes    `yaml:"max_size"`       // bound of file and write-ahead log together
	FlushInterval probe.Duration `yaml:"flush_interval"` // raw results wait at most this long for their commit
	RequestShare  float64        `yaml:"request_share"`  // share of the raw slots that /probe results get; 0 = none are kept
}

// The bounds of a Config.
const (
	minMaxSize       = probe.Bytes(1 << 20)
	maxMaxSize       = probe.Bytes(1 << 40)
	minFlushInterval = probe.Duration(time.Second)
	maxFlushInterval = probe.Duration(time.Hour)
	maxRequestShare  = 0.9
)

// DefaultConfig is what holds where the configuration is silent.
func DefaultConfig() Config {
	return Config{Path: "skywatch.db", MaxSize: 64 << 20, FlushInterval: probe.Duration(time.Minute), RequestShare: 0.1}
}

// Validate tells what is wrong with the section.
func (c Config) Validate() error {
	switch {
	case c.Path == "":
		return fmt.Errorf(`reading "history.path": empty, want the name of a file`)
	case c.MaxSize < minMaxSize || c.MaxSize > maxMaxSize:
		return fmt.Errorf(`reading "history.max_size": %s, want %s to %s`, c.MaxSize, minMaxSize, maxMaxSize)
	case c.FlushInterval < minFlushInterval || c.FlushInterval > maxFlushInterval:
		return fmt.Errorf(`reading "history.flush_interval": %s, want %s to %s`, c.FlushInterval, minFlushInterval, maxFlushInterval)
	case !(c.RequestShare >= 0 && c.RequestShare <= maxRequestShare):
		return fmt.Errorf(`reading "history.request_share": %v, want 0 to %v`, c.RequestShare, maxRequestShare)
	}
	return nil
}
