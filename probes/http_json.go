// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	"skywatch/internal/probe"
)

// httpJSONBytes bounds a body that is decoded, which takes many times its length.
const httpJSONBytes = 4 << 20

// celRule is a rule about a JSON body: the program's value must not be bad.
type celRule struct {
	text    string
	program celProgram
	bad     bool
}

// validateCEL compiles the rules about a JSON body.
func (h *HTTP) validateCEL() error {
	h.cel = nil
	for _, rule := range []struct {
		key  string
		text *string
		bad  bool
	}{
		{"fail_if_body_json_matches_cel", h.FailIfBodyJSONMatches, true},
		{"fail_if_body_json_not_matches_cel", h.FailIfBodyJSONNotMatches, false},
	} {
		if rule.text == nil {
			continue
		}
		program, err := compileCEL(*rule.text)
		if err != nil {
			return fmt.Errorf("%s: %w", rule.key, err)
		}
		h.cel = append(h.cel, celRule{*rule.text, program, rule.bad})
	}
	return nil
}

// matchJSON applies the CEL rules to a body that fulfils all others.
func (v *httpVerdict) matchJSON(text []byte, body *httpBody) {
	decoded, err := decodeJSON(text)
	if err != nil {
		v.mistaken("%w%s", err, body.evidence(v.p.r))
		return
	}
	variables := celVariables(decoded, v.resp.Header)
	for _, rule := range v.p.cel {
		v.matchCEL(rule, variables, body)
	}
}

func (v *httpVerdict) matchCEL(rule celRule, variables map[string]any, body *httpBody) {
	value, err := rule.program.eval(v.resp.Request.Context(), variables)
	matched, isBool := value.(bool)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		v.mistaken("evaluating %q: not done in time: %w", rule.text, err)
	case err != nil:
		v.mistaken("evaluating %q: %s, want a bool%s", rule.text, probe.Evidence(err.Error()), body.evidence(v.p.r))
	case !isBool:
		v.mistaken("evaluating %q: found a %T, want a bool", rule.text, value)
	case matched && rule.bad:
		v.mistaken("the body fulfils %q, want that it does not%s", rule.text, body.evidence(v.p.r))
	case !matched && !rule.bad:
		v.mistaken("the body does not fulfil %q, want that it does%s", rule.text, body.evidence(v.p.r))
	}
}

// mistaken is for failures of the CEL rules.
func (v *httpVerdict) mistaken(format string, a ...any) {
	v.p.r.Set(httpCELFailed, 1)
	v.fail(probe.Failf(probe.ReasonResponse, format, a...))
}

func decodeJSON(text []byte) (decoded any, err error) {
	if len(text) > httpJSONBytes {
		return nil, fmt.Errorf("decoding the body: it is longer than %s, want less to decode it", probe.Bytes(httpJSONBytes))
	}
	if err := json.Unmarshal(text, &decoded); err != nil {
		return nil, fmt.Errorf("decoding the body: %w, want JSON", err)
	}
	return decoded, nil
}

// celVariables are what an expression may use.
func celVariables(body any, header http.Header) map[string]any {
	return map[string]any{"body": body, "headers": map[string][]string(header)}
}
