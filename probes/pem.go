// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"skywatch/internal/probe"
)

// pemText is certificate or key material, or another text that is costly to parse, and what was parsed from it. It is made once per content, so that no probe parses anything
// that did not change.
type pemText struct {
	data []byte
	pool func() (*x509.CertPool, error)

	once    sync.Once
	derived any // see derive
	failed  error

	mu   sync.Mutex
	key  *pemText // what pair was made with
	pair tls.Certificate
}

func newPEM(data []byte) *pemText {
	return &pemText{data: data, pool: sync.OnceValues(func() (*x509.CertPool, error) {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(data) {
			return nil, errors.New("no certificate found, want PEM text")
		}
		return pool, nil
	})}
}

// derive gives what parse makes of a text that is not a certificate, such as known_hosts. A text has one parser.
func (p *pemText) derive(parse func() (any, error)) (any, error) {
	p.once.Do(func() { p.derived, p.failed = parse() })
	return p.derived, p.failed
}

// withKey gives the pair of this certificate and a key.
func (p *pemText) withKey(key *pemText) (tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.key == key {
		return p.pair, nil
	}
	pair, err := tls.X509KeyPair(p.data, key.data)
	if err != nil {
		return tls.Certificate{}, err
	}
	p.key, p.pair = key, pair
	return pair, nil
}

// pemCache keeps the files that were read, by path. A file is read again when its size, time or inode changed, and parsed again when
// its content did.
type pemCache struct {
	mu    sync.Mutex
	files map[string]pemFile
}

type pemFile struct {
	info fs.FileInfo
	text *pemText
}

// load opens a file of a module; the trace says which one was used.
func (c *pemCache) load(o Options, path string, log *slog.Logger) (*pemText, error) {
	found, info, err := o.locate(path)
	if err != nil {
		return nil, probe.Failf(probe.ReasonConfig, "opening %q: %w, want a readable file", path, errors.Unwrap(err))
	}
	log.Debug("using file", "path", found)
	if c == nil {
		c = new(pemCache)
	}
	text, err := c.read(found, info)
	if err != nil {
		return nil, probe.Failf(probe.ReasonConfig, "reading %q: %w, want a readable file", found, errors.Unwrap(err))
	}
	return text, nil
}

func (c *pemCache) read(path string, info fs.FileInfo) (*pemText, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, ok := c.files[path]
	if ok && os.SameFile(old.info, info) && old.info.Size() == info.Size() && old.info.ModTime().Equal(info.ModTime()) {
		return old.text, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text := old.text
	if !ok || !bytes.Equal(text.data, data) {
		text = newPEM(data)
	}
	if c.files == nil {
		c.files = make(map[string]pemFile)
	}
	c.files[path] = pemFile{info, text}
	return text, nil
}
