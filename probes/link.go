// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"skywatch/internal/probe"
)

// The forms of `tls` of a service.
const (
	tlsNone     = "none"     // everything in clear text
	tlsStart    = "starttls" // clear text up to the command that begins TLS, which must be there
	tlsImplicit = "tls"      // TLS from the first byte
)

// ServiceConfig is what the service probers have in common: how to get to the server, how to secure the way, who logs in. It is embedded
// inline.
type ServiceConfig struct {
	IPConfig    `yaml:",inline"`
	TLS         string    `yaml:"tls"` // tlsNone, tlsStart or tlsImplicit
	TLSConfig   TLSConfig `yaml:"tls_config,omitempty"`
	LoginConfig `yaml:",inline"`

	ready service
}

// service is the part that Validate completes.
type service struct {
	options        Options
	dialer         dialer
	plain, secured uint16 // standard ports, without and with TLS from the first byte
	within         bool   // whether TLS always begins within the protocol, so that tlsImplicit is no other way than tlsStart
	resume         bool   // whether further connections to the server may go on with the TLS session of the first
	blank          bool   // whether an account may have no password
	login          uint16 // instead of plain where a login is wanted; 0 = the same
}

// serviceDescs are the metrics that link sets, besides the phases.
var serviceDescs = slices.Concat(dialDescs, tlsDescs, []*probe.Desc{descTLSCipher})

// newServiceConfig has the defaults. The ports are those of targets without one.
func newServiceConfig(o Options, plain, secured uint16) ServiceConfig {
	return ServiceConfig{IPConfig: defaultIPConfig, TLS: tlsStart, ready: service{options: o, plain: plain, secured: secured}}
}

// phaseDesc declares probe_<name>_duration_seconds.
func phaseDesc(name, phases string) *probe.Desc {
	return &probe.Desc{Name: "probe_" + name + "_duration_seconds", Labels: []string{"phase"},
		Help: "Duration of the phases of the probe that were completed, in seconds: " + phases + "."}
}

// bannerDesc declares probe_<name>_banner_info.
func bannerDesc(name string) *probe.Desc {
	return &probe.Desc{Name: "probe_" + name + "_banner_info", Labels: []string{"banner"}, Help: "What the server says of itself first."}
}

// validate checks the keys. It is for use in Validate.
func (c *ServiceConfig) validate() (err error) {
	if c.ready.dialer, err = c.IPConfig.dialer(c.ready.options); err != nil {
		return err
	}
	if !slices.Contains([]string{tlsNone, tlsStart, tlsImplicit}, c.TLS) {
		return fmt.Errorf("tls: found %q, want %s, %s or %s", c.TLS, tlsNone, tlsStart, tlsImplicit)
	}
	if err := c.TLSConfig.validate(); err != nil {
		return err
	}
	if err := c.LoginConfig.validate(c.ready.options, nil); err != nil {
		return err
	}
	if c.Username != "" && c.Account.empty() && !c.ready.blank {
		return errors.New("username without a secret, want password or password_file")
	}
	return nil
}

// CheckTarget tells why no check can aim at t; nil when one can.
func (c *ServiceConfig) CheckTarget(t probe.Target) error {
	_, _, err := c.address(context.Background(), t)
	return err
}

// Logins is that of Service.
func (c *ServiceConfig) Logins(t probe.Target) ([]probe.Login, error) {
	host, port, err := c.address(context.Background(), t)
	if err != nil {
		return nil, err
	}
	return c.logins(c.ready.options, t, joinHostPort(host, port), nil)
}

// address takes the target apart; without a port it is the standard one.
func (c *ServiceConfig) address(ctx context.Context, t probe.Target) (host string, port uint16, err error) {
	standard := c.ready.plain
	switch {
	case c.TLS == tlsImplicit:
		standard = c.ready.secured
	case c.ready.login != 0 && c.wanted(t):
		standard = c.ready.login
	}
	return splitOptionalPort(ctx, t, t.Raw(), standard)
}

// link is the connection of one probe to one server.
type link struct {
	config *ServiceConfig // of what comes after connecting; nil for a protocol that has neither TLS nor these logins
	target probe.Target
	host   string   // as asked for
	server string   // host:port as asked for, for errors and logins
	conn   net.Conn // under watch, with the deadline; TLS once there is any; no transcript
	r      *probe.Recorder
	desc   *probe.Desc // of the phases; nil = they are not measured
	lap    time.Time   // when the last phase ended

	sessions tls.ClientSessionCache // of this probe alone; nil = none is resumed
}

// open connects to the target, with TLS if it comes first. budget is as in Recorder.Track. The caller closes the link.
func (c *ServiceConfig) open(ctx context.Context, t probe.Target, desc *probe.Desc, budget int64, r *probe.Recorder) (*link, error) {
	host, port, err := c.address(ctx, t)
	if err != nil {
		return nil, err
	}
	c.hide(c.ready.options, t, nil, r)
	l, err := c.ready.dialer.reach(ctx, t, host, port, desc, budget, r)
	if err != nil {
		return nil, err
	}
	l.config = c
	if c.ready.resume {
		l.sessions = tls.NewLRUClientSessionCache(1)
	}
	if c.TLS == tlsImplicit && !c.ready.within {
		if err := l.secure(ctx); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

// reach makes a link to a server that is not protected yet. The caller closes it.
func (d dialer) reach(ctx context.Context, t probe.Target, host string, port uint16, desc *probe.Desc, budget int64, r *probe.Recorder) (*link, error) {
	l := &link{target: t, host: host, server: joinHostPort(host, port), r: r, desc: desc, lap: time.Now()}
	addr, err := d.resolve(ctx, host, r)
	if err != nil {
		return nil, err
	}
	l.done("resolve")
	if l.conn, err = d.dial(ctx, "tcp", netip.AddrPortFrom(addr, port), r, budget); err != nil {
		return nil, err
	}
	l.done("connect")
	return l, nil
}

// done ends a phase: what happened since the one before it.
func (l *link) done(phase string) {
	now := time.Now()
	if l.desc != nil {
		l.r.Phase(l.desc, phase, now.Sub(l.lap))
	}
	l.r.Log.Debug("phase done", "phase", phase, "took", now.Sub(l.lap))
	l.lap = now
}

// tlsConfig is that of the link's connections.
func (l *link) tlsConfig() (*tls.Config, error) {
	name := l.target.Hostname
	if name == "" {
		name = l.host
	}
	conf, err := l.config.TLSConfig.client(name, l.config.ready.options, l.r.Log)
	if err == nil {
		conf.ClientSessionCache = l.sessions
	}
	return conf, err
}

// secure goes over to TLS. A peer that answers with something else breaks the protocol.
func (l *link) secure(ctx context.Context) error {
	conf, err := l.tlsConfig()
	if err != nil {
		return err
	}
	secured, err := l.config.TLSConfig.startTLS(ctx, l.conn, conf, l.server, l.r)
	if header := new(tls.RecordHeaderError); errors.As(err, header) {
		return probe.Failf(probe.ReasonProtocol, "%w: the server does not speak TLS here, is tls: %s right for this port?", err, l.config.TLS)
	}
	if err != nil {
		return err
	}
	l.conn = secured
	l.recordTLS(secured.ConnectionState())
	l.done("tls")
	return nil
}

// recordTLS sets the metrics of an established TLS connection.
func (l *link) recordTLS(state tls.ConnectionState) {
	recordTLS(l.r, &state, true, l.config.ready.options.Compat)
}

// login finds who logs in; nil = nobody.
func (l *link) login() (*login, error) {
	return l.config.use(l.config.ready.options, l.target, l.server, nil, l.r)
}

// close ends the connection.
func (l *link) close() { l.conn.Close() }
