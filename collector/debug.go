// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"

	"skywatch/internal/probe"
)

// Debug says how a probe is shown to people: on the page of debug=true, and again by /logs.
type Debug struct {
	Log    func(w io.Writer) slog.Handler                         // writes those lines of the trace that are wanted; nil = as text, from info on
	Module func(m *probe.Module, hostname string) ([]byte, error) // redacted, as the hostname parameter changes it; nil = left out
	Exact  bool                                                   // as blackbox_exporter: not a word about lines that are not shown
}

// probed is a result with what it takes to show it. The text is made when somebody reads it.
type probed struct {
	probe.Result
	id       int64
	module   *probe.Module
	hostname string
}

// text is what blackbox_exporter's users know: the log, the metrics, the module.
func (d Debug) text(p *probed) []byte {
	var b bytes.Buffer
	b.WriteString("Logs for the probe:\n")
	d.log(&b, p.Result)
	b.WriteString("\n\n\nMetrics that would have been returned:\n")
	b.Write(AppendText(nil, p.Result))
	b.WriteString("\n\n\nModule configuration:\n")
	if d.Module != nil {
		module, err := d.Module(p.module, p.hostname)
		if err != nil {
			module = []byte("cannot be shown: " + err.Error() + "\n")
		}
		b.Write(module)
	}
	return b.Bytes()
}

// log writes the trace as the log would show it, and how much of it does not show.
func (d Debug) log(w io.Writer, r probe.Result) {
	ctx, out := context.Background(), d.handler(w).WithAttrs([]slog.Attr{slog.String("module", r.Module), slog.String("target", r.Target)})
	below := 0
	for _, line := range r.Trace.Lines() {
		if !out.Enabled(ctx, line.Level) {
			below++
			continue
		}
		record := slog.NewRecord(r.Start.Add(line.At), line.Level, line.Text, 0)
		record.AddAttrs(line.Attrs...)
		out.Handle(ctx, record) // into memory
	}
	if d.Exact {
		return
	}
	if below > 0 {
		fmt.Fprintf(w, "(%d more of a lower level; --log.prober=debug shows all)\n", below)
	}
	if dropped := r.Trace.Dropped(); dropped > 0 {
		fmt.Fprintf(w, "(%d from the middle were not kept)\n", dropped)
	}
}

func (d Debug) handler(w io.Writer) slog.Handler {
	if d.Log == nil {
		return slog.NewTextHandler(w, nil)
	}
	return d.Log(w)
}
