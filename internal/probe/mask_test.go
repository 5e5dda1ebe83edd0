// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import "testing"

func TestMaskHidesEverySpelling(t *testing.T) {
	text := "535 no: hunter42 aHVudGVyNDI= AGFAYgBodW50ZXI0Mg== 68756e7465723432"
	want := "535 no: <secret> <secret>I= AGFAYgB<secret>g== <secret>"
	if got := Mask(text, "hunter42"); got != want {
		t.Errorf("Mask: %q, want %q", got, want)
	}
	if got := Mask("250-HUNTER4-2 hunter4-2 Hunter4-2 48756E746572342D32", "Hunter4-2"); got != "250-<secret> <secret> <secret> <secret>" {
		t.Errorf("Mask of other cases: %q, want none of them", got)
	}
	if got := Mask("plain", "", "ab"); got != "plain" {
		t.Errorf("Mask without a secret worth masking: %q, want the text itself", got)
	}
	for text, want := range map[string]string{
		"abcabcdabc":     "<secret><secret><secret>", // the longest form first, nothing looked at twice
		"ababc":          "ab<secret>",
		"":               "",
		"<secret> ecret": "<secret> ecret",
		"xabcd":          "x<secret>",
	} {
		if got := Mask(text, "abc", "abcd"); got != want {
			t.Errorf("masking %q: %q, want %q", text, got, want)
		}
	}
}

// TestMaskLines: a line of a private key is as secret as the whole.
func TestMaskLines(t *testing.T) {
	key := Secret("-----BEGIN KEY-----\nb3BlbnNzaC1rZXktdjEA\nQmFzZTY0IGxpbmU=\nab\n-----END KEY-----\n")
	got := Mask("-----BEGIN KEY----- b3BlbnNzaC1rZXktdjEA QmFzZTY0IGxpbmU= ab", key)
	if want := "-----BEGIN KEY----- <secret> <secret> ab"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
