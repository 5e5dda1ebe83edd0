// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"skywatch/internal/probe"
)

// The bounds of what a module may take out of a response, so that no peer decides how many series there are or how long they get.
const (
	maxExtracts       = 16
	maxExtractName    = 64  // bytes
	maxExtractedBytes = 128 // of a label
)

// Extract is an entry of `extract`: a value taken out of the final response, whatever becomes of the probe.
type Extract struct {
	Name   string `yaml:"name"`
	As     string `yaml:"as,omitempty"`     // gauge or info; "" = gauge
	Header string `yaml:"header,omitempty"` // where the regular expression looks; "" = the body
	Regexp Regexp `yaml:"regexp,omitempty"` // its first group is the value, or all of it without one
	CEL    string `yaml:"cel,omitempty"`    // an expression over body and headers

	program celProgram
}

var (
	httpExtract     = &probe.Desc{Name: "probe_http_extract", Help: "Numbers that extract found in the response.", Labels: []string{"name"}}
	httpExtractInfo = &probe.Desc{Name: "probe_http_extract_info", Help: "Texts that extract found in the response.", Labels: []string{"name", "value"}}
)

var extractName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// validateExtract checks the entries and compiles their expressions.
func (h *HTTP) validateExtract() error {
	if n := len(h.Extract); n > maxExtracts {
		return fmt.Errorf("extract: %d entries, want at most %d", n, maxExtracts)
	}
	names := map[string]bool{}
	for i := range h.Extract {
		e := &h.Extract[i]
		if err := e.validate(); err != nil {
			return fmt.Errorf("extract: entry %d: %w", i+1, err)
		}
		if names[e.Name] {
			return fmt.Errorf("extract: entry %d: name %q given twice, want each name once", i+1, e.Name)
		}
		names[e.Name] = true
	}
	return nil
}

func (e *Extract) validate() (err error) {
	switch {
	case !extractName.MatchString(e.Name) || len(e.Name) > maxExtractName:
		return fmt.Errorf("name: found %q, want up to %d letters, digits and underscores, not beginning with a digit", e.Name, maxExtractName)
	case e.As != "" && e.As != "gauge" && e.As != "info":
		return fmt.Errorf("as: found %q, want gauge or info", e.As)
	case (e.Regexp.Regexp == nil) == (e.CEL == ""):
		return errors.New("want exactly one of regexp and cel")
	case e.CEL == "":
		return nil
	case e.Header != "":
		return errors.New("header given with cel, want it with regexp only; cel has the variable headers")
	}
	if e.program, err = compileCEL(e.CEL); err != nil {
		return fmt.Errorf("cel: %w", err)
	}
	return nil
}

// extractsBody tells whether a body must be kept for an entry.
func (h *HTTP) extractsBody() bool {
	for _, e := range h.Extract {
		if e.Header == "" {
			return true
		}
	}
	return false
}

// extract records what the entries find. text is nil when the body could not be kept.
func (v *httpVerdict) extract(text []byte) {
	var variables map[string]any
	for i := range v.p.Extract {
		e := &v.p.Extract[i]
		if e.CEL != "" && variables == nil {
			body, err := decodeJSON(text)
			if err != nil {
				v.p.r.Log.Debug("body is null for cel", "err", err)
			}
			variables = celVariables(body, v.resp.Header)
		}
		found, err := e.find(v.resp.Request.Context(), text, v.resp.Header, variables)
		if err == nil {
			err = e.record(v.p.r, found)
		}
		if err != nil {
			v.p.r.Log.Warn("nothing extracted", "name", e.Name, "err", err)
		}
	}
}

// find gives the value of an entry: a string from a regular expression, anything from CEL.
func (e *Extract) find(ctx context.Context, body []byte, header http.Header, variables map[string]any) (any, error) {
	if e.CEL != "" {
		return e.program.eval(ctx, variables)
	}
	if e.Header == "" {
		if match := e.Regexp.FindSubmatch(body); match != nil {
			return string(match[min(1, len(match)-1)]), nil
		}
		return nil, fmt.Errorf("the body has no match for %q, want one", e.Regexp)
	}
	for _, value := range header.Values(e.Header) {
		if match := e.Regexp.FindStringSubmatch(value); match != nil {
			return match[min(1, len(match)-1)], nil
		}
	}
	return nil, fmt.Errorf("header %q has no match for %q, want one", e.Header, e.Regexp)
}

func (e *Extract) record(r *probe.Recorder, found any) error {
	if e.As == "info" {
		text, err := extractedText(found)
		if err == nil {
			r.Set(httpExtractInfo, 1, e.Name, text)
		}
		return err
	}
	number, err := extractedNumber(found)
	if err == nil {
		r.Set(httpExtract, number, e.Name)
	}
	return err
}

// extractedText gives the beginning of a text, or another plain value as text.
func extractedText(found any) (string, error) {
	var text string
	switch found := found.(type) {
	case string:
		text = found
	case bool, int64, uint64, float64, time.Duration:
		text = fmt.Sprint(found)
	default:
		return "", fmt.Errorf("found a %T, want a text, number or bool", found)
	}
	if len(text) > maxExtractedBytes {
		text = text[:maxExtractedBytes]
	}
	return strings.ToValidUTF8(text, ""), nil
}

// extractedNumber gives a finite number; true is 1 and a duration is in seconds.
func extractedNumber(found any) (number float64, err error) {
	switch found := found.(type) {
	case string:
		number, err = strconv.ParseFloat(strings.TrimSpace(found), 64)
	case bool:
		if found {
			number = 1
		}
	case int64:
		number = float64(found)
	case uint64:
		number = float64(found)
	case float64:
		number = found
	case time.Duration:
		number = found.Seconds()
	default:
		return 0, fmt.Errorf("found a %T, want a number", found)
	}
	if err != nil || math.IsInf(number, 0) || math.IsNaN(number) {
		return 0, fmt.Errorf("found %s, want a number", probe.Evidence(fmt.Sprint(found)))
	}
	return number, nil
}
