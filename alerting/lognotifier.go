// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"context"
	"log/slog"

	"skywatch/internal/record"
)

// logger is the notifier that writes messages to the log.
type logger struct{ log *slog.Logger }

// Notify writes the message; it cannot fail.
func (l logger) Notify(ctx context.Context, m record.Message) error {
	l.log.InfoContext(ctx, "message", "notifier", m.Notifier, "subject", m.Subject, "message_id", m.MessageID, "text", m.Text)
	return nil
}
