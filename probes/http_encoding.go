// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// acceptable checks that the compression a module unpacks is one that its own Accept-Encoding header asks for.
func acceptable(headers map[string]string, compression string) error {
	if compression == "" {
		return nil
	}
	for name, value := range headers {
		if http.CanonicalHeaderKey(name) == "Accept-Encoding" && value != "" && !acceptsEncoding(value, compression) {
			return fmt.Errorf(`invalid configuration "%s: %s", "compression: %s"`, name, value, compression)
		}
	}
	return nil
}

type weightedEncoding struct {
	name    string
	quality float64
}

// acceptsEncoding decides by the best-ranked entry of the list that names the encoding or "*" (RFC 9110 section 12.5.3).
func acceptsEncoding(list, encoding string) bool {
	var entries []weightedEncoding
	for entry := range strings.SplitSeq(list, ",") {
		entries = append(entries, parseEncoding(strings.TrimSpace(entry)))
	}
	slices.SortStableFunc(entries, func(a, b weightedEncoding) int {
		switch {
		case a.quality > b.quality:
			return -1
		case a.quality < b.quality:
			return 1
		}
		return 0
	})
	for _, e := range entries {
		if e.name == encoding || e.name == "*" {
			return e.quality > 0
		}
	}
	return false
}

func parseEncoding(entry string) weightedEncoding {
	i := strings.LastIndexByte(entry, ';')
	if i < 0 {
		return weightedEncoding{entry, 1}
	}
	text := strings.TrimPrefix(strings.TrimSpace(entry[i+1:]), "q=")
	quality, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(quality) {
		quality = 0
	}
	return weightedEncoding{strings.TrimSpace(entry[:i]), math.Round(quality*1000) / 1000}
}
