// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/textproto"
	"os"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// What one attempt may take at most.
const (
	mailTime  = time.Minute
	mailBytes = 1 << 20 // received
)

// email sends mail through a smarthost. go-mail builds the message and does greeting, STARTTLS and AUTH; the transaction is done here
// phase by phase, since whether the final dot went out decides how the outcome counts.
type email struct {
	config  EmailConfig
	version string
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// Notify sends the message to all recipients in one transaction.
func (e *email) Notify(ctx context.Context, m record.Message) error {
	password, err := e.config.password()
	if err == nil {
		err = e.send(ctx, m, password)
	}
	if err == nil {
		return nil
	}
	var typed *DeliveryError
	if !errors.As(err, &typed) {
		typed = &DeliveryError{Permanent: permanent(err)}
	}
	text := fmt.Sprintf("sending mail through %q: %s", e.config.Smarthost, strings.ReplaceAll(describe(err), "\n", "; "))
	if ctx.Err() != nil {
		text += " (we stopped waiting)"
	}
	return &DeliveryError{typed.Taken, typed.Permanent, typed.Doubtful, errors.New(probe.Mask(text, password))}
}

// describe gives the text of an error, with what the server said as evidence.
func describe(err error) string {
	var reply *textproto.Error
	if !errors.As(err, &reply) {
		return err.Error()
	}
	said := probe.Evidence(fmt.Sprintf("%03d %s", reply.Code, reply.Msg))
	return strings.Replace(err.Error(), reply.Error(), "server said "+said, 1)
}

// permanent tells whether the server refused for good.
func permanent(err error) bool {
	var reply *textproto.Error
	return errors.As(err, &reply) && reply.Code >= 500
}

func (e *email) send(ctx context.Context, m record.Message, password probe.Secret) error {
	var text bytes.Buffer
	msg, err := e.compose(m)
	if err == nil {
		_, err = msg.WriteTo(&text)
	}
	if err != nil {
		return fmt.Errorf("writing the message: %w", err)
	}
	conn := new(mailConn)
	defer conn.close()
	stop := context.AfterFunc(ctx, conn.close)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, mailTime) // which is the connection's own deadline
	defer cancel()
	client, err := e.connect(ctx, conn, password)
	if err != nil {
		return err
	}
	return e.transact(client, conn, text.Bytes())
}

// connect greets, encrypts and logs in.
func (e *email) connect(ctx context.Context, conn *mailConn, password probe.Secret) (*smtp.Client, error) {
	host, port, err := e.config.host()
	if err != nil {
		return nil, err
	}
	settings, err := e.config.tlsConfig()
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		plain, err := e.dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conn.adopt(ctx, plain)
		if e.config.TLS != tlsImplicit {
			return conn, nil
		}
		secure := tls.Client(conn, settings)
		return secure, secure.HandshakeContext(ctx)
	}
	options := []gomail.Option{
		gomail.WithPort(port), gomail.WithTimeout(mailTime), gomail.WithDialContextFunc(dial), gomail.WithTLSConfig(settings),
		gomail.WithHELO(e.hello()), gomail.WithoutSMTPUTF8(), gomail.WithTLSPolicy(gomail.NoTLS),
	}
	switch e.config.TLS {
	case tlsStart:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case tlsImplicit:
		options = append(options, gomail.WithSSL())
	}
	if e.config.Username != "" {
		options = append(options, gomail.WithUsername(e.config.Username), gomail.WithPassword(password.Reveal()),
			gomail.WithOpportunisticSMTPAuth(e.mechanisms()...))
	}
	client, err := gomail.NewClient(host, options...)
	if err != nil {
		return nil, err
	}
	return client.DialToSMTPClientWithContext(ctx)
}

// mechanisms lists the ways to log in, best first. The plain ones refuse an unencrypted connection to another host by themselves.
func (e *email) mechanisms() []gomail.SMTPAuthType {
	all := []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5}
	if e.config.TLS == tlsNone {
		return all
	}
	return append([]gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256PLUS, gomail.SMTPAuthSCRAMSHA1PLUS}, all...)
}

func (e *email) hello() string {
	if e.config.Hello != "" {
		return e.config.Hello
	}
	if name, err := os.Hostname(); err == nil && name != "" && !strings.ContainsAny(name, " \t\r\n") {
		return name
	}
	return "localhost"
}

// transact is one mail transaction: RFC 5321 section 3.3.
func (e *email) transact(client *smtp.Client, conn *mailConn, text []byte) error {
	if err := client.Mail(path(e.config.From)); err != nil {
		return fmt.Errorf("MAIL FROM %s: %w", path(e.config.From), err)
	}
	refused, err := e.recipients(client)
	if err != nil {
		return err
	}
	data, err := client.Data()
	if err != nil {
		return fmt.Errorf("DATA: %w", err)
	}
	if _, err := data.Write(text); err != nil {
		return fmt.Errorf("writing the message: %w", err) // and no dot: what went out is not taken
	}
	if err := data.Close(); err != nil {
		return afterDot(err, conn)
	}
	client.Quit() // whatever it answers: the message is taken
	if len(refused) > 0 {
		return &DeliveryError{Taken: true, Err: fmt.Errorf("taken, but not for every recipient: %w", errors.Join(refused...))}
	}
	return nil
}

// recipients names the recipients to the server. It fails if none is taken.
func (e *email) recipients(client *smtp.Client) (refused []error, err error) {
	lasting := true
	for _, to := range e.config.To {
		err := client.Rcpt(path(to))
		if err == nil {
			continue
		}
		var reply *textproto.Error
		if !errors.As(err, &reply) {
			return nil, fmt.Errorf("RCPT TO %s: %w", path(to), err)
		}
		lasting = lasting && reply.Code >= 500
		refused = append(refused, fmt.Errorf("RCPT TO %s: %s", path(to), describe(err)))
	}
	if len(refused) == len(e.config.To) {
		return nil, &DeliveryError{Permanent: lasting, Err: errors.Join(refused...)}
	}
	return refused, nil
}

// afterDot sorts what came instead of 250 once the message was written out.
func afterDot(err error, conn *mailConn) error {
	var reply *textproto.Error
	switch {
	case errors.As(err, &reply) && reply.Code >= 200 && reply.Code < 300:
		return nil
	case errors.As(err, &reply):
		return fmt.Errorf("end of DATA: %w", err)
	case conn.failed():
		return fmt.Errorf("writing the end of the message: %w", err)
	}
	return &DeliveryError{Doubtful: true, Err: fmt.Errorf("the message went out but no answer came: %w", err)}
}

// path is the form of an address in the envelope.
func path(address string) string {
	parsed, err := mail.ParseAddress(address)
	if err != nil {
		return "<" + address + ">"
	}
	return "<" + parsed.Address + ">"
}
