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
	if got := Mask("plain", "", "ab"); got != "plain" {
		t.Errorf("Mask without a secret worth masking: %q, want the text itself", got)
	}
}
